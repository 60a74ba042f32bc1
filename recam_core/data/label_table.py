"""``labels.csv``: image-level labels that a user wrote, one row a picture."""

import csv
from dataclasses import dataclass, field
from pathlib import Path

from recam_core.data.sample import Fault
from recam_core.data.text_file import read_text
from recam_core.errors import UserError


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
    """Read either form: ``id,labels`` with names joined by ';', or ``id`` and one 0/1 column a class.

    A row that cannot be read is a fault of its picture, not of the table.

    Raises:
        UserError: unreadable, or without a usable header.
    """
    try:
        lines = list(csv.reader(read_text(path).splitlines(), strict=True))
    except csv.Error as error:
        raise UserError(f"{path}: this is not a well-formed CSV file ({error}).") from error
    header = [cell.strip() for cell in lines[0]] if lines else []
    if len(header) < 2 or header[0].lower() != "id":
        raise UserError(
            f"{path}: the first line must be 'id,labels' (names joined by ';') or 'id' and one column for each class."
        )
    joined = len(header) == 2 and header[1].lower() == "labels"
    rows: dict[str, frozenset[str]] = {}
    faults: dict[str, Fault] = {}
    seen: dict[str, frozenset[str]] = {}  # pictures of the same classes share one set
    for number, cells in enumerate(lines[1:], start=2):
        if not "".join(cells).strip():
            continue
        identifier = cells[0].strip()
        if identifier in rows or identifier in faults:
            faults[identifier] = Fault(
                _line(path, number), f"duplicate id: '{identifier}' has more than one row of labels.", "duplicate id"
            )
        elif len(cells) != len(header):
            faults[identifier] = Fault(
                _line(path, number),
                f"this row has {len(cells)} cells, but the header has {len(header)}.",
                "damaged file",
            )
        elif joined:
            if cells[1] not in seen:
                seen[cells[1]] = frozenset(name.strip() for name in cells[1].split(";") if name.strip())
            rows[identifier] = seen[cells[1]]
        else:
            values = [cell.strip() for cell in cells[1:]]
            wrong = [value for value in values if value not in ("0", "1")]
            if wrong:
                faults[identifier] = Fault(
                    _line(path, number), f"{wrong[0]!r} stands where 0 or 1 is expected.", "damaged file"
                )
            else:
                rows[identifier] = frozenset(
                    name for name, value in zip(header[1:], values, strict=True) if value == "1"
                )
    for identifier in faults:
        rows.pop(identifier, None)
    names = tuple(sorted(set().union(*set(rows.values())))) if joined else tuple(header[1:])
    return LabelTable(path, names, rows, faults)


def _line(path: Path, number: int) -> str:
    return f"{path}, line {number}"
