"""Small text files that users write: class lists, splits, tables of labels."""

import codecs
import unicodedata
from pathlib import Path

from recam_core.errors import UserError

#: A split of ten million ids would still fit; anything larger is not a list.
MAX_BYTES = 256_000_000


def read_text(path: Path) -> str:
    """The whole file as UTF-8 text, with or without a byte-order mark, or as UTF-16 text with one.

    Letters with marks are composed (``ü`` is one letter): a list and the files that it names agree, however a
    computer writes them.

    Raises:
        UserError: missing, unreadable, too large, or not text.
    """
    try:
        if not path.is_file():
            raise UserError(f"{path}: this file is missing.")
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path}: this file is larger than {MAX_BYTES // 1_000_000} MB, too large for a list.")
        return _decoded(path.read_bytes())
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: this is not a text file in UTF-8.") from error
    except OSError as error:
        raise UserError(f"{path}: this file cannot be read ({error.strerror or error}).") from error


def read_lines(path: Path) -> list[str]:
    """The lines without surrounding blanks, empty ones left out. Raises UserError."""
    return _lines(read_text(path))


def lines_of(content: bytes, name: str) -> list[str]:
    """The same of the content of a file that was handed in; ``name`` is for messages. Raises UserError."""
    try:
        return _lines(_decoded(content))
    except UnicodeDecodeError as error:
        raise UserError(f"{name}: this is not a text file in UTF-8.") from error


def _decoded(content: bytes) -> str:
    # Spreadsheets write UTF-16 as "Unicode text".
    of_16_bits = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return unicodedata.normalize("NFC", content.decode("utf-16" if of_16_bits else "utf-8-sig"))


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
