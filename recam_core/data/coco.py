"""MS COCO 2014 and 2017: ``coco:ROOT@train2014``."""

import json
from pathlib import Path

import numpy as np

from recam_core.data.class_file import check_class_names
from recam_core.data.coco_index import CocoObject, CocoPicture, read_index
from recam_core.data.image_io import DATASET_LIMITS
from recam_core.data.photo_dataset import PhotoDataset
from recam_core.data.photo_folder import list_files
from recam_core.data.sample import VOID, BrokenItem, ClassList, Fault
from recam_core.data.split_file import choose_split
from recam_core.errors import UserError


def open_coco(root: str, split: str | None = None) -> "CocoDataset":
    """Open ``ROOT`` with annotations/instances_SPLIT.json and the pictures in SPLIT/ or images/SPLIT/.

    Raises:
        UserError: the layout is not there, or the split is missing.
    """
    folder = Path(root)
    annotations = folder / "annotations"
    available = sorted(path.stem.removeprefix("instances_") for path in annotations.glob("instances_*.json"))
    if not available:
        raise UserError(
            f"{annotations} has no instances_SPLIT.json. COCO is laid out as annotations/instances_train2014.json with "
            "the pictures in train2014/ or images/train2014/."
        )
    trains = [name for name in available if name.startswith("train")]
    split = choose_split(split, available, default=trains[0] if trains else "train", where=str(annotations))
    for photos in (folder / split, folder / "images" / split):
        if photos.is_dir():
            return CocoDataset(root, photos, annotations / f"instances_{split}.json", split)
    raise UserError(f"The pictures of {split} are neither in {folder / split} nor in {folder / 'images' / split}.")


class CocoDataset(PhotoDataset):
    """One split of COCO.

    The 80 categories, by ascending id, are classes 0..79. Pictures without any object outside a crowd are left out,
    as there is nothing to learn or score in them; :attr:`notes` says how many. Image-level labels come from the
    annotations, crowds excepted. In a mask smaller objects lie on top of larger ones - COCO does not say which of
    two overlapping objects is in front, and a small object under a large one would vanish - and crowds are void
    wherever no single object is annotated. Masks are drawn when asked for and not kept.
    """

    def __init__(self, root: str, photos: Path, annotation_file: Path, split: str):
        index = read_index(annotation_file)
        check_class_names(index.names, str(annotation_file))
        self._photos = photos
        self._annotation_file = annotation_file
        self._pictures = [
            picture
            for picture in index.pictures
            if picture.problem or any(not thing.crowd for thing in picture.objects)
        ]
        ids = [Path(picture.file_name).stem for picture in self._pictures]
        super().__init__(f"coco:{root}@{split}", ClassList(index.names, has_background=True), ids)
        if not ids:
            raise UserError(f"{annotation_file}: no picture has an annotated object.")
        self.has_masks = True
        left_out = len(index.pictures) - len(self._pictures)
        if left_out:
            self.notes = (f"{left_out} pictures without any annotated object (crowds apart) are left out.",)
        there = {name for names in list_files(photos).values() for name in names}
        first: dict[str, int] = {}
        for position, (identifier, picture) in enumerate(zip(ids, self._pictures, strict=True)):
            fault = self._fault(picture, identifier, there, identifier in first)
            first.setdefault(identifier, position)
            if fault is not None:
                self.known_faults[position] = fault

    def _fault(self, picture: CocoPicture, identifier: str, there: set[str], seen: bool) -> Fault | None:
        name = picture.file_name
        if "/" in name or "\\" in name or name.startswith("."):
            return Fault(
                str(self._annotation_file),
                f"the file name {name!r} leads out of {self._photos}; only plain file names are opened.",
                "damaged file",
            )
        if seen:
            message = f"duplicate id: '{identifier}' is listed more than once."
            return Fault(str(self._annotation_file), message, "duplicate id")
        if name not in there:
            message = "this file is missing, though the annotation file names it."
            return Fault(str(self._photos / name), message, "missing file")
        if picture.problem:
            is_category = picture.problem.startswith("class id")
            kind = "class out of range" if is_category else "damaged file"
            return Fault(str(self._annotation_file), f"{name}: {picture.problem}", kind)
        limits = DATASET_LIMITS
        if not (0 < picture.height <= limits.max_side and 0 < picture.width <= limits.max_side):
            message = f"{name}: a size of {picture.width} x {picture.height} pixels."
            return Fault(str(self._annotation_file), message, "damaged file")
        return None

    def photo_path(self, index: int) -> str:
        return str(self._photos / self._pictures[index].file_name)

    def mask_source(self, index: int) -> str:
        return f"{self._annotation_file} ({self._pictures[index].file_name})"

    def read_mask(self, index: int) -> np.ndarray:
        picture = self._pictures[index]
        try:
            return draw_mask(picture)
        except Exception as error:  # the decoder of run-length codes raises anything on damaged ones
            raise BrokenItem(
                Fault(
                    self.mask_source(index),
                    f"an outline cannot be drawn ({error or type(error).__name__}).",
                    "damaged file",
                )
            ) from error

    def stored_labels(self, index: int) -> np.ndarray:
        labels = np.zeros(len(self.classes), dtype=bool)
        labels[[thing.class_index for thing in self._pictures[index].objects if not thing.crowd]] = True
        return labels


def draw_mask(picture: CocoPicture) -> np.ndarray:
    """H x W uint8: crowds (void) first, then objects from the largest to the smallest."""
    mask = np.zeros((picture.height, picture.width), dtype=np.uint8)
    for thing in sorted(picture.objects, key=lambda thing: (not thing.crowd, -thing.area)):
        mask[_region(thing, picture)] = VOID if thing.crowd else thing.class_index + 1
    return mask


def _region(thing: CocoObject, picture: CocoPicture) -> np.ndarray:
    """H x W bool."""
    from pycocotools import mask as codes

    height, width = picture.height, picture.width
    if thing.rle is None:
        outlines = json.loads(thing.polygons)
        # The time and memory of drawing grow with the length of the outline, so a point must be near the picture.
        reach = 2 * max(height, width)
        for points in outlines:
            if len(points) < 6 or len(points) % 2:
                raise ValueError("a polygon needs three points or more, as x y x y ...")
            if not (np.abs(np.array(points, dtype=np.float64)) <= reach).all():
                raise ValueError("a point lies far outside of the picture")
        code = codes.merge(codes.frPyObjects(outlines, height, width))
    elif isinstance(thing.rle["counts"], list):
        code = codes.frPyObjects(thing.rle, height, width)
    else:
        code = {"size": [height, width], "counts": thing.rle["counts"].encode("ascii")}
    return codes.decode(code).astype(bool)
