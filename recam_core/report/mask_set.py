"""Masks of a data set in the layout of VOC, which segmentation programs read; it opens here as ``voc:FOLDER@SPLIT``."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from recam_core.atomic_write import replacing_folder
from recam_core.data.sample import ClassList, Sample
from recam_core.errors import UserError
from recam_core.report.files import mask_png


class MaskSetWriter:
    """Takes masks one picture at a time; made by :func:`writing_mask_set`."""

    def __init__(self, folder: Path, classes: ClassList, with_pictures: bool):
        self._folder, self._classes, self._with_pictures = folder, classes, with_pictures
        self.ids: list[str] = []

    def add(self, sample: Sample, mask: np.ndarray) -> None:
        """Write the mask of a picture (H x W uint8: 0 background, k + 1 class k), and the picture where asked for.

        Raises:
            UserError: its id cannot be the name of a file.
        """
        place = PurePosixPath(sample.id)
        if place.is_absolute() or ".." in place.parts or not place.name:
            raise UserError(f"The picture {sample.id!r} has an id that cannot be the name of a file.")
        target = self._folder / "SegmentationClass" / f"{place}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(mask_png(mask, len(self._classes)))
        if self._with_pictures:
            picture = self._folder / "JPEGImages" / f"{place}.png"
            picture.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(sample.image).save(picture)
        self.ids.append(sample.id)


@contextmanager
def writing_mask_set(
    folder: Path, classes: ClassList, split: str, about: Mapping[str, object], with_pictures: bool = False
) -> Iterator[MaskSetWriter]:
    """Write a set of masks in the layout of VOC, whole or not at all.

    ``SegmentationClass/ID.png`` (indexed), ``ImageSets/Segmentation/SPLIT.txt``, ``classes.txt``, ``masks.json`` with
    what made them and, where asked for, ``JPEGImages/ID.png``, with which the folder opens as ``voc:FOLDER@SPLIT``.

    Args:
        folder: where the set shall be.
        classes: of the masks.
        split: name of the list of ids.
        about: how the masks were made, as JSON values.
        with_pictures: whether the pictures are written, too (without loss).

    Raises:
        UserError: the folder cannot be written to, or the disk is full.
    """
    with replacing_folder(folder) as temporary:
        writer = MaskSetWriter(temporary, classes, with_pictures)
        (temporary / "SegmentationClass").mkdir()
        yield writer
        lists = temporary / "ImageSets" / "Segmentation"
        lists.mkdir(parents=True)
        (lists / f"{split}.txt").write_text("".join(f"{one}\n" for one in writer.ids), encoding="utf-8")
        names = ["background", *classes.names] if classes.has_background else list(classes.names)
        (temporary / "classes.txt").write_text("".join(f"{one}\n" for one in names), encoding="utf-8")
        (temporary / "masks.json").write_text(json.dumps(dict(about), indent=2, ensure_ascii=False), encoding="utf-8")
