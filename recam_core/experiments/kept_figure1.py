"""Results of figure 1 that are kept: those that ship, and those made on this computer, of a guest their own."""

import hashlib
import json
from pathlib import Path

from recam_core.atomic_write import write_json
from recam_core.cache import cache_folder
from recam_core.checkpoint.places import shipped_theory_folder
from recam_core.experiments.figure1 import Figure1, figure1_from_json
from recam_core.records import RecordError, opened_record

#: A longer file is none of ours.
_LARGEST = 4 << 20


def keep_figure1(found: Figure1) -> Path:
    """Keep a result; the same question asked again takes its place. Raises UserError where the disk is full."""
    asked = [found.source, found.what, found.depth, found.fit, found.report, found.settings]
    name = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]
    file = cache_folder(private=True) / "figure1" / f"{name}.json"
    write_json(file, found.to_json())
    return file


def kept_figures() -> dict[str, Figure1]:
    """What is kept, by a name that stands for it: shipped ones first, then the newest. Damaged files are left out."""
    shipped = sorted(shipped_theory_folder().glob("figure1-*.json"))
    own = sorted((cache_folder(private=True) / "figure1").glob("*.json"), key=_changed, reverse=True)
    found: dict[str, Figure1] = {}
    for file in (*shipped, *own):
        try:
            with opened_record(file, _LARGEST) as values:
                one = figure1_from_json(values)
                for row in one.rows:
                    one.row(row.scope, row.loss)
                found[file.stem] = one
        except RecordError:
            continue
    return found


def _changed(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
