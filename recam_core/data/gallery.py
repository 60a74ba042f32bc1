"""Photographs that come inside packages the project depends on, with outlines drawn for it: ``gallery``."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from recam_core.data.photo_dataset import PhotoDataset
from recam_core.data.sample import VOID, ClassList, Fault
from recam_core.errors import UserError
from recam_core.home import ASSETS
from recam_core.records import opened_record

#: The classes of the MSRC photographs, which the shipped photo checkpoints know.
CLASSES = (
    "building",
    "grass",
    "tree",
    "cow",
    "sheep",
    "sky",
    "mountain",
    "aeroplane",
    "water",
    "face",
    "car",
    "bicycle",
    "flower",
    "sign",
    "bird",
    "book",
    "chair",
    "road",
    "cat",
    "dog",
    "body",
    "boat",
)
POLYGON_FILE = ASSETS / "gallery" / "polygons.json"
#: The name under which polygons take pixels out of the score.
VOID_NAME = "void"


def open_gallery(root: str = "", split: str | None = None) -> "GalleryDataset":
    """The gallery; it has no root and the one split ``all``.

    Raises:
        UserError: a root or another split was asked for, or the outlines are not there.
    """
    if root:
        raise UserError(f"'gallery:{root}': the gallery has no folder to name; write 'gallery'.")
    if split not in (None, "all"):
        raise UserError(f"The gallery has no split '{split}'. There is: all.")
    return GalleryDataset(split)


class GalleryDataset(PhotoDataset):
    """A handful of photographs with hand-drawn ground truth in terms of the MSRC classes.

    There is no background class: pixels that no outline covers are void. As in MSRC, ``face`` is the whole head
    with its hair and hat, and ``body`` the rest of a person.

    Attributes:
        titles: a caption for each picture.
    """

    def __init__(self, split: str | None = None, polygon_file: Path = POLYGON_FILE):
        self._photos = _read(polygon_file)
        super().__init__(
            "gallery" if split is None else f"gallery@{split}",
            ClassList(CLASSES, has_background=False),
            [photo["id"] for photo in self._photos],
        )
        self.titles = [photo["title"] for photo in self._photos]
        self.has_masks = True
        self._polygon_file = polygon_file
        self._paths: list[Path] = []
        for index, photo in enumerate(self._photos):
            folder = _package_folder(photo["package"])
            self._paths.append(Path(photo["package"]) if folder is None else folder / photo["file"])
            if folder is None or not self._paths[-1].is_file():
                self.known_faults[index] = Fault(
                    photo["id"],
                    f"this picture is missing: the package {photo['package']} does not hold it here.",
                    "missing file",
                )

    def photo_path(self, index: int) -> str:
        return str(self._paths[index])

    def mask_source(self, index: int) -> str:
        return f"{self._polygon_file} ({self.ids[index]})"

    def read_mask(self, index: int) -> np.ndarray:
        photo = self._photos[index]
        width, height = photo["size"]
        return paint(photo["polygons"], height, width)

    def stored_labels(self, index: int) -> np.ndarray:
        named = {polygon["class"] for polygon in self._photos[index]["polygons"]}
        return np.array([name in named for name in self.classes.names])


def paint(polygons: list[dict[str, Any]], height: int, width: int) -> np.ndarray:
    """H x W uint8: the polygons in their order, later ones on top; void elsewhere."""
    mask = Image.new("L", (width, height), VOID)
    draw = ImageDraw.Draw(mask)
    for polygon in polygons:
        name = polygon["class"]
        value = VOID if name == VOID_NAME else CLASSES.index(name) + 1
        draw.polygon([(x, y) for x, y in polygon["points"]], fill=value)
    return np.array(mask)


def _read(path: Path) -> list[dict[str, Any]]:
    with opened_record(path) as values:
        return values["photos"]


def _package_folder(name: str) -> Path | None:
    """Where a package is installed; it is not imported, which would take a second for some."""
    spec = importlib.util.find_spec(name)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent
