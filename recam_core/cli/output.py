"""``--json FILE`` and ``--csv FILE``: results for machines and spreadsheets."""

from pathlib import Path
from typing import Any

from recam_core.atomic_write import replacing_file, write_json


def write_results(file: Path | None, results: Any) -> None:
    """Write results to the file that ``--json`` named, if it named one."""
    if file is not None:
        write_json(file, results)
        print(f"Results written to {file}.")


def write_table(file: Path | None, table: str) -> None:
    """Write a table as CSV to the file that ``--csv`` named, if it named one."""
    if file is not None:
        with replacing_file(file) as temporary:
            temporary.write_text(table, encoding="utf-8", newline="")
        print(f"Table written to {file}.")
