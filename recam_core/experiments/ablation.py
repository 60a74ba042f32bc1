"""The paper's tables: BCE, SCE, FC2 with BCE and ReCAM; lambda; masks; rules - over several seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from recam_core.analysis.csv_tables import csv_text
from recam_core.checkpoint.run_folder import INFO_FILE
from recam_core.data.spec import Spec, open_dataset, parse_spec
from recam_core.errors import UserError
from recam_core.experiments.ablation_plan import (
    BASE,
    BASE_KEY,
    BASE_ROW,
    RECAM,
    AblationPlan,
    Row,
    ablation_tables,
    check_depth,
    full_recipe,
    head_recipe,
)
from recam_core.experiments.dispatch import dispatch, pick_way
from recam_core.experiments.figures import FIGURES
from recam_core.experiments.full_training import Figures, ScoreTask, Training, figures_of, is_made, train_or_find
from recam_core.experiments.protocol import SELECT
from recam_core.method.masks import parse_mask
from recam_core.progress import ProgressFn, silent
from recam_core.retrain.head_recipe import HeadRecipe, completed
from recam_core.scores.table import in_columns
from recam_core.train.recipe import check_recipe

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
    base = [_figure(found[BASE_KEY, seed][report], "miou") for seed in plan.seeds]
    values: dict[str, Any] = {
        "table": table,
        "label": row.label,
        "run": row.name,
        "rule": row.rule,
        "data": report,
        "seeds": len(plan.seeds),
    }
    columns = {name: [_figure(one, name) for one in figures] for name in FIGURES}
    columns["gain"] = [one - other for one, other in zip(columns["miou"], base, strict=True)]
    for name, each in columns.items():
        values[name] = float(np.mean(each))
        values[f"{name}_spread"] = float(np.std(each, ddof=1)) if len(each) > 1 else None
        values[f"{name}_seeds"] = each
    return values


def _figure(figures: Mapping[str, float | None], name: str) -> float:
    """A figure that every row has; a threshold may be None."""
    value = figures[name]
    assert value is not None, name
    return value


def sentence_of(plan: AblationPlan, found: Found) -> str:
    """What ReCAM gains over BCE-CAM, with how far the seeds are apart."""
    if (f"{RECAM}-{plan.rule}", plan.seeds[0]) not in found:
        return ""
    parts = []
    for report in plan.reports:
        one = [_figure(found[f"{RECAM}-{plan.rule}", seed][report], "miou") for seed in plan.seeds]
        base = [_figure(found[BASE_KEY, seed][report], "miou") for seed in plan.seeds]
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


def ablation(plan: AblationPlan, way: str = "auto", workers: int = 1, progress: ProgressFn = silent) -> Ablation:
    """Train what is not there yet, score it, and put the tables together.

    Args:
        plan: what is wanted.
        way, workers: see :func:`recam_core.experiments.dispatch.dispatch`.
        progress: called after each training and each scoring; may raise Cancelled. What is finished is kept.

    Raises:
        UserError: settings or data that cannot be used, or a training that failed.
    """
    way = pick_way(way, workers)
    tables = _checked(plan)
    networks = {row.name: row for row in (BASE_ROW, *(row for rows in tables.values() for row in rows))}
    select = _select_spec(plan)
    runs = _trained(plan, list(networks.values()) if plan.depth == "full" else [BASE_ROW], way, workers, progress)
    works = (_full_scores if plan.depth == "full" else _head_scores)(plan, tables, runs, select)
    found: Found = {}
    for outcome in dispatch(figures_of, works, way, workers, progress):
        for key, figures in outcome.items():
            label, _, seed = key.rpartition("-seed")
            found[label, int(seed)] = figures
    rows = tuple(
        row_of(plan, table, row, report, found) for report in plan.reports for table in tables for row in tables[table]
    )
    pictures = {report: int(_figure(found[BASE_KEY, plan.seeds[0]][report], "pictures")) for report in plan.reports}
    return Ablation(plan, pictures, rows, sentence_of(plan, found), tuple(notes_of(plan, select)))


def _checked(plan: AblationPlan) -> dict[str, tuple[Row, ...]]:
    check_depth(plan.depth, plan.heads.update)
    if not plan.seeds or len(set(plan.seeds)) < len(plan.seeds) or min(plan.seeds) < 0:
        raise UserError("Seeds are whole numbers from 0 on, each named once.")
    if not plan.reports:
        raise UserError("Name at least one data set to report on, such as @val.")
    completed(plan.heads)
    for recipe in plan.bases.values():
        check_recipe(recipe)
    base = plan.bases[RECAM] if plan.depth == "full" else plan.heads
    sweep_lambda = plan.depth == "full" or plan.heads.update == "both"
    usual = (base.weight, str(parse_mask(base.mask)))
    has_background = open_dataset(plan.data).classes.has_background
    if "background" in plan.tables and not has_background:
        raise UserError(f"{plan.data} has no background class, so there is no background row to compare.")
    tables = ablation_tables(
        plan.rule,
        plan.tables,
        plan.lambdas,
        plan.masks,
        usual,
        sweep_lambda,
        plan.backgrounds if has_background else (),
    )
    for spec in (plan.data, *plan.reports):
        open_dataset(spec)
    return tables


def _select_spec(plan: AblationPlan) -> str:
    """The part of the training pictures on which background thresholds are chosen; "" where there is no background."""
    if not open_dataset(plan.data).classes.has_background:
        return ""
    if plan.select:
        return plan.select
    spec = parse_spec(plan.data)
    if spec.part is not None:
        raise UserError(f"Name a whole split to train on, not {plan.data}: its part .select chooses thresholds.")
    return str(Spec(spec.kind, spec.root, spec.split or "train", SELECT))


def _trained(
    plan: AblationPlan, rows: Sequence[Row], way: str, workers: int, progress: ProgressFn
) -> dict[tuple[str, int], Path]:
    """Folders of the runs, trained where they are not there: first those that start from ImageNet, then ReCAM."""
    runs: dict[tuple[str, int], Path] = {}
    for first in (True, False):
        works = []
        for row in rows:
            if (row.name in (BASE, "sce")) != first:
                continue
            for seed in plan.seeds:
                recipe, init = full_recipe(row, plan.bases, seed), None if first else runs[BASE, seed]
                out = str(plan.folder / f"{row.name}-seed{seed}")
                work = Training(recipe, plan.data, str(init or ""), out, plan.device, plan.threads)
                there = _find(plan, work)
                runs[row.name, seed] = there or Path(out)
                if there is None:
                    works.append(work)
        if works:
            dispatch(train_or_find, works, way, workers, progress)
    return runs


def _find(plan: AblationPlan, training: Training) -> Path | None:
    """A finished run of a training, in its own folder or among those that the plan has."""
    others = (path.parent for folder in plan.have for path in sorted(Path(folder).glob(f"*/{INFO_FILE}")))
    return next((folder for folder in (Path(training.out), *others) if is_made(training, folder)), None)


def _full_scores(
    plan: AblationPlan, tables: dict[str, tuple[Row, ...]], runs: dict[tuple[str, int], Path], select: str
) -> list[ScoreTask]:
    """One piece a run: all its rules are read off one pass."""
    rules: dict[str, list[str]] = {BASE: ["fc1"]}
    for row in (row for rows in tables.values() for row in rows):
        if row.rule not in rules.setdefault(row.name, []):
            rules[row.name].append(row.rule)
    return [
        _score_work(plan, runs[name, seed], [(f"{name}-{rule}-seed{seed}", rule) for rule in some], select)
        for name, some in rules.items()
        for seed in plan.seeds
    ]


def _head_scores(
    plan: AblationPlan, tables: dict[str, tuple[Row, ...]], runs: dict[tuple[str, int], Path], select: str
) -> list[ScoreTask]:
    """One piece a seed: all heads share the pass through the backbone of the BCE run."""
    works = []
    for seed in plan.seeds:
        wanted: dict[str, str | HeadRecipe] = {f"{BASE_KEY}-seed{seed}": "fc1"}
        for row in (row for rows in tables.values() for row in rows if row.name != BASE):
            recipe = head_recipe(row, plan.heads, seed)
            rule = recipe.rule if row.name == "sce" else row.rule
            wanted[f"{row.key}-seed{seed}"] = completed(replace(recipe, rule=rule))
        works.append(_score_work(plan, runs[BASE, seed], list(wanted.items()), select))
    return works


def _score_work(plan: AblationPlan, run: Path, rows: list[tuple[str, str | HeadRecipe]], select: str) -> ScoreTask:
    kept = str(plan.folder / "scores")
    return ScoreTask(str(run), tuple(rows), plan.data, select, plan.reports, kept, plan.device, plan.threads)
