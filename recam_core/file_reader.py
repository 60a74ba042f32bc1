"""The one reader of files that people name or hand in: never more bytes than a bound, one wording for what is wrong.

What is missing, no file, too large or closed to us is told here; what the content should be is for its reader to say.
"""

import codecs
import hashlib
import os
import tokenize
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from recam_core.errors import UserError

#: A file by its path, or as a seekable stream such as an upload.
OpenFile = str | Path | BinaryIO
#: Bytes that a list or a table may have: a split of ten million ids would still fit.
LARGEST_LIST = 256_000_000
#: What numpy raises for a file of arrays that is missing, damaged or something else.
DAMAGED_ARRAYS = (
    *(OSError, ValueError, KeyError, EOFError, MemoryError, RuntimeError, SyntaxError),
    *(zipfile.BadZipFile, zlib.error, tokenize.TokenError),
)


class FileError(UserError):
    """A file that cannot be used.

    Attributes:
        reason: the sentence without the file's name.
        is_missing: whether there is no such file.
    """

    def __init__(self, name: str, reason: str, is_missing: bool = False):
        super().__init__(f"{name}: {reason}")
        self.reason = reason
        self.is_missing = is_missing


def shown_name(file: OpenFile | bytes, usual: str = "the file") -> str:
    """How messages call a file: its path, the name of an upload, or else ``usual``."""
    return str(file) if isinstance(file, (str, Path)) else str(getattr(file, "name", usual))


@contextmanager
def opened_file(
    source: OpenFile | bytes,
    largest: int | None = None,
    *,
    name: str | None = None,
    error: Callable[..., UserError] = FileError,
    advice: str = ".",
) -> Iterator[tuple[BinaryIO, int]]:
    """A file from its beginning, and its bytes in number; a stream of the caller's stays open.

    Args:
        source: a path, a stream, or the bytes themselves.
        largest: bytes that it may have; any number by default.
        name: how messages call it, if not by :func:`shown_name`.
        error: makes the error of a name, a sentence, and whether there is no such file (``is_missing``).
        advice: behind the sentence on one that is too large.

    Raises:
        FileError: or what ``error`` makes: it is missing, no file, too large, or cannot be opened.
    """
    name = shown_name(source) if name is None else name
    if isinstance(source, (str, Path)):
        path = Path(source)
        try:
            # A named pipe or a device in place of a file would block for ever.
            if not path.is_file():
                raise (
                    error(name, "this is a folder, a pipe or a device, not a file.")
                    if path.exists()
                    else error(name, "this file is missing.", is_missing=True)
                )
            stream: BinaryIO = path.open("rb")
        except OSError as reason:
            raise _unreadable(error, name, reason) from reason
    else:
        stream = BytesIO(source) if isinstance(source, bytes) else source
    try:
        size = stream.seek(0, os.SEEK_END)
        if largest is not None and size > largest:
            raise _too_large(error, name, largest, advice)
        stream.seek(0)
        yield stream, size
    finally:
        if stream is not source:
            stream.close()


def file_bytes(
    source: OpenFile | bytes,
    largest: int,
    *,
    name: str | None = None,
    error: Callable[..., UserError] = FileError,
    advice: str = ".",
) -> bytes:
    """The whole content of a file. Arguments and errors are those of :func:`opened_file`."""
    name = shown_name(source) if name is None else name
    with opened_file(source, largest, name=name, error=error, advice=advice) as (stream, size):
        try:
            # Room for as much as is asked for is made at once; the file may grow meanwhile.
            content = stream.read(size + 1)
            if len(content) > size:
                content += stream.read(largest + 1 - len(content))
        except OSError as reason:
            raise _unreadable(error, name, reason) from reason
    if len(content) > largest:
        raise _too_large(error, name, largest, advice)
    return content


def _unreadable(error: Callable[..., UserError], name: str, reason: OSError) -> UserError:
    return error(name, f"this file cannot be read ({reason.strerror or reason}).")


def _too_large(error: Callable[..., UserError], name: str, largest: int, advice: str) -> UserError:
    megabytes = largest / 1e6
    return error(name, f"this file is larger than {megabytes:{',.0f' if megabytes >= 10 else '.3g'}} MB{advice}")


def file_text(source: OpenFile, largest: int = LARGEST_LIST) -> str:
    """The whole of a list or a table as UTF-8 text, with or without a byte-order mark, or as UTF-16 text with one.

    Letters with marks are composed (``ü`` is one letter): a list and the files that it names agree, however a
    computer writes them.

    Raises:
        FileError: as :func:`file_bytes`, or it is not text.
    """
    content = file_bytes(source, largest, advice=", too large for a list.")
    # Spreadsheets write UTF-16 as "Unicode text".
    of_16_bits = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return unicodedata.normalize("NFC", content.decode("utf-16" if of_16_bits else "utf-8-sig"))
    except UnicodeDecodeError as error:
        raise FileError(shown_name(source), "this is not a text file in UTF-8.") from error


def file_lines(source: OpenFile, largest: int = LARGEST_LIST) -> list[str]:
    """The lines of :func:`file_text` without surrounding blanks, empty ones left out."""
    return [line.strip() for line in file_text(source, largest).splitlines() if line.strip()]


def first_bytes(path: str | Path, count: int) -> bytes:
    """At most ``count`` bytes from the beginning of a file; none of what is no file or cannot be read."""
    try:
        with opened_file(path) as (stream, _):
            return stream.read(count)
    except (FileError, OSError):
        return b""


def file_sha256(source: OpenFile) -> str:
    """SHA-256 of a file in hexadecimal digits. Raises FileError for one that cannot be opened."""
    digest = hashlib.sha256()
    with opened_file(source) as (stream, _):
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
