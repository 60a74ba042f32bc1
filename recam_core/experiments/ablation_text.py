"""The paper's tables as text for a terminal, or as Markdown for a document."""

from typing import Any

from recam_core.experiments.ablation_result import Ablation
from recam_core.experiments.figures import FIGURES
from recam_core.scores.table import in_columns

_TITLES = {"loss": "Loss", "lambda": "Lambda", "masks": "Masks", "rules": "Rules", "background": "Background row"}


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
