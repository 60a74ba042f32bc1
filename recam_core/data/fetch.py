"""One file from a web server: with progress, given up and taken up again, and compared with its checksum."""

import hashlib
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO

from recam_core.atomic_write import write_json
from recam_core.errors import UserError
from recam_core.progress import ProgressFn, silent
from recam_core.records import RecordError, opened_record
from recam_core.words import megabytes

#: Seconds without a byte after which the connection counts as lost.
TIMEOUT_S = 30.0
#: How often a connection that broke off is made anew without asking, as long as each brings something.
ATTEMPTS = 5
#: Bytes that are read before progress is told and a cancel is heard.
BLOCK = 1 << 18
#: A server that does not say how much it sends, of a file whose size is not known, is not listened to for ever.
_MOST_BYTES = 4 << 30
_CHECKING = "checking"


@dataclass(frozen=True)
class Archive:
    """A file to fetch.

    Attributes:
        url: its address.
        filename: its name on disk.
        md5: what it must hash to; "" where nobody publishes a checksum.
        size: its bytes; 0 where that is known only to the server.
    """

    url: str
    filename: str
    md5: str = ""
    size: int = 0


@dataclass(frozen=True)
class _Begun:
    """What is remembered of the server's file beside a half-fetched one, to be sure that it is still the same.

    Attributes:
        url: where the bytes came from.
        total: bytes of the whole file; 0 where the server did not say.
        validator: the file's ETag or time of change; "" where the server named neither.
    """

    url: str
    total: int
    validator: str


class _BrokenOff(Exception):
    """The connection ended before the file did; the text says why."""


class _Anew(Exception):
    """What is there does not fit what the server has, so it was deleted."""


def part_of(archive: Archive, folder: Path) -> Path:
    """The file that holds what was fetched so far. It keeps its name when it is whole."""
    return folder / f"{archive.filename}.part"


def fetched_bytes(archive: Archive, folder: Path) -> int:
    """How much of the file was fetched already; 0 for none."""
    try:
        return part_of(archive, folder).stat().st_size
    except OSError:
        return 0


def discard(archive: Archive, folder: Path) -> None:
    """Delete what was fetched."""
    _forget(part_of(archive, folder))


def fetch(archive: Archive, folder: Path, progress: ProgressFn = silent) -> Path:
    """Fetch a file, beginning where an earlier try ended if the server can do that and its file is the same still.

    Args:
        archive: which file.
        folder: where it goes, under :func:`part_of`.
        progress: called with bytes, after each block and while the checksum is computed. May raise Cancelled, which
            keeps what was fetched.

    Returns:
        The file: whole, and compared with its checksum.

    Raises:
        UserError: offline, timed out, refused, broken off, or not the right file. What was fetched of the right file
            is kept, what turned out to be another one is deleted.
        OSError: the file cannot be written.
    """
    part = part_of(archive, folder)
    for attempt in range(ATTEMPTS):
        before = fetched_bytes(archive, folder)
        try:
            with _as_sentences(archive, folder):
                _go_on(archive, part, progress)
            break
        except _Anew:
            continue
        except _BrokenOff as error:
            have = fetched_bytes(archive, folder)
            if attempt == ATTEMPTS - 1 or have <= before:
                raise UserError(
                    f"Could not download all of {archive.url} ({error}). {megabytes(have)} are kept. Check the "
                    "connection and try again: it goes on where it ended."
                ) from error
    else:
        raise UserError(f"{archive.url} changes while it is fetched. Try again later; " + advice(archive, folder))
    compare(archive, part, progress)
    return part


def compare(archive: Archive, file: Path, progress: ProgressFn = silent) -> None:
    """Compare a file with what is known of it.

    Raises:
        UserError: it is another one, or damaged. One that was fetched is deleted.
    """
    size = file.stat().st_size
    if archive.size and size != archive.size:
        _refuse(archive, file, f"it has {size:,} bytes and not {archive.size:,}")
    if not archive.md5:
        return  # said in the table of downloads; what is inside is checked when it is unpacked
    digest, done = hashlib.md5(usedforsecurity=False), 0
    with file.open("rb") as stream:
        while block := stream.read(1 << 22):
            digest.update(block)
            done += len(block)
            progress(done, size, _CHECKING)
    if digest.hexdigest() != archive.md5:
        _refuse(archive, file, f"its MD5 sum is not {archive.md5}")


def advice(archive: Archive, folder: Path) -> str:
    """How to do without this program's own connection."""
    check = f", check that 'md5sum {archive.filename}' gives {archive.md5}" if archive.md5 else ""
    return (
        f"or fetch the file by hand on any machine{check}, put it into {folder} as {archive.filename} and start this "
        "again."
    )


# One connection -------------------------------------------------------------------------------------------------------


def _go_on(archive: Archive, part: Path, progress: ProgressFn) -> None:
    """One connection: what is missing of the file, or all of it."""
    have, begun = _state(archive, part)
    if have and begun.total and have == begun.total:
        return
    request = urllib.request.Request(
        archive.url, headers={"User-Agent": "recam-lab (data download)", "Accept-Encoding": "identity"}
    )
    if have:
        request.add_header("Range", f"bytes={have}-")
        if begun.validator:
            # The server sends the whole file if it is not the one that was begun.
            request.add_header("If-Range", begun.validator)
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        if have and error.code == 416:  # there is nothing from there on: another file, which is begun anew
            _forget(part)
            raise _Anew from error
        raise
    with response:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise UserError(f"{archive.url} sends the file packed in another way; " + advice(archive, part.parent))
        at = _start(response, have, begun)
        if at is None:
            _forget(part)
            raise _Anew
        _receive(archive, part, response, at, progress)


def _state(archive: Archive, part: Path) -> tuple[int, _Begun]:
    """Bytes that are there, and what is known of their source; nothing is there if that is not enough to go on."""
    nothing = _Begun(archive.url, 0, "")
    have = fetched_bytes(archive, part.parent)
    if not have:
        return 0, nothing
    try:
        with opened_record(_note_of(part)) as note:
            begun = _Begun(str(note["url"]), int(note["total"]), str(note["validator"]))
    except RecordError:
        return 0, nothing
    if begun.url != archive.url or (begun.total and have > begun.total):
        return 0, nothing
    # Without a word of the server on whether its file is the same, only a checksum would tell.
    return (have, begun) if begun.validator or archive.md5 else (0, nothing)


def _start(response: HTTPResponse, have: int, begun: _Begun) -> int | None:
    """At which byte the answer begins; None for a piece that does not fit what is there."""
    if response.status != 206:
        return 0
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if match is None or int(match[1]) != have or (begun.total and match[2] != "*" and int(match[2]) != begun.total):
        return None
    return have


def _receive(archive: Archive, part: Path, response: HTTPResponse, at: int, progress: ProgressFn) -> None:
    length = response.headers.get("Content-Length", "")
    total = at + int(length) if length.isdecimal() else 0
    if archive.size and total and total != archive.size:
        _forget(part)
        raise UserError(
            f"{archive.url} is another file than expected: it has {total:,} bytes and not {archive.size:,}. "
            + advice(archive, part.parent).capitalize()
        )
    expected = total or archive.size
    most = expected or _MOST_BYTES
    headers = response.headers
    etag = headers.get("ETag", "")
    validator = etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")
    # The note first: bytes without it would be of an unknown file.
    if not at:
        part.unlink(missing_ok=True)
    write_json(_note_of(part), {"url": archive.url, "total": total, "validator": validator})
    with part.open("ab" if at else "wb") as sink:
        done = at
        progress(done, expected, f"fetching {archive.filename}")
        while block := response.read(BLOCK):
            done += len(block)
            if done > most:
                _forget(part)
                raise UserError(f"{archive.url} sends more than {most:,} bytes; it is not the right file.")
            _write(sink, block)
            progress(done, expected, f"fetching {archive.filename}")
    if done < total:
        raise _BrokenOff("the connection broke off")


def _write(sink: BinaryIO, block: bytes) -> None:
    sink.write(block)
    sink.flush()  # a kill must not leave the file shorter than what was told


def _note_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note_of(part).unlink(missing_ok=True)


# In words -------------------------------------------------------------------------------------------------------------


@contextmanager
def _as_sentences(archive: Archive, folder: Path) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except (OSError, HTTPException, ValueError) as error:
        # URLError and timeouts are OSErrors; a full disk is one as well, but has nothing to do with the network.
        if isinstance(error, OSError) and not _is_network(error):
            raise
        if fetched_bytes(archive, folder) and not isinstance(error, urllib.error.HTTPError):
            raise _BrokenOff(_reason(error)) from error
        raise UserError(
            f"Could not download {archive.url} ({_reason(error)}). Check the connection and try again; "
            + advice(archive, folder)
        ) from error


def _is_network(error: OSError) -> bool:
    return isinstance(error, (urllib.error.URLError, TimeoutError, ConnectionError, socket.gaierror))


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code}, {error.reason}"
    reason = getattr(error, "reason", None) or error
    return "it took too long to answer" if isinstance(reason, TimeoutError) else str(reason) or type(reason).__name__


def _refuse(archive: Archive, file: Path, why: str) -> None:
    if file == part_of(archive, file.parent):
        _forget(file)
        raise UserError(
            f"What came from {archive.url} is damaged or another file: {why}. Try again; "
            + advice(archive, file.parent)
        )
    raise UserError(f"{file} is damaged or incomplete: {why}. Delete it, or download it again.")
