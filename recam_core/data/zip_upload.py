"""A data set in a zip from elsewhere: checked first, and unpacked whole or not at all."""

import os
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from zipfile import ZipFile, ZipInfo

from recam_core.atomic_write import replacing_folder
from recam_core.data.found_sets import find_sets
from recam_core.data.image_io import DATASET_LIMITS, SUFFIXES
from recam_core.errors import UserError
from recam_core.guest import told
from recam_core.guest_room import room_for
from recam_core.progress import ProgressFn, silent
from recam_core.typed_path import RULE, is_plain_name, plain_name
from recam_core.zip_entries import opened_zip, plain_parts, refuse_full_disk, shown, unpack_entry

#: What is taken besides photographs and masks, and how many bytes such a file may have.
TEXTS = (".txt", ".json", ".xml", ".csv")
MOST_TEXT = 1 << 30
#: Bytes that a zip may have, that may come out of it, and how many files.
LARGEST_ZIP, MOST_BYTES, MOST_FILES = 8 << 30, 32 << 30, 200_000
#: Masks and annotations shrink much, photographs hardly: what unpacks to more than this multiple is made to fill a
#: disk. Below the bound in bytes nothing is worth such a trick.
_MOST_GROWTH, _SMALL = 60, 256 << 20
_DEEPEST, _LONGEST_NAME = 10, 200
#: What packers add of their own.
_OF_PACKERS = ("__MACOSX",)


def unpack_set(
    file: str | Path | BinaryIO, root: str | Path, name: str = "", progress: ProgressFn = silent
) -> tuple[Path, int]:
    """Unpack a zip of a data set to a folder of its own below ``root``.

    Only photographs, masks and texts (txt, json, xml, csv) are taken; a folder around everything is taken off.

    Args:
        file: the zip, by path or as a seekable stream.
        root: the folder of served data sets, made if need be.
        name: of the new folder; by default that of the folder in the zip, or of the zip.
        progress: called after each file; may raise Cancelled, which leaves nothing behind.

    Returns:
        The folder, and how many files of the zip were not taken.

    Raises:
        UserError: it is no zip, is damaged or hostile, holds no data set, its name is taken, the disk is full, or it is
            more than a guest may keep.
            Nothing is left behind then.
    """
    root = Path(root)
    with opened_zip(file, LARGEST_ZIP, "pack it again") as (archive, size):
        taken, left_out = _choose(archive.infolist(), size)
        around = _folder_around(taken)
        own = plain_name(around or Path(str(getattr(file, "name", file))).stem, "upload")
        name = name.strip() or own
        if not is_plain_name(name):
            raise UserError(f"'{name}' cannot be the name of a data set: {RULE}.")
        if os.path.lexists(root / name):
            raise UserError(told(f"There is a folder '{name}' in {root} already; choose another name."))
        needed = sum(entry.file_size for entry in taken.values())
        refuse_full_disk(root, needed, "The data need")
        with room_for(needed, len(taken)), replacing_folder(root / name, fresh=True) as temporary:
            _unpack(archive, taken, around, temporary, progress)
            if not find_sets(temporary, is_one_set=True).sets:
                raise UserError(
                    "The zip holds no data set: neither VOC's JPEGImages/, nor COCO's annotations/, nor images/, nor "
                    "folders of pictures (see docs/data.md)."
                )
    return root / name, left_out


def _choose(entries: list[ZipInfo], size: int) -> tuple[dict[tuple[str, ...], ZipInfo], int]:
    """The entries to unpack by their places, and the number of files that are left out."""
    if len(entries) > MOST_FILES:
        raise UserError(f"The zip holds {len(entries):,} entries; {MOST_FILES:,} is most.")
    taken: dict[tuple[str, ...], ZipInfo] = {}
    left_out = 0
    for entry in entries:
        parts = plain_parts(entry, "a data set")
        if entry.is_dir():
            continue
        if len(parts) > _DEEPEST or any(len(part.encode()) > _LONGEST_NAME for part in parts):
            raise UserError(f"{shown(entry)} in the zip lies too deep or has too long a name; it is refused.")
        suffix = PurePosixPath(parts[-1]).suffix.lower()
        if suffix not in (*SUFFIXES, *TEXTS) or parts[0] in _OF_PACKERS or any(part[0] == "." for part in parts):
            left_out += 1
            continue
        most = MOST_TEXT if suffix in TEXTS else DATASET_LIMITS.max_bytes
        if entry.file_size > most:
            raise UserError(
                f"{shown(entry)} in the zip would take {entry.file_size >> 20} MB; {most >> 20} MB is most."
            )
        if parts in taken:
            raise UserError(f"The zip holds {shown(entry)} twice; it is refused.")
        taken[parts] = entry
    inner = {parts[:depth] for parts in taken for depth in range(1, len(parts))}
    if both := next((parts for parts in taken if parts in inner), None):
        raise UserError(f"{shown(taken[both])} in the zip is a file and a folder; it is refused.")
    total = sum(entry.file_size for entry in taken.values())
    if total > min(MOST_BYTES, max(_SMALL, _MOST_GROWTH * size)):
        raise UserError(f"The zip would unpack to {total >> 20} MB, far more than data of its size; it is refused.")
    return taken, left_out


def _folder_around(taken: dict[tuple[str, ...], ZipInfo]) -> str:
    """The one folder that everything lies in; "" where there is none, or where it is a part of a layout."""
    first = {parts[0] for parts in taken}
    if len(first) != 1 or any(len(parts) < 2 for parts in taken):
        return ""
    name = next(iter(first))
    return "" if name in ("images", "JPEGImages", "annotations", "masks") else name


def _unpack(
    archive: ZipFile, taken: dict[tuple[str, ...], ZipInfo], around: str, folder: Path, progress: ProgressFn
) -> None:
    for done, (parts, entry) in enumerate(taken.items(), start=1):
        target = folder.joinpath(*parts[1:] if around else parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        unpack_entry(archive, entry, target)
        progress(done, len(taken), "unpacking")
