"""Zips that came from elsewhere: what is checked of any of them before a byte is unpacked."""

import shutil
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from recam_core.errors import UserError
from recam_core.file_reader import OpenFile, opened_file, shown_name

#: Bytes that the list of a zip's entries may have: some 300,000 entries. Python reads all of it at once.
_LARGEST_LIST = 32 << 20
#: What reading a zip raises for one that is damaged.
_DAMAGED = (BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError, KeyError, struct.error)
_ENCRYPTED = 0x1
_END, _END64, _LOCATOR = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"


@contextmanager
def opened_zip(file: OpenFile, largest: int, advice: str) -> Iterator[tuple[ZipFile, int]]:
    """The zip and its size in bytes.

    Args:
        file: the zip, by path or as a seekable stream.
        largest: bytes that it may have.
        advice: what to do about a damaged one, such as "export the run again".

    Raises:
        UserError: there is no such file, it is too large, or it is no whole zip, which may show only later on.
    """
    with opened_file(file, largest, name=shown_name(file, "the zip")) as (stream, size):
        try:
            if _list_bytes(stream, size) > _LARGEST_LIST:
                raise UserError("The zip lists far too many entries; it is refused.")
            stream.seek(0)
            with ZipFile(stream) as archive:
                yield archive, size
        except _DAMAGED as error:
            raise UserError(f"The file is no whole zip ({error}); {advice}.") from error


def _list_bytes(stream: BinaryIO, size: int) -> int:
    """Length of the list of entries, as the end of the zip states it."""
    tail_from = max(0, size - (1 << 16) - 22)
    stream.seek(tail_from)
    tail = stream.read()
    at = tail.rfind(_END)
    if at < 0 or at + 22 > len(tail):
        return 0  # no zip, as opening it says
    length = struct.unpack_from("<I", tail, at + 12)[0]
    locator = at - 20
    if locator >= 0 and tail[locator : locator + 4] == _LOCATOR:
        stream.seek(min(struct.unpack_from("<Q", tail, locator + 8)[0], size))
        record = stream.read(56)
        if record[:4] == _END64 and len(record) == 56:
            length = max(length if length != 0xFFFFFFFF else 0, struct.unpack_from("<Q", record, 40)[0])
    return length


def plain_parts(entry: ZipInfo, whose: str) -> tuple[str, ...]:
    """The folders and the name of an entry.

    Args:
        entry: of the zip.
        whose: what the zip is of, for messages, such as "a run".

    Raises:
        UserError: it is no plain file or folder in a plain place.
    """
    name = entry.filename
    if entry.flag_bits & _ENCRYPTED:
        raise UserError(f"The zip is locked with a password; pack {whose} without one.")
    if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise UserError(f"{shown(entry)} is compressed in a way that is not read here; use plain zip compression.")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFDIR if entry.is_dir() else stat.S_IFREG):
        raise UserError(f"{shown(entry)} in the zip is a link or a device, which is refused.")
    parts = PurePosixPath(name).parts
    odd = "\\" in name or ":" in name or any(not letter.isprintable() for letter in name)
    # Of "." no part is left; a folder "./" is what some packers write for the root.
    if not (parts or entry.is_dir()) or not name or odd or name.startswith("/") or ".." in parts:
        raise UserError(f"{shown(entry)} in the zip does not lie where the files of {whose} lie; it is refused.")
    return parts


def shown(entry: ZipInfo) -> str:
    """A hostile name, short and printable."""
    return ascii(entry.filename[:80])


def unpack_entry(archive: ZipFile, entry: ZipInfo, target: Path) -> None:
    """Copy one entry; never more bytes than it was announced with, and its check sum is compared at its end.

    Raises:
        UserError: it holds more or less than it says.
    """
    with archive.open(entry) as source, target.open("xb") as sink:
        left = entry.file_size
        while block := source.read(min(1 << 20, left + 1)):
            left -= len(block)
            if left < 0:
                raise UserError("The zip holds more than it says; it is refused.")
            sink.write(block)
    if left:
        raise UserError("The zip holds less than it says; it is damaged.")


def refuse_full_disk(folder: Path, needed: int, what: str) -> None:
    """Raises UserError where less than ``needed`` bytes are free for a folder, there or not; ``what`` needs them."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.is_dir())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise UserError(f"{what} {needed >> 20} MB, and the disk has {free >> 20} MB; free some room first.")
