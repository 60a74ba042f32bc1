"""``--json FILE``: results for machines."""

from pathlib import Path
from typing import Any

from recam_core.atomic_write import write_json


def write_results(file: Path | None, results: Any) -> None:
    """Write results to the file that ``--json`` named, if it named one."""
    if file is not None:
        write_json(file, results)
        print(f"Results written to {file}.")
