"""MSRC v2 as Microsoft packs it, turned into VOC layout with the ids and classes of the shipped checkpoints."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import numpy as np
from PIL import Image

from recam_core.data.image_io import DATASET_LIMITS, PhotoError, read_photo
from recam_core.data.mask_io import voc_palette, write_mask
from recam_core.data.msrc_split import TRAIN, VAL
from recam_core.data.sample import VOID
from recam_core.errors import UserError
from recam_core.progress import ProgressFn, silent
from recam_core.zip_entries import opened_zip, plain_parts, shown

#: Class -> number of its colour. Microsoft paints its masks in the colours that VOC gives to the numbers 1 to 25, of
#: which 19 and 20 are left out; black is void, and so is horse (5), which hardly any picture shows and no checkpoint
#: here knows.
COLOUR_OF = {
    "building": 1,
    "grass": 2,
    "tree": 3,
    "cow": 4,
    "sheep": 6,
    "sky": 7,
    "mountain": 8,
    "aeroplane": 9,
    "water": 10,
    "face": 11,
    "car": 12,
    "bicycle": 13,
    "flower": 14,
    "sign": 15,
    "bird": 16,
    "book": 17,
    "chair": 18,
    "road": 21,
    "cat": 22,
    "dog": 23,
    "body": 24,
    "boat": 25,
}
CLASSES = tuple(COLOUR_OF)
_VOID_COLOURS = (0, 5)
#: Which pictures train and which validate the shipped checkpoints; what else the archive holds becomes ``test``.
SPLITS: Mapping[str, Sequence[str]] = {"train": TRAIN, "val": VAL}
#: More pixels of a mask than this share in other colours than those above make it a mask of something else.
_STRAY_SHARE = 0.01
#: More bytes than any picture of the archive has: they are 320 x 213 pixels.
_MOST_BYTES, _MOST_ENTRIES, _LARGEST_ZIP = 8 << 20, 5000, 1 << 30
_PHOTO, _MASK = re.compile(r"(\d{1,2}_\d{1,2})_s\.bmp", re.I), re.compile(r"(\d{1,2}_\d{1,2})(?:_s)?_GT\.bmp", re.I)
_JPEG_QUALITY = 95


def convert(
    archive: Path, target: Path, progress: ProgressFn = silent, splits: Mapping[str, Sequence[str]] = SPLITS
) -> None:
    """Write the photographs and masks of the archive to the new folder ``target`` in VOC layout.

    Photographs become JPEG files of quality 95, masks indexed PNG with 1 to 22 for the classes and 255 for void.

    Args:
        archive: the zip: ``Images/ID_s.bmp`` and ``GroundTruth/ID_GT.bmp`` or ``ID_s_GT.bmp``, in any folder.
        target: made here.
        progress: called with bytes after each picture; may raise Cancelled.
        splits: the ids of each; what is in none of them becomes ``test``.

    Raises:
        UserError: it is another archive, damaged or hostile: a photograph without a mask, another size, colours that
            are none of MSRC's, or a picture of a split that is missing.
    """
    with opened_zip(archive, _LARGEST_ZIP, "download it again") as (opened, _):
        photos, masks = _pairs(opened.infolist())
        listed = [identifier for ids in splits.values() for identifier in ids]
        for identifier in listed:
            if identifier not in photos or identifier not in masks:
                raise UserError(f"{archive.name} is not MSRC v2: it has no photograph {identifier}_s.bmp with a mask.")
        rest = [one for one in sorted(photos.keys() & masks.keys(), key=_order) if one not in set(listed)]
        for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
            (target / folder).mkdir(parents=True)
        sizes = {one: photos[one].file_size + masks[one].file_size for one in (*listed, *rest)}
        test, done, total = [], 0, sum(sizes.values())
        for place, identifier in enumerate((*listed, *rest)):
            is_listed = place < len(listed)
            image = _pixels(opened, photos[identifier])
            mask = _classes(_pixels(opened, masks[identifier]), masks[identifier])
            if mask.shape != image.shape[:2]:
                raise UserError(f"{shown(masks[identifier])} in {archive.name} has another size than its photograph.")
            if is_listed or (mask != VOID).any():
                file = target / "JPEGImages" / f"{identifier}.jpg"
                Image.fromarray(image).save(file, quality=_JPEG_QUALITY, subsampling=0)
                write_mask(target / "SegmentationClass" / f"{identifier}.png", mask)
                test += [] if is_listed else [identifier]
            done += sizes[identifier]
            progress(done, total, "converting pictures")
    for split, ids in (*splits.items(), *([("test", test)] if test else [])):
        _write_lines(target / "ImageSets" / "Segmentation" / f"{split}.txt", ids)
    _write_lines(target / "classes.txt", CLASSES)


def _pairs(entries: Sequence[ZipInfo]) -> tuple[dict[str, ZipInfo], dict[str, ZipInfo]]:
    """Photographs and masks by id; everything else in the archive is passed over."""
    if len(entries) > _MOST_ENTRIES:
        raise UserError(f"The zip holds {len(entries):,} entries, far more than MSRC v2 has; it is refused.")
    found: tuple[dict[str, ZipInfo], dict[str, ZipInfo]] = ({}, {})
    for entry in entries:
        parts = plain_parts(entry, "a data set")
        if entry.is_dir() or "__MACOSX" in parts or len(parts) < 2:
            continue
        for named, folder, pattern in zip(found, ("images", "groundtruth"), (_PHOTO, _MASK), strict=True):
            match = pattern.fullmatch(parts[-1])
            if match is None or parts[-2].lower() != folder:
                continue
            if match[1] in named:
                raise UserError(f"The zip holds two files for the picture {match[1]}; it is refused.")
            if entry.file_size > _MOST_BYTES:
                raise UserError(f"{shown(entry)} in the zip is larger than any picture of MSRC v2; it is refused.")
            named[match[1]] = entry
    return found


def _pixels(opened: ZipFile, entry: ZipInfo) -> np.ndarray:
    """H x W x 3 uint8."""
    with opened.open(entry) as stream:
        data = stream.read(entry.file_size + 1)
    if len(data) != entry.file_size:
        raise UserError(f"{shown(entry)} in the zip has another length than it says; it is damaged.")
    try:
        return read_photo(data, limits=DATASET_LIMITS, name=shown(entry)).image
    except PhotoError as error:
        raise UserError(f"{error} The archive is damaged, or is not that of MSRC v2.") from error


def _classes(colours: np.ndarray, entry: ZipInfo) -> np.ndarray:
    """H x W uint8: numbers of classes for the colours of a mask (H x W x 3)."""
    codes = _code(colours.astype(np.int64))
    table = _code(voc_palette().astype(np.int64))
    mask = np.full(codes.shape, VOID, dtype=np.uint8)
    known = np.isin(codes, table[list(_VOID_COLOURS)])
    for number, colour in enumerate(COLOUR_OF.values(), start=1):
        here = codes == table[colour]
        mask[here] = number
        known |= here
    if (~known).sum() > _STRAY_SHARE * known.size:
        red, green, blue = colours[~known][0].tolist()
        raise UserError(
            f"{shown(entry)} holds the colour ({red}, {green}, {blue}), which is of no class of MSRC v2; the archive "
            "is another one."
        )
    return mask


def _code(colours: np.ndarray) -> np.ndarray:
    """Colours (... x 3) as one number each."""
    return (colours[..., 0] << 16) | (colours[..., 1] << 8) | colours[..., 2]


def _order(identifier: str) -> tuple[int, ...]:
    return tuple(int(number) for number in identifier.split("_"))


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
