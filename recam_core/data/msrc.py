"""MSRC v2 as Microsoft packs it, turned into VOC layout with the ids and classes of the shipped checkpoints."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import numpy as np
from PIL import Image

from recam_core.data.image_io import DATASET_LIMITS, PhotoError, read_photo
from recam_core.data.mask_io import voc_palette, write_mask
from recam_core.data.sample import VOID
from recam_core.errors import UserError
from recam_core.progress import ProgressFn, silent
from recam_core.zip_entries import opened_zip, plain_parts, shown

#: The ids by which the shipped checkpoints were trained and scored: a fixed cut, kept as a list.
_TRAIN = """
10_10 10_11 10_12 10_14 10_15 10_18 10_19 10_2 10_20 10_21 10_22 10_23 10_25 10_26 10_28 10_29 10_3 10_30 10_6 11_1
11_11 11_12 11_13 11_14 11_15 11_16 11_19 11_20 11_21 11_27 11_28 11_3 11_4 11_6 11_7 11_8 11_9 12_10 12_11 12_12
12_13 12_14 12_16 12_17 12_20 12_23 12_24 12_28 12_30 12_31 12_32 12_33 12_34 12_4 12_6 12_7 12_9 13_11 13_12 13_13
13_14 13_15 13_20 13_22 13_23 13_24 13_25 13_26 13_27 13_29 13_30 13_6 13_7 13_8 13_9 14_10 14_11 14_14 14_15 14_17
14_18 14_19 14_2 14_20 14_21 14_23 14_24 14_26 14_29 14_3 14_30 14_6 14_9 15_1 15_11 15_12 15_13 15_14 15_15 15_17
15_2 15_20 15_23 15_24 15_3 15_7 15_9 16_10 16_11 16_12 16_13 16_14 16_15 16_16 16_22 16_23 16_25 16_26 16_27 16_4
16_5 16_6 16_7 16_8 16_9 17_1 17_11 17_12 17_14 17_17 17_18 17_19 17_2 17_21 17_22 17_24 17_26 17_27 17_28 17_30 17_4
17_5 17_7 18_1 18_10 18_12 18_15 18_16 18_19 18_20 18_23 18_24 18_25 18_26 18_27 18_28 18_29 18_3 18_5 18_7 18_9 19_1
19_10 19_14 19_16 19_17 19_18 19_2 19_20 19_21 19_22 19_25 19_26 19_27 19_28 19_4 19_7 19_8 19_9 1_1 1_10 1_11 1_13
1_14 1_16 1_17 1_18 1_19 1_2 1_20 1_22 1_23 1_25 1_28 1_30 1_6 1_8 20_1 20_12 20_13 20_14 20_17 20_18 20_2 20_20 20_3
20_5 20_6 20_8 20_9 2_10 2_11 2_12 2_15 2_16 2_17 2_18 2_20 2_22 2_23 2_25 2_26 2_27 2_29 2_3 2_30 2_4 2_9 3_10 3_12
3_13 3_15 3_19 3_2 3_22 3_23 3_26 3_27 3_28 3_29 3_30 3_4 3_6 3_7 3_8 3_9 4_1 4_13 4_14 4_15 4_18 4_19 4_2 4_21 4_22
4_24 4_25 4_26 4_28 4_30 4_5 4_6 4_8 4_9 5_10 5_12 5_13 5_14 5_16 5_19 5_20 5_22 5_23 5_26 5_27 5_29 5_3 5_30 5_5 5_6
5_8 5_9 6_1 6_10 6_11 6_12 6_14 6_18 6_19 6_2 6_20 6_21 6_23 6_24 6_25 6_28 6_30 6_5 6_6 6_9 7_1 7_11 7_12 7_13 7_14
7_15 7_17 7_19 7_2 7_20 7_23 7_24 7_27 7_3 7_30 7_4 7_6 7_7 8_1 8_12 8_14 8_15 8_16 8_19 8_2 8_20 8_21 8_22 8_25 8_28
8_4 8_5 8_6 8_7 8_8 8_9 9_1 9_11 9_13 9_14 9_15 9_17 9_19 9_2 9_20 9_23 9_25 9_27 9_28 9_29 9_3 9_5 9_6 9_9
"""
_VAL = """
10_1 10_16 10_17 10_31 10_7 10_8 10_9 11_10 11_22 11_23 11_25 11_26 11_29 12_15 12_19 12_21 12_22 12_26 12_29 12_8
13_10 13_19 13_28 13_3 13_4 13_5 14_12 14_22 14_27 14_28 14_4 14_5 15_10 15_18 15_19 15_5 15_8 16_1 16_2 16_21 16_28
16_29 16_30 17_10 17_13 17_15 17_20 17_23 17_8 18_11 18_13 18_17 18_21 18_30 18_6 19_11 19_13 19_15 19_30 19_5 19_6
1_12 1_21 1_26 1_3 1_7 1_9 20_16 20_19 20_21 20_4 2_13 2_14 2_21 2_6 2_7 2_8 3_1 3_16 3_18 3_20 3_25 3_3 4_17 4_20
4_23 4_27 4_4 4_7 5_1 5_15 5_2 5_21 5_28 5_4 6_13 6_15 6_22 6_26 6_3 6_4 7_16 7_26 7_28 7_5 7_8 7_9 8_13 8_18 8_24
8_26 8_29 8_30 9_16 9_22 9_24 9_30 9_4 9_8
"""
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
SPLITS: Mapping[str, Sequence[str]] = {"train": tuple(_TRAIN.split()), "val": tuple(_VAL.split())}
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
