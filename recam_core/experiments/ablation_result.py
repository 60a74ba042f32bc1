"""The paper's tables as figures, with one sentence, and as text or Markdown."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from recam_core.analysis.csv_tables import csv_text
from recam_core.data.spec import parse_spec
from recam_core.experiments.ablation_plan import AblationPlan
from recam_core.experiments.ablation_rows import BASE_KEY, RECAM, Row
from recam_core.experiments.ablation_work import Figures
from recam_core.experiments.figures import FIGURES
from recam_core.scores.table import in_columns

#: By key of a row and seed: its figures.
Found = dict[tuple[str, int], Figures]
_TITLES = {"loss": "Loss", "lambda": "Lambda", "masks": "Masks", "rules": "Rules", "background": "Background row"}


@dataclass(frozen=True)
class Ablation:
    """The tables.

    Attributes:
        plan: what was asked for.
        pictures: of each data set that is reported.
        rows: one a table, row and data set: ``table``, ``label``, ``run``, ``rule``, ``data``, ``seeds``; each figure
            of :data:`FIGURES` (a mean over the seeds) with its standard deviation ``..._spread`` (None for one seed)
            and its values ``..._seeds``; ``gain``, mIoU less that of BCE-CAM of the same seed, with ``gain_spread`` and
            ``gain_seeds``.
        sentence: what the figures support.
        notes: what a reader should know besides.
    """

    plan: AblationPlan
    pictures: dict[str, int]
    rows: tuple[dict[str, Any], ...]
    sentence: str
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        plan = self.plan
        return {
            "data": plan.data,
            "depth": plan.depth,
            "heads": plan.heads.to_json() if plan.depth == "heads" else None,
            "seeds": list(plan.seeds),
            "pictures": self.pictures,
            "sentence": self.sentence,
            "notes": list(self.notes),
            "rows": list(self.rows),
        }

    def to_csv(self) -> str:
        """The tables as one CSV; values of single seeds stay out."""
        header = [name for name in self.rows[0] if not name.endswith("_seeds")]
        return csv_text(header, ([row[name] for name in header] for row in self.rows))


def row_of(plan: AblationPlan, table: str, row: Row, report: str, found: Found) -> dict[str, Any]:
    """A row of a table on a data set, see :class:`Ablation`."""
    figures = [found[row.key, seed][report] for seed in plan.seeds]
    base = [found[BASE_KEY, seed][report]["miou"] for seed in plan.seeds]
    values: dict[str, Any] = {
        "table": table,
        "label": row.label,
        "run": row.name,
        "rule": row.rule,
        "data": report,
        "seeds": len(plan.seeds),
    }
    columns = {name: [one[name] for one in figures] for name in FIGURES}
    columns["gain"] = [one["miou"] - other for one, other in zip(figures, base, strict=True)]
    for name, each in columns.items():
        values[name] = float(np.mean(each))
        values[f"{name}_spread"] = float(np.std(each, ddof=1)) if len(each) > 1 else None
        values[f"{name}_seeds"] = each
    return values


def sentence_of(plan: AblationPlan, found: Found) -> str:
    """What ReCAM gains over BCE-CAM, with how far the seeds are apart."""
    if (f"{RECAM}-{plan.rule}", plan.seeds[0]) not in found:
        return ""
    parts = []
    for report in plan.reports:
        one = [found[f"{RECAM}-{plan.rule}", seed][report]["miou"] for seed in plan.seeds]
        base = [found[BASE_KEY, seed][report]["miou"] for seed in plan.seeds]
        gains = [100 * (a - b) for a, b in zip(one, base, strict=True)]
        mean = float(np.mean(gains))
        steady = min(gains) > 0 or max(gains) < 0
        spread = (
            f" ({min(gains):+.1f} to {max(gains):+.1f} over {len(gains)} seeds)" if len(gains) > 1 else " (one seed)"
        )
        verdict = ("gains" if mean > 0 else "loses") if steady else "gains nothing that all seeds agree on:"
        parts.append(f"on {report} ReCAM {verdict} {abs(mean) if steady else mean:.1f} points of mIoU{spread}")
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]} against BCE-CAM."


def notes_of(plan: AblationPlan, select: str) -> list[str]:
    """What a reader should know besides."""
    notes = ["All pixels are scored, at the usual scales with mirror images; the present classes are given."]
    if plan.depth == "heads":
        what = "FC2 alone is" if plan.heads.update == "fc2" else "FC1 and FC2 are"
        notes.append(f"{what} trained on the features of the BCE run of the same seed, on {plan.data}.")
    if select:
        notes.append(f"The background threshold of each row and seed is chosen on {select}.")
        if {str(parse_spec(plan.data)), select} & set(plan.reports):
            notes.append("Figures on the training pictures include those that chose the threshold.")
    if len(plan.seeds) > 1:
        notes.append("Means over the seeds, ± their standard deviation; gains are against BCE-CAM of the same seed.")
    return notes


def ablation_text(found: Ablation, markdown: bool = False) -> str:
    """A block a table and data set, in percent; a column a figure, each a mean with its spread over the seeds."""
    blocks = []
    for report in found.plan.reports:
        for table in dict.fromkeys(row["table"] for row in found.rows):
            rows = [row for row in found.rows if row["table"] == table and row["data"] == report]
            blocks.append(_block(f"{_TITLES[table]}: {report}, {found.pictures[report]} pictures", rows, markdown))
    return "\n\n".join(blocks)


def _block(title: str, rows: list[dict[str, Any]], markdown: bool) -> str:
    lines = [["", "mIoU", "gain", *(name for key, (_, name, _) in FIGURES.items() if key != "miou")]]
    for row in rows:
        names = ["miou", "gain", *(key for key in FIGURES if key != "miou")]
        lines.append([row["label"], *(_cell(row, name) for name in names)])
    if markdown:
        marked = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
        return f"{title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in marked)
    return f"{title}\n{in_columns(lines)}"


def _cell(row: dict[str, Any], name: str) -> str:
    sign, spread = ("+" if name == "gain" else ""), row[f"{name}_spread"]
    if name == "gain" and row["run"] == "bce":
        return ""
    return f"{100 * row[name]:{sign}.1f}" + (f" ± {100 * spread:.1f}" if spread is not None else "")
