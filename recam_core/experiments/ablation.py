"""The paper's tables: BCE, SCE, FC2 with BCE and ReCAM; lambda; masks; rules - over several seeds."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from recam_core.checkpoint.run_folder import INFO_FILE, RunInfo, read_info
from recam_core.data.spec import Spec, open_dataset, parse_spec
from recam_core.errors import UserError
from recam_core.experiments.ablation_plan import AblationPlan
from recam_core.experiments.ablation_result import Ablation, Found, notes_of, row_of, sentence_of
from recam_core.experiments.ablation_rows import (
    BASE,
    BASE_KEY,
    BASE_ROW,
    RECAM,
    Row,
    ablation_tables,
    check_depth,
    full_recipe,
    head_recipe,
)
from recam_core.experiments.ablation_work import ScoreWork, TrainWork, score_one, train_one
from recam_core.experiments.dispatch import dispatch, pick_way
from recam_core.experiments.protocol import SELECT
from recam_core.method.masks import parse_mask
from recam_core.progress import ProgressFn, silent
from recam_core.retrain.head_recipe import HeadRecipe, completed
from recam_core.train.recipe import Recipe, check_recipe, from_json


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
    for outcome in dispatch(score_one, works, way, workers, progress):
        for key, figures in outcome.items():
            label, _, seed = key.rpartition("-seed")
            found[label, int(seed)] = figures
    rows = tuple(
        row_of(plan, table, row, report, found) for report in plan.reports for table in tables for row in tables[table]
    )
    pictures = {report: int(found[BASE_KEY, plan.seeds[0]][report]["pictures"]) for report in plan.reports}
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
                out = plan.folder / f"{row.name}-seed{seed}"
                there = _find(plan, out, recipe, init)
                runs[row.name, seed] = there or out
                if there is None:
                    works.append(TrainWork(recipe, plan.data, str(init or ""), str(out), plan.device, plan.threads))
        if works:
            dispatch(train_one, works, way, workers, progress)
    return runs


def _find(plan: AblationPlan, out: Path, recipe: Recipe, init: Path | None) -> Path | None:
    """A finished run of the recipe, on the data, from the start."""
    start = read_info(init) if init is not None else None
    others = [path.parent for folder in plan.have for path in sorted(Path(folder).glob(f"*/{INFO_FILE}"))]
    for folder in (out, *others):
        if not (folder / INFO_FILE).is_file():
            continue
        info = read_info(folder)
        # Which rule reads the maps is no matter of the training; where weights came from is told by the parent.
        recorded = {**info.recipe, "rule": recipe.rule, "weights": recipe.weights}
        try:
            same = from_json(recorded) == recipe and parse_spec(info.data) == parse_spec(plan.data)
        except (TypeError, UserError):
            same = False
        if same and _starts_from(info, folder, start, init):
            return folder
    return None


def _starts_from(info: RunInfo, folder: Path, start: RunInfo | None, init: Path | None) -> bool:
    """Whether a run began with the weights of ``start`` (None: not from a run)."""
    if start is None or info.parent_sha256 is not None:
        return info.parent_sha256 == (start.weights_sha256 if start else None) and bool(info.parent) == bool(start)
    # Early records only name their start; it then has to lie beside them.
    return info.parent == start.name and folder.resolve().parent == init.resolve().parent


def _full_scores(
    plan: AblationPlan, tables: dict[str, tuple[Row, ...]], runs: dict[tuple[str, int], Path], select: str
) -> list[ScoreWork]:
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
) -> list[ScoreWork]:
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


def _score_work(plan: AblationPlan, run: Path, rows: list[tuple[str, str | HeadRecipe]], select: str) -> ScoreWork:
    kept = str(plan.folder / "scores")
    return ScoreWork(str(run), tuple(rows), plan.data, select, plan.reports, kept, plan.device, plan.threads)
