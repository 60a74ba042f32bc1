"""The one reader of records (JSON files in folders of runs, trainings and results): it decides what a damaged one is.

Records lie where people, other programs and killed processes reach them. Whoever lists records leaves a damaged one
out, or shows it as such; it never costs more than its own row.

What a record consists of is said once, by the annotations of its dataclass: :func:`read_as` holds values to them.
"""

import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from recam_core.errors import UserError
from recam_core.file_reader import file_bytes

#: Bytes that a record may have, and how many levels of lists and tables it may be deep: ours have at most eight.
LARGEST, DEEPEST = 64 << 20, 32
#: Seconds since 1970 that a record may name: until the year 5000. Calendars fail far behind it.
LATEST = 1e11
#: Of a field that holds such a time (0 stands for none), and of one that counts.
Time = Annotated[float, msgspec.Meta(ge=0, le=LATEST)]
Count = Annotated[int, msgspec.Meta(ge=0)]
#: Whole numbers beyond this are none that arrays and browsers hold.
_MOST = 1 << 63
#: What makes a closer look worth its time: an escaped half of a surrogate pair, a number of 19 digits or more.
_HALVES, _LONG = re.compile(rb"\\u[dD][89a-fA-F]"), re.compile(rb"\d{19}")
#: What values of another form raise where they are used.
_OTHER_FORM = (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError)


Kind = TypeVar("Kind")


class RecordError(UserError):
    """A record that is missing or damaged.

    Attributes:
        is_missing: whether there is no such file.
    """

    def __init__(self, sentence: str, is_missing: bool = False):
        super().__init__(sentence)
        self.is_missing = is_missing


class _UnknownVersionError(Exception):
    pass


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
    content = file_bytes(file, largest, error=_unreadable)
    try:
        yield _values(content)
    except _UnknownVersionError as error:
        raise RecordError(f"{file} {error}.") from error
    except _OTHER_FORM as error:
        raise RecordError(f"{file} is damaged: {_words(error)}.") from error


def read_record(file: str | Path, largest: int = LARGEST) -> Any:
    """The values of a record that the caller checks itself. Raises as :func:`opened_record`."""
    with opened_record(file, largest) as values:
        return values


def read_as(file: str | Path, kind: type[Kind], newest: int = 0, largest: int = LARGEST) -> Kind:
    """A record as what it is a record of.

    Args:
        file: in JSON.
        kind: a dataclass; fields that it does not have are passed over, so that newer programs can add some.
        newest: the version of the form that this program writes; records of before there were versions are of 0.
        largest: bytes that it may have.

    Raises:
        RecordError: as :func:`opened_record`, or it was written by a newer version of the program.
    """
    with opened_record(file, largest) as values:
        return as_kind(values, kind, newest)


def as_kind(values: Any, kind: type[Kind], newest: int = 0) -> Kind:
    """Values of a record as a dataclass, for use in the block of :func:`opened_record`.

    Raises:
        ValueError: in words: what is missing, of another kind or out of range.
    """
    if isinstance(values, dict):
        check_version(values.get("version", 0), range(newest + 1))
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        raise ValueError(_fault(str(error))) from error


def check_version(version: Any, known: range) -> None:
    """Raise an error, for use in the block of :func:`opened_record`, for a version that this program does not know."""
    if isinstance(version, bool) or not isinstance(version, int):
        raise ValueError("its format version is no whole number")
    if version not in known:
        raise _UnknownVersionError(f"is of format version {version}; this program reads {known[0]} to {known[-1]}")


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


def is_finite(value: Any) -> bool:
    """Whether a value is a number that can be drawn."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -_MOST < value < _MOST


def as_finite(value: Any) -> float:
    """The number of a value. Raises ValueError for what is none, or not finite."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("a number is not finite")
    return number


def _unreadable(name: str, reason: str, is_missing: bool = False) -> RecordError:
    return RecordError(f"{name}: {reason}", is_missing)


def _values(content: bytes) -> Any:
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


#: What msgspec says of a value that does not fit, and where that lies.
_MISFIT, _LACK = re.compile(r"(.+?)(?: - at `\$\.?(.*)`)?"), re.compile(r"Object missing required field (.+)")


def _fault(words: str) -> str:
    """What a library says of a misfit, in our words."""
    match = _MISFIT.fullmatch(words)
    reason, place = (match[1].replace("`", ""), match[2] or "") if match else (words, "")
    if lack := _LACK.fullmatch(reason):
        return f"it lacks '{lack[1]}'" + (f" in '{place[:60]}'" if place else "")
    return f"'{place[:60] or 'all of it'}' is of another kind ({reason[:1].lower()}{reason[1:]})"


def _words(error: Exception) -> str:
    """Why a record is damaged, in few words."""
    if isinstance(error, RecursionError):
        return f"it is nested more than {DEEPEST} levels deep"
    if isinstance(error, UnicodeEncodeError):
        return "it holds a text that cannot be shown (half of a surrogate pair)"
    if isinstance(error, KeyError):
        return f"it lacks {str(error)[:80]}"
    return str(error).rstrip(".")[:200] or type(error).__name__
