"""The one reader of records (JSON files in folders of runs, trainings and results): it decides what a damaged one is.

Records lie where people, other programs and killed processes reach them. Whoever lists records leaves a damaged one
out, or shows it as such; it never costs more than its own row.
"""

import json
import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recam_core.errors import UserError

#: Bytes that a record may have, and how many levels of lists and tables it may be deep: ours have at most eight.
LARGEST, DEEPEST = 64 << 20, 32
#: Seconds since 1970 that a record may name: until the year 5000. Calendars fail far behind it.
LATEST = 1e11
#: Whole numbers beyond this are none that arrays and browsers hold.
_MOST = 1 << 63
#: What makes a closer look worth its time: an escaped half of a surrogate pair, a number of 19 digits or more.
_HALVES, _LONG = re.compile(rb"\\u[dD][89a-fA-F]"), re.compile(rb"\d{19}")
#: What values of another form raise where they are used.
_OTHER_FORM = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class RecordError(UserError):
    """A record that is missing or damaged.

    Attributes:
        is_missing: whether there is no such file.
    """

    def __init__(self, file: Path, reason: str, is_missing: bool = False):
        super().__init__(f"{file} is damaged: {reason}." if not is_missing else f"There is no file {file}.")
        self.is_missing = is_missing


@contextmanager
def opened_record(file: str | Path, largest: int = LARGEST) -> Iterator[Any]:
    """The values of a record, to be taken apart in the ``with`` block: what they raise there by being of another form
    than the block relies on makes the record a damaged one.

    Args:
        file: in JSON.
        largest: bytes that it may have.

    Raises:
        RecordError: (a UserError) it is missing, too large or too deep, no JSON, holds half of a surrogate pair or a
            number that no computer holds, or the block met a value of another form.
    """
    file = Path(file)
    try:
        yield _read(file, largest)
    except FileNotFoundError as error:
        raise RecordError(file, "", is_missing=True) from error
    except OSError as error:
        raise RecordError(file, f"it cannot be read ({error.strerror or error})") from error
    except _OTHER_FORM as error:
        raise RecordError(file, _words(error)) from error


def read_record(file: str | Path, largest: int = LARGEST) -> Any:
    """The values of a record that the caller checks itself. Raises as :func:`opened_record`."""
    with opened_record(file, largest) as values:
        return values


def read_rows(file: str | Path, largest: int = LARGEST) -> list[dict[str, float | None]]:
    """A record that is a list of tables of numbers, as the curves of a training are.

    Raises:
        RecordError: as :func:`opened_record`, or it is something else.
    """
    with opened_record(file, largest) as values:
        if not isinstance(values, list) or not all(isinstance(row, dict) for row in values):
            raise ValueError("it is no list of curves")
        for row in values:
            for name, value in row.items():
                if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
                    raise ValueError(f"'{name[:60]}' is no number")
        return values


def is_time(value: Any) -> bool:
    """Whether a value is a time in seconds since 1970; 0 stands for none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= LATEST


def is_finite(value: Any) -> bool:
    """Whether a value is a number that can be drawn."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -_MOST < value < _MOST


def as_finite(value: Any) -> float:
    """The number of a value. Raises ValueError for what is none, or not finite."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("a number is not finite")
    return number


def _read(file: Path, largest: int) -> Any:
    # One that is no file (a pipe, a device) might never end.
    if file.exists() and not file.is_file():
        raise ValueError("it is no file")
    with file.open("rb") as stream:
        # Room for as much as is asked for is made at once; the file may grow meanwhile.
        content = stream.read(min(os.fstat(stream.fileno()).st_size, largest) + 1)
    if len(content) > largest:
        raise ValueError(f"it is larger than {largest >> 10} KB")
    values = json.loads(content.decode("utf-8"))
    level = [values]
    for _ in range(DEEPEST):
        level = [one for held in level for one in _held(held) if isinstance(one, (dict, list))]
        if not level:
            break
    else:
        raise ValueError(f"it is nested more than {DEEPEST} levels deep")
    if _HALVES.search(content):
        json.dumps(values, ensure_ascii=False).encode("utf-8")
    if _LONG.search(content):
        _refuse_long(values)
    return values


def _held(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _refuse_long(values: Any) -> None:
    ahead = [values]
    while ahead:
        value = ahead.pop()
        if isinstance(value, int) and not -_MOST < value < _MOST:
            raise ValueError("it holds a number that is out of range")
        ahead.extend(_held(value))


def _words(error: Exception) -> str:
    """Why a record is damaged, in few words."""
    if isinstance(error, RecursionError):
        return f"it is nested more than {DEEPEST} levels deep"
    if isinstance(error, UnicodeEncodeError):
        return "it holds a text that cannot be shown (half of a surrogate pair)"
    if isinstance(error, KeyError):
        return f"it lacks {str(error)[:80]}"
    return str(error).rstrip(".")[:200] or type(error).__name__
