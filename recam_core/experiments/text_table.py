"""An experiment's table as text for a terminal."""

import math
from typing import Any

from recam_core.experiments.experiment import Experiment
from recam_core.experiments.figures import FIGURES
from recam_core.scores.table import in_columns, percent

#: Columns in percent besides the figures, with their heads.
_SHARES = {
    "double_negatives": "both negative",
    "confused": "confused",
    "confused_change": "change",
    "pair_iou": "IoU of the pair",
    "others_iou": "IoU of others",
}


def text_table(experiment: Experiment) -> str:
    """One line a setting and part, in percent; ``*`` marks what the select part prefers."""
    first = experiment.rows[0]
    figures = [name for name in FIGURES if name in first]
    shares = [name for name in _SHARES if name in first]
    gains = "gain" in first
    thresholds = any(row.get("threshold") is not None for row in experiment.rows)
    header = ["", "part", *(FIGURES[name][1] for name in figures), *(_SHARES[name] for name in shares)]
    header += ["threshold"] if thresholds else []
    header += ["gain (95 %)"] if gains else []
    lines = [header]
    for row in experiment.rows:
        line = [("* " if row["chosen"] else "  ") + row["key"], row["part"]]
        line += [_figure(row, name) for name in figures]
        line += [percent(row[name], 2) for name in shares]
        line += [f"{row['threshold']:.2f}" if row["threshold"] is not None else "-"] if thresholds else []
        line += [_gain(row)] if gains else []
        lines.append(line)
    return in_columns(lines, words=2)


def _figure(row: dict[str, Any], name: str) -> str:
    spread = row.get(f"{name}_spread")
    return percent(row[name], 2) + (f" ±{100 * spread:.2f}" if not _missing(spread) else "")


def _gain(row: dict[str, Any]) -> str:
    if _missing(row["gain"]):
        return ""
    if _missing(row["gain_low"]):
        return f"{100 * row['gain']:+.2f}"
    return f"{100 * row['gain']:+.2f} ({100 * row['gain_low']:+.2f} to {100 * row['gain_high']:+.2f})"


def _missing(value: float | None) -> bool:
    return value is None or math.isnan(value)
