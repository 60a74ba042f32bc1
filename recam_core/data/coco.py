"""MS COCO and what tools export in its form: ``coco:ROOT@train2014``."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from recam_core.data.class_file import role_of_name
from recam_core.data.coco_annotations import CocoObject, CocoPicture, runs_of_code
from recam_core.data.coco_index import read_index
from recam_core.data.coco_layout import CocoFile, Place, coco_files, find_pictures
from recam_core.data.image_io import DATASET_LIMITS
from recam_core.data.mask_turns import MaskTurns
from recam_core.data.photo_dataset import PhotoDataset
from recam_core.data.photo_folder import choose_split, file_stamp
from recam_core.data.sample import BACKGROUND, VOID, BrokenItem, ClassList, Fault, FaultKind
from recam_core.errors import UserError
from recam_core.file_reader import file_lines
from recam_core.progress import ProgressFn, silent

#: Drawing an outline takes time and memory by its length in pixels; no outline of an object is as long.
_LONGEST_OUTLINE = 4_000_000
#: Pixels of all objects of a picture together: what takes about ten seconds to paint.
_MOST_PAINTED = 20_000_000_000
#: One run after the other is painted unless they are so short that all pixels at once are faster.
_PIXELS_A_RUN = 40
#: Coordinates may be any number; beyond this they are as good as this.
_FARTHEST = 1e12


def open_coco(root: str, split: str | None = None) -> "CocoDataset":
    """Open ``ROOT`` with annotations/instances_SPLIT.json and the pictures in SPLIT/ or images/SPLIT/.

    Exports of CVAT, Label Studio and Roboflow open as they are: pictures in images/ itself, or the annotation file
    beside them.

    Raises:
        UserError: the layout is not there, or the split is missing.
    """
    folder = Path(root)
    files = coco_files(folder)
    if not files:
        raise UserError(
            f"{folder} has no annotation file of COCO's form. COCO is laid out as annotations/instances_train2014.json "
            "with the pictures in train2014/ or images/train2014/; an export may have it beside the pictures."
        )
    trains = [name for name in files if name.lower().startswith("train")]
    split = choose_split(split, list(files), default=trains[0] if trains else "train", where=str(folder))
    return CocoDataset(root, files[split])


class CocoDataset(PhotoDataset):
    """One split of COCO, or of an export in its form.

    The 80 categories, by ascending id, are classes 0..79 (see :func:`~recam_core.data.coco_index.read_index` for those
    that are none). Pictures without any object outside a crowd are left out, as there is nothing to learn or score in
    them; :attr:`notes` says how many. Image-level labels come from the annotations, crowds excepted. In a mask smaller
    objects, by their pixels, lie on top of larger ones - COCO does not say which of two overlapping objects is in
    front, and a small object under a large one would vanish - and crowds are void wherever no single object is
    annotated. Masks are drawn when asked for and not kept. A picture with an object that has no outline has none.
    """

    def __init__(self, root: str, file: CocoFile):
        class_file = file.root / "classes.txt"
        asked = file_lines(class_file) if class_file.is_file() else []
        index = read_index(file.path, [name for name in asked if role_of_name(name) == "class"])
        self._annotation_file = file.path
        self._left_out = index.left_out
        self._count = len(index.names)
        self._pictures = [
            picture for picture in index.pictures if picture.problem or any(map(self._gives_label, picture.objects))
        ]
        if not self._pictures:
            first = f" {index.left_out[0]}: {index.left_out[0].reason}." if index.left_out else ""
            raise UserError(f"{file.path}: no picture has an annotated object.{first}")
        found = find_pictures(file, [picture.file_name for picture in self._pictures])
        self._photos, self._places = found.folder, found.places
        ids = [_id_of(place, picture) for place, picture in zip(found.places, self._pictures, strict=True)]
        super().__init__(f"coco:{root}@{file.split}", ClassList(index.names, has_background=True), ids)
        # Outlines are on the picture as it is stored, or upright, as masks are; only their sizes and the file can say.
        self.turns = MaskTurns(file.root, tuple)
        self.has_masks = any(_is_outlined(picture) for picture in self._pictures)
        self.notes = index.notes
        if left_out := len(index.pictures) - len(self._pictures):
            note = f"{left_out} pictures without any annotated object (crowds apart) are left out."
            self.notes = (note, *index.notes)
        first_of: dict[str, int] = {}
        for position, (identifier, picture) in enumerate(zip(ids, self._pictures, strict=True)):
            other = first_of.setdefault(identifier, position)
            fault = self._fault(position, picture, found.there[position], self._pictures[other])
            if fault is not None:
                self.known_faults[position] = fault

    def _gives_label(self, thing: CocoObject) -> bool:
        return not thing.crowd and 0 < thing.value <= self._count

    def _fault(self, position: int, picture: CocoPicture, is_there: bool, first: CocoPicture) -> Fault | None:
        def of_file(message: str, kind: FaultKind = "damaged file") -> Fault:
            return Fault(str(self._annotation_file), message, kind)

        name = picture.file_name
        if self._places[position] is None:
            return of_file(
                f"the file name {name!a} leads out of {self._photos}; write it as a path below that folder.",
            )
        if picture.problem:
            return of_file(f"{name}: {picture.problem}", picture.problem_kind)
        if first is not picture:
            both = f"{name!a} is listed" if first.file_name == name else f"{first.file_name!a} and {name!a} are"
            message = f"duplicate id: '{self.ids[position]}' is listed more than once ({both})."
            return of_file(message, "duplicate id")
        if not is_there:
            message = "this file is missing, though the annotation file names it."
            return Fault(self.photo_path(position), message, "missing file")
        # Masks have the size that the annotation file tells, whatever the photograph has: looked at before any drawing.
        limits = DATASET_LIMITS
        size = f"{name}: the annotation file tells a size of {picture.width} x {picture.height} pixels"
        if max(picture.height, picture.width) > limits.max_side:
            return of_file(f"{size}; no side may have more than {limits.max_side:,}. Scale the picture down.")
        if picture.height * picture.width > limits.max_pixels:
            most = f"{limits.max_pixels / 1e6:g} million in all"
            return of_file(f"{size}, more than {most}. Scale the picture and its outlines down.")
        return None

    def photo_path(self, index: int) -> str:
        return str(self._photos.joinpath(*(self._places[index] or ())))

    def mask_source(self, index: int) -> str:
        return f"{self._annotation_file} ({self._pictures[index].file_name})"

    def mask_stamp(self) -> str:
        return file_stamp(str(self._annotation_file)) + self.mask_reading

    def picture_stamp(self, index: int) -> str:
        # The outlines are in one file for all pictures: whatever changes in it may have changed any mask.
        return (
            "" if index in self.known_faults else super().picture_stamp(index) + file_stamp(str(self._annotation_file))
        )

    def read_mask(self, index: int) -> np.ndarray | None:
        picture = self._pictures[index]
        if not _is_outlined(picture):
            return None
        height, width = (picture.height, picture.width) if picture.height else self.size(index)
        try:
            return draw_mask(picture.objects, height, width)
        except Exception as error:  # what draws polygons may raise anything on damaged ones
            raise BrokenItem(
                Fault(
                    self.mask_source(index),
                    f"an outline cannot be drawn ({error or type(error).__name__}).",
                    "damaged file",
                )
            ) from error

    def stored_labels(self, index: int) -> np.ndarray:
        labels = np.zeros(len(self.classes), dtype=bool)
        labels[[thing.value - 1 for thing in self._pictures[index].objects if self._gives_label(thing)]] = True
        return labels

    def faults(self, progress: ProgressFn = silent) -> Iterator[Fault]:
        """What is wrong with annotations, which keeps no picture from being used, and then with pictures."""
        for left in self._left_out:
            what = "the rest of it is used" if left.is_part else "it is left out"
            yield Fault(str(self._annotation_file), f"{left}: {left.reason}; {what}.", "annotation left out")
        for index, fault in enumerate(map(self._far_outline, self._pictures)):
            if fault is not None and index not in self.known_faults:
                yield fault
        yield from super().faults(progress)

    def _far_outline(self, picture: CocoPicture) -> Fault | None:
        """What is said of an outline that is in another unit, or of another picture."""
        for thing in picture.objects:
            try:
                farthest = max(abs(number) for ring in json.loads(thing.polygons or "[[0]]") for number in ring)
            except (ValueError, TypeError):
                continue  # which is said when it is drawn
            farthest = min(farthest, _FARTHEST)
            if picture.height and farthest > _reach(picture.height, picture.width):
                return Fault(
                    str(self._annotation_file),
                    f"{thing} of {picture.file_name} reaches to {farthest:g}, far outside of the "
                    f"picture of {picture.width} x {picture.height} pixels; only what lies in it is drawn.",
                    "size mismatch",
                )
        return None


def _is_outlined(picture: CocoPicture) -> bool:
    """Whether each object of a picture has a region: where one has none, a mask would show background in its place."""
    return bool(picture.objects) and all(thing.has_region for thing in picture.objects)


def _id_of(place: Place | None, picture: CocoPicture) -> str:
    """The id of cam1/a.png is ``cam1-a``."""
    name = "-".join(place or (picture.file_name.replace("/", "-").replace("\\", "-"),))
    return Path(name).stem


def draw_mask(things: list[CocoObject], height: int, width: int) -> np.ndarray:
    """H x W uint8: crowds (void) first, then objects from the largest to the smallest by their pixels.

    What the annotation file says of an object's area plays no part: many a tool leaves it out, or says it of a box.

    Raises:
        ValueError: an outline cannot be drawn.
    """
    drawn = []
    painted = 0
    for thing in things:
        runs = _runs(thing, height, width)
        area = int(runs[1::2].sum())
        painted += area
        drawn.append(((not thing.crowd, -area), VOID if thing.crowd else thing.value, runs))
    if painted > _MOST_PAINTED:
        raise ValueError(f"its objects cover {painted:,} pixels, more than {_MOST_PAINTED:,}")
    columns = np.full(height * width, BACKGROUND, dtype=np.uint8)
    for _, value, runs in sorted(drawn, key=lambda thing: thing[0]):
        if len(runs) * _PIXELS_A_RUN > len(columns):
            columns[np.repeat(np.arange(len(runs)) % 2 == 1, runs)] = value
            continue
        bounds = np.cumsum(runs).tolist()
        for begin, end in zip(bounds[0::2], bounds[1::2], strict=False):
            columns[begin:end] = value
    return np.ascontiguousarray(columns.reshape(width, height).T)


def _runs(thing: CocoObject, height: int, width: int) -> np.ndarray:
    """Lengths of the runs of an object's region down the columns, outside first."""
    if thing.rle is not None:
        if thing.rle["size"] != [height, width]:
            raise ValueError(f"the run-length code of {thing} is of another size than the picture")
        return runs_of_code(thing.rle["counts"], height * width)
    from pycocotools import mask as codes

    outlines = [_near(points, height, width) for points in json.loads(thing.polygons)]
    if max(map(_length, outlines)) > _LONGEST_OUTLINE:
        raise ValueError(f"the outline of {thing} is longer than {_LONGEST_OUTLINE:,} pixels")
    polygons = [points.ravel().tolist() for points in outlines if len(points) > 2]
    if not polygons:
        return np.array([height * width])
    drawn = codes.frPyObjects(polygons, height, width)
    return runs_of_code(codes.merge(drawn)["counts"], height * width)


def _near(numbers: list[float], height: int, width: int) -> np.ndarray:
    """N x 2 (x, y): an outline, cut off where it lies far outside of the picture; else it would take long to draw."""
    points = np.array(numbers, dtype=np.float64).reshape(-1, 2).clip(-_FARTHEST, _FARTHEST)
    reach = _reach(height, width)
    for axis, side in ((0, 1), (0, -1), (1, 1), (1, -1)):
        inside = side * points[:, axis] <= reach
        if inside.all():
            continue
        # Each edge that crosses the border gives a point on it (the algorithm of Sutherland and Hodgman).
        following = np.roll(points, -1, axis=0)
        crosses = inside != np.roll(inside, -1)
        way = np.where(crosses, following[:, axis] - points[:, axis], 1.0)
        crossing = points + ((side * reach - points[:, axis]) / way)[:, None] * (following - points)
        crossing[:, axis] = side * reach
        points = np.stack([points, crossing], axis=1).reshape(-1, 2)[np.stack([inside, crosses], axis=1).ravel()]
    return points


def _reach(height: int, width: int) -> int:
    return 2 * max(height, width)


def _length(points: np.ndarray) -> float:
    """Steps from pixel to pixel along a closed outline."""
    return float(np.abs(points - np.roll(points, 1, axis=0)).max(axis=1).sum() + len(points)) if len(points) else 0.0
