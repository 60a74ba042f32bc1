"""``--json FILE`` and ``--csv FILE``: results for machines and spreadsheets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recam_core.atomic_write import replacing_file, write_json

if TYPE_CHECKING:
    from recam_core.data.sample import Dataset


def write_results(file: Path | None, results: Any) -> None:
    """Write results to the file that ``--json`` named, if it named one."""
    if file is not None:
        write_json(file, results)
        print(f"Results written to {file}.")


def print_notes(dataset: Dataset) -> None:
    """Say on standard error what was decided about a data set that its files do not state."""
    from recam_core.data.check import notes_of

    for note in notes_of(dataset):
        print(f"Note on {dataset.spec}: {note}", file=sys.stderr)


def write_table(file: Path | None, table: str) -> None:
    """Write a table as CSV to the file that ``--csv`` named, if it named one."""
    if file is not None:
        with replacing_file(file) as temporary:
            temporary.write_text(table, encoding="utf-8", newline="")
        print(f"Table written to {file}.")
