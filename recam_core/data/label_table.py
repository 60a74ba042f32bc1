"""``labels.csv``: image-level labels that a user wrote, one row a picture."""

import csv
import re
from dataclasses import dataclass, field
from pathlib import Path

from recam_core.data.class_file import role_of_name
from recam_core.data.sample import Fault
from recam_core.errors import UserError
from recam_core.file_reader import file_text

#: How the column of ids and that of joined names are headed, in small letters, without blanks, ``_`` and ``-``.
_ID_HEADS = ("id", "filename", "file", "name", "image", "imageid", "imagename", "img", "picture", "photo", "path")
_LABEL_HEADS = ("labels", "label", "classes", "class", "categories", "category", "tags")


@dataclass(frozen=True)
class LabelTable:
    """The rows of a label table.

    Attributes:
        path: the file.
        names: class names as the table itself gives them: the columns, or all names used, sorted.
        rows: id -> names of its classes.
        faults: id -> what is wrong with its row.
    """

    path: Path
    names: tuple[str, ...]
    rows: dict[str, frozenset[str]]
    faults: dict[str, Fault] = field(default_factory=dict)


def read_label_table(path: Path) -> LabelTable:
    """Read either form: the id and names joined by ';', or the id and one 0/1 column a class.

    Cells stand apart by commas, semicolons or tabs, as spreadsheets write them. The background and void are no labels.
    A row that cannot be read is a fault of its picture, not of the table.

    Raises:
        UserError: unreadable, or without a usable header.
    """
    lines = file_text(path).splitlines()
    named = re.fullmatch(r"\W*sep=(.)\W*", lines[0], re.IGNORECASE) if lines else None  # what Excel is told by
    skipped = 1 if named else 0
    mark = named[1] if named else _mark(lines[0] if lines else "")
    try:
        table = [[cell.strip() for cell in cells] for cells in csv.reader(lines[skipped:], delimiter=mark, strict=True)]
    except csv.Error as error:
        raise UserError(f"{path}: this is not a well-formed CSV file ({error}).") from error
    header = _trimmed(table[0]) if table else []
    if len(header) < 2 or _head(header[0]) not in _ID_HEADS:
        raise UserError(
            f"{path}: the first line must be 'id,labels' (names joined by ';') or 'id' and one column for each class."
        )
    joined = len(header) == 2 and _head(header[1]) in _LABEL_HEADS
    split = re.compile(r"[;|]" if mark == "," else r"[;|,]")
    rows: dict[str, frozenset[str]] = {}
    faults: dict[str, Fault] = {}
    seen: dict[tuple[str, ...], frozenset[str]] = {}  # pictures of the same classes share one set
    for number, cells in enumerate(table[1:], start=2 + skipped):
        if not any(cells):
            continue
        identifier, cells = cells[0], _trimmed(cells, len(header))
        if identifier in rows or identifier in faults:
            faults[identifier] = Fault(
                _line(path, number), f"duplicate id: '{identifier}' has more than one row of labels.", "duplicate id"
            )
        elif joined and (len(cells) == 2 or mark == ";"):
            # Where semicolons part the cells, they part the names as well.
            key = tuple(cells[1:])
            if key not in seen:
                names = (name.strip() for cell in key for name in split.split(cell))
                seen[key] = frozenset(name for name in names if name and role_of_name(name) == "class")
            rows[identifier] = seen[key]
        elif len(cells) != len(header):
            faults[identifier] = Fault(
                _line(path, number),
                f"this row has {len(cells)} cells, but the header has {len(header)}.",
                "damaged file",
            )
        else:
            values = [_yes_or_no(cell) for cell in cells[1:]]
            wrong = [cell for cell, value in zip(cells[1:], values, strict=True) if value is None]
            if wrong:
                faults[identifier] = Fault(
                    _line(path, number), f"{wrong[0]!r} stands where 0 or 1 is expected.", "damaged file"
                )
            else:
                rows[identifier] = frozenset(
                    name
                    for name, value in zip(header[1:], values, strict=True)
                    if value and role_of_name(name) == "class"
                )
    for identifier in faults:
        rows.pop(identifier, None)
    columns = tuple(name for name in header[1:] if role_of_name(name) == "class")
    return LabelTable(path, tuple(sorted(set().union(*set(rows.values())))) if joined else columns, rows, faults)


def _mark(header: str) -> str:
    """What stands between the cells of a table with this first line."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(",;\t", key=bare.count)


def _trimmed(cells: list[str], least: int = 1) -> list[str]:
    """Without the empty cells that spreadsheets leave at the end of a row; so many stay."""
    while len(cells) > least and not cells[-1]:
        cells = cells[:-1]
    return cells


def _head(cell: str) -> str:
    return re.sub(r"[\s_-]", "", cell.casefold())


def _yes_or_no(cell: str) -> bool | None:
    """What a cell of a class's column says; None for neither."""
    word = cell.casefold()
    if word in ("true", "yes") or word in ("false", "no"):
        return word in ("true", "yes")
    try:
        return {0.0: False, 1.0: True}.get(float(word.replace(",", ".")))
    except ValueError:
        return None


def _line(path: Path, number: int) -> str:
    return f"{path}, line {number}"
