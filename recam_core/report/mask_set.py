"""Masks of a data set in the layout of VOC, which segmentation programs read; it opens here as ``voc:FOLDER@SPLIT``."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import numpy as np
from PIL import Image

from recam_core.atomic_write import replacing_file, replacing_folder
from recam_core.data.class_file import find_class_list
from recam_core.data.mask_io import read_mask
from recam_core.data.sample import VOID, ClassList, Sample
from recam_core.errors import UserError
from recam_core.file_reader import file_sha256
from recam_core.queue.reserved import MARK_FILE
from recam_core.records import RecordError, opened_record
from recam_core.report.coco_masks import write_coco
from recam_core.report.files import mask_png
from recam_core.typed_path import plain_name

#: What made the masks, in their folder.
RECORD_FILE = "masks.json"
#: The folders of a set, which hold all of it but the names of the classes and the record.
_KINDS = ("SegmentationClass", "JPEGImages", "ImageSets", "annotations")


def split_name(spec: str) -> str:
    """What the list of ids is called: the split of the data set's specification."""
    name = spec.rpartition("@")[2] if "@" in spec else "all"
    return plain_name(name, "all")


class MaskSet:
    """Masks that :func:`writing_mask_set` wrote, or any others in that layout, by the id of their picture."""

    def __init__(self, folder: Path, classes: ClassList):
        """Open a folder.

        Raises:
            UserError: it holds no masks, or masks of other classes.
        """
        self._folder = folder / "SegmentationClass"
        if not self._folder.is_dir():
            raise UserError(f"{folder} holds no masks: it has no folder SegmentationClass. `masks --out` makes one.")
        listed = find_class_list(folder)
        if listed is not None and listed.names != classes.names:
            raise UserError(f"The masks in {folder} are of other classes than the data; make them from this data.")
        self._values = len(classes) + 1

    def digest(self) -> str:
        """Stands for all masks, whatever else lies beside them."""
        return files_digest(self._folder.parent, (self._folder.name,))

    def mask(self, id: str) -> np.ndarray | None:
        """H x W uint8, or None where there is none of this picture. Raises UserError for a damaged one."""
        place = _place(id)
        file = self._folder / f"{place}.png"
        if not file.is_file():
            return None
        mask = read_mask(file)
        highest = int(mask[mask != VOID].max(initial=0))
        if highest >= self._values:
            raise UserError(f"{file} has the value {highest}, beyond the classes of the data.")
        return mask


def _place(id: str) -> PurePosixPath:
    place = PurePosixPath(id)
    if place.is_absolute() or ".." in place.parts or not place.name:
        raise UserError(f"The picture {id!r} has an id that cannot be the name of a file.")
    return place


def check_place(folder: Path, with_pictures: bool = False) -> None:
    """See that nothing but older masks would be lost where masks are to be written, before any work is done.

    Args:
        folder: where they shall be.
        with_pictures: whether pictures are written, too, so that those of older masks may go.

    Raises:
        UserError: there is something else, such as a data set, which a set of masks would replace.
    """
    if (folder / RECORD_FILE).is_file() and (folder / "SegmentationClass").is_dir():
        if not with_pictures and (folder / "JPEGImages").exists():
            raise UserError(
                f"{folder} holds older masks with their pictures, which would be lost: write both again "
                "(--with-pictures), choose another --out, or remove it."
            )
        return
    try:
        # A job of the queue takes the name of its folder before it begins, by a mark.
        is_free = not folder.exists() or (folder.is_dir() and {one.name for one in folder.iterdir()} <= {MARK_FILE})
    except OSError as error:
        raise UserError(f"Cannot write {folder}: {error.strerror or error}.") from error
    if not is_free:
        raise UserError(f"{folder} exists and holds no masks of an earlier call; choose another --out, or remove it.")


def digest_of(*parts: object) -> str:
    """Of what decides how masks come out: their text stands for the parts."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def files_digest(folder: Path, kinds: Sequence[str] = _KINDS) -> str:
    """Stands for what all files in these parts of a set of masks are called and hold. Raises UserError for one that
    cannot be read."""
    files = sorted(one.relative_to(folder) for kind in kinds for one in (folder / kind).rglob("*") if one.is_file())
    return digest_of([(file.as_posix(), file_sha256(folder / file)) for file in files])


def made_before(folder: Path, made_by: str) -> bool:
    """Whether a folder holds the very masks that are asked for, and all that belongs to them as it was written.

    Args:
        folder: where they would be written.
        made_by: the digest in ``about`` of :func:`writing_mask_set`.
    """
    try:
        with opened_record(folder / RECORD_FILE) as values:
            known = values.get("made_by"), values.get("files")
    except RecordError:
        return False
    return known == (made_by, files_digest(folder))


def what_is_written(sample: Sample, with_pictures: bool) -> Sample:
    """What :meth:`MaskSetWriter.add` needs of a picture: little is sent to it from other processes."""
    return replace(sample, mask=None, image=sample.image if with_pictures else sample.image[:0])


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
        place = _place(sample.id)
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
    folder: Path,
    classes: ClassList,
    split: str,
    about: Mapping[str, object],
    with_pictures: bool = False,
    coco: Mapping[str, str] | None = None,
) -> Iterator[MaskSetWriter]:
    """Write a set of masks in the layout of VOC, whole or not at all.

    ``SegmentationClass/ID.png`` (indexed), ``ImageSets/Segmentation/SPLIT.txt``, ``classes.txt``, ``masks.json`` with
    what made them and, where asked for, ``JPEGImages/ID.png``, with which the folder opens as ``voc:FOLDER@SPLIT``, and
    ``annotations/instances_SPLIT.json``, with which it opens as ``coco:FOLDER@SPLIT``, too.

    Args:
        folder: where the set shall be.
        classes: of the masks.
        split: name of the list of ids.
        about: how the masks were made, as JSON values.
        with_pictures: whether the pictures are written, too (without loss).
        coco: the file name of each picture by its id, as :func:`recam_core.report.coco_masks.picture_names` finds
            them, for annotations in COCO's form; None writes none. Pictures that are written are called as they are.

    Raises:
        UserError: the folder holds something else or pictures that would be lost, it cannot be written to, or the
            disk is full.
    """
    check_place(folder, with_pictures)
    with replacing_folder(folder) as temporary:
        writer = MaskSetWriter(temporary, classes, with_pictures)
        (temporary / "SegmentationClass").mkdir()
        yield writer
        lists = temporary / "ImageSets" / "Segmentation"
        lists.mkdir(parents=True)
        (lists / f"{split}.txt").write_text("".join(f"{one}\n" for one in writer.ids), encoding="utf-8")
        names = ["background", *classes.names] if classes.has_background else list(classes.names)
        (temporary / "classes.txt").write_text("".join(f"{one}\n" for one in names), encoding="utf-8")
        if coco is not None:
            masks = MaskSet(temporary, classes)
            file_names = {id: f"{_place(id)}.png" for id in writer.ids} if with_pictures else coco
            found = ((file_names[id], mask) for id in writer.ids if (mask := masks.mask(id)) is not None)
            write_coco(temporary / "annotations" / f"instances_{split}.json", classes, found)
        record = json.dumps({**about, "files": files_digest(temporary)}, indent=2, ensure_ascii=False)
        (temporary / RECORD_FILE).write_text(record, encoding="utf-8")


def zip_mask_set(folder: Path, file: Path) -> None:
    """Pack a set of masks into a ZIP file, whole or not at all; nothing is compressed twice, as all but lists is PNG.

    Raises:
        UserError: the file cannot be written, or the disk is full.
    """
    with replacing_file(file) as temporary, ZipFile(temporary, "w") as archive:
        for one in sorted(folder.rglob("*")):
            if one.is_file():
                archive.write(one, one.relative_to(folder), ZIP_STORED if one.suffix == ".png" else ZIP_DEFLATED)
