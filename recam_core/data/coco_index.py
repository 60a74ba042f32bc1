"""What is kept of a COCO annotation file: compact, so that 80,000 pictures fit in memory without their masks."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recam_core.errors import UserError

_POLYGONS = re.compile(rb'(?<!\\)"segmentation"\s*:\s*(\[\s*\[[-+0-9eE.,\[\]\s]*\]\s*\])')

#: instances_train2017.json has 450 MB; a file several times as large is not one of COCO's.
MAX_BYTES = 4_000_000_000


@dataclass(frozen=True, slots=True)
class CocoObject:
    """One annotated object.

    Attributes:
        class_index: k from 0.
        crowd: a region of many objects, which counts as void.
        area: in pixels, as annotated; the order of drawing.
        polygons: outlines [[x0, y0, x1, y1, ...], ...] as JSON text, for objects outlined by polygons.
        rle: the region as a run-length code (a ``counts``/``size`` dictionary), for the others.
    """

    class_index: int
    crowd: bool
    area: float
    polygons: bytes = b""
    rle: dict[str, Any] | None = None


@dataclass(slots=True)
class CocoPicture:
    """One picture: its file name, its size as annotated, its objects, and what is wrong with its annotation."""

    file_name: str
    height: int
    width: int
    objects: list[CocoObject] = field(default_factory=list)
    problem: str = ""


@dataclass(frozen=True)
class CocoIndex:
    """All pictures of an annotation file in its order, and the class names by ascending category id."""

    names: tuple[str, ...]
    pictures: list[CocoPicture]


def read_index(path: Path) -> CocoIndex:
    """Read ``instances_*.json``.

    The categories, sorted by their ids (1..90 with gaps), become classes 0..79. An annotation that makes no sense
    marks its picture (``problem``) instead of failing the whole file.

    Raises:
        UserError: unreadable, truncated, or not an annotation file of COCO's form.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path}: this file is too large for an annotation file of COCO.")
        rest, polygons = _without_polygons(path.read_bytes())
        content = json.loads(rest)
    except OSError as error:
        raise UserError(f"{path}: this file cannot be read ({error.strerror or error}).") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: this is not a whole JSON file ({error}); download it again.") from error
    try:
        categories = sorted((int(entry["id"]), str(entry["name"])) for entry in content["categories"])
        pictures = {
            int(entry["id"]): CocoPicture(str(entry["file_name"]), int(entry["height"]), int(entry["width"]))
            for entry in content["images"]
        }
        annotations = content["annotations"]
        if not isinstance(annotations, list):
            raise TypeError("'annotations' is no list")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(
            f"{path}: this is not an instances file of COCO; it lacks images, annotations or categories ({error})."
        ) from error
    class_index = {identifier: index for index, (identifier, _) in enumerate(categories)}
    try:
        for entry in annotations:
            _attach(entry, pictures, class_index, polygons, path)
    except TypeError as error:  # a list where an id should be cannot even be looked up
        raise UserError(f"{path}: an annotation is not of COCO's form ({error}).") from error
    return CocoIndex(tuple(name for _, name in categories), list(pictures.values()))


def _without_polygons(data: bytes) -> tuple[bytes, list[bytes]]:
    """The file with each list of polygons replaced by its number, and the lists.

    Nine tenths of the file are coordinates. Turning them all into numbers would take most of a minute and gigabytes,
    and a run may never draw most of the masks. What is cut out holds digits, brackets and commas only, so it can
    be neither a part of a string nor of anything else.
    """
    polygons: list[bytes] = []

    def cut(match: re.Match[bytes]) -> bytes:
        polygons.append(match[1])
        return b'"segmentation":%d' % (len(polygons) - 1)

    return _POLYGONS.sub(cut, data), polygons


def _attach(
    entry: Any, pictures: dict[int, CocoPicture], class_index: dict[int, int], polygons: list[bytes], path: Path
) -> None:
    if not isinstance(entry, dict) or entry.get("image_id") not in pictures:
        raise UserError(f"{path}: an annotation belongs to no picture of the file; download the file again.")
    picture = pictures[entry["image_id"]]
    name = f"annotation {entry.get('id', '?')}"
    category = entry.get("category_id")
    if category not in class_index:
        picture.problem = f"class id out of range: {name} has the category {category}, which the file does not define."
        return
    outline = entry.get("segmentation")
    crowd = bool(entry.get("iscrowd", 0))
    try:
        area = float(entry.get("area", 0.0))
    except (TypeError, ValueError):
        picture.problem = f"{name} has an area that is not a number."
        return
    if isinstance(outline, int) and 0 <= outline < len(polygons):
        picture.objects.append(CocoObject(class_index[category], crowd, area, polygons=polygons[outline]))
    elif isinstance(outline, dict) and _is_rle(outline, picture):
        picture.objects.append(CocoObject(class_index[category], crowd, area, rle=outline))
    else:
        picture.problem = f"{name} has neither polygons nor a run-length code that fits its picture."


def _is_rle(outline: dict[str, Any], picture: CocoPicture) -> bool:
    """Whether the code covers exactly the picture; a decoder would write past the end of one that covers more."""
    counts, size = outline.get("counts"), outline.get("size")
    if size != [picture.height, picture.width]:
        return False
    if isinstance(counts, list):
        runs = all(isinstance(run, int) and run >= 0 for run in counts)
        return runs and sum(counts) == picture.height * picture.width
    return isinstance(counts, str)
