"""A grid of full trainings, backbone and all: minutes to hours a point, handed to processes or to Ray."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from recam_core.checkpoint.run_folder import read_info
from recam_core.data.sample import Dataset
from recam_core.errors import UserError
from recam_core.experiments.axes import Axis, check_axes, point_label, with_values
from recam_core.experiments.dispatch import dispatch, pick_way
from recam_core.experiments.experiment import Experiment, seed_notes, start_notes
from recam_core.experiments.full_training import FullTask, Training, carry_out
from recam_core.experiments.grid import GRID
from recam_core.experiments.kept_result import write_result
from recam_core.experiments.lab import REFERENCE, Setting, SettingResult, check_labels
from recam_core.experiments.protocol import FIT, REPORT, SELECT, Protocol, open_parts
from recam_core.experiments.study import Outcome
from recam_core.method.background import check_background
from recam_core.method.masks import parse_mask
from recam_core.progress import ProgressFn, silent
from recam_core.scores.evaluate import check_classes
from recam_core.train.recipe import Recipe, check_recipe

#: A day or two on a laptop.
MOST_TRAININGS = 100


@dataclass(frozen=True)
class FullGridPlan:
    """What is to be trained.

    Attributes:
        tasks: the trainings, the run as it is first.
        settings: the points of the grid, row by row.
        wanted: for each point, the places in ``tasks`` of its seeds, and its rule.
    """

    tasks: tuple[FullTask, ...]
    settings: tuple[Setting, ...]
    wanted: tuple[tuple[tuple[int, ...], str], ...]

    @property
    def trainings(self) -> int:
        """How many networks are trained."""
        return len(self.tasks) - 1


def plan_full_grid(
    init: str | Path,
    protocol: Protocol,
    folder: str | Path,
    x: Axis,
    y: Axis,
    base: Recipe,
    seeds: Sequence[int] = (0,),
    device: str = "auto",
    threads: int = 0,
    command: Callable[[Recipe, Path], str] | None = None,
) -> FullGridPlan:
    """Which trainings a grid needs: points that differ in the extraction rule alone share one.

    Args:
        init: the converged BCE run that each training starts from.
        protocol: which pictures do what.
        folder: where the runs go, each in a folder named after its settings; those that are there already are not
            made again.
        x, y: the axes, see :func:`recam_core.experiments.axes.full_axis`.
        base: every other setting; its method is ``recam``. The backbone is that of ``init``.
        seeds: of the initial weights, the order and the augmentation.
        device, threads: see :class:`recam_core.experiments.full_training.Training`.
        command: gives the command line of a recipe and the folder of its run.

    Raises:
        UserError: settings that cannot work, or too many trainings.
    """
    if base.method != "recam":
        raise UserError(f"A grid of full trainings is of the method recam, not '{base.method}'.")
    check_axes(x, y, len(seeds), MOST_TRAININGS * 5)
    source, folder = read_info(init), Path(folder)
    base = replace(base, backbone=source.network["backbone"], output_stride=source.network["output_stride"])
    trainings: dict[Recipe, list[str]] = {}
    settings, points = [], []
    for row in y.values:
        for column in x.values:
            there = with_values(base, {x.name: column, y.name: row})
            recipes = tuple(replace(there, seed=int(seed)) for seed in dict.fromkeys(seeds))
            check_recipe(recipes[0])
            check_background(recipes[0], source.has_background, protocol.fit)
            if recipes[0].weight == 0:
                # Nothing trains FC2 then; a rule that looked at it would read its initial weights.
                recipes = tuple(replace(recipe, rule="fc1") for recipe in recipes)
            rule = recipes[0].rule
            settings.append(
                Setting(
                    point_label(x, column, y, row),
                    recipes,
                    {x.name: column, y.name: row},
                    fair=not parse_mask(recipes[0].mask).needs_truth,
                )
            )
            shared = [replace(recipe, rule=base.rule) for recipe in recipes]
            for recipe in shared:
                trainings.setdefault(recipe, [])
                if rule not in trainings[recipe]:
                    trainings[recipe].append(rule)
            points.append((shared, rule))
    check_labels(settings)
    if len(trainings) > MOST_TRAININGS:
        raise UserError(f"The grid needs {len(trainings)} trainings; {MOST_TRAININGS} are the most. Name fewer values.")
    kept = f"start-{source.weights_sha256[:10]}"
    own = FullTask(None, str(init), protocol, ("fc1",), str(folder), kept, device, threads)
    tasks = []
    for recipe, rules in trainings.items():
        name = _name(recipe, protocol, source.weights_sha256)
        out = folder / name
        words = command(recipe, out) if command else ""
        training = Training(recipe, protocol.fit, str(init), str(out), device, threads, words)
        tasks.append(FullTask(training, str(out), protocol, tuple(rules), str(folder), name, device, threads))
    places = {recipe: place + 1 for place, recipe in enumerate(trainings)}
    wanted = tuple((tuple(places[recipe] for recipe in shared), rule) for shared, rule in points)
    return FullGridPlan((own, *tasks), tuple(settings), wanted)


def full_grid(
    plan: FullGridPlan, x: Axis, y: Axis, way: str = "auto", workers: int = 1, progress: ProgressFn = silent
) -> Experiment:
    """Carry out the trainings of a plan and compare them.

    A grid that was stopped goes on where it was: finished runs and their scores are kept, and the one that was cut off
    resumes. The result is left in the folder of the grid, see :mod:`recam_core.experiments.kept_result`.

    Args:
        plan: from :func:`plan_full_grid`.
        x, y: its axes.
        way, workers: see :func:`recam_core.experiments.dispatch.dispatch`.
        progress: called after each training and, but for the way ``one``, twice a second; may raise Cancelled.

    Raises:
        UserError: data that cannot be used, or a training that failed.
    """
    way = pick_way(way, workers)
    own = plan.tasks[0]
    parts = check_start(own.protocol, own.run)
    outcomes = dispatch(carry_out, plan.tasks, way, workers, progress)
    select, report = outcomes[0]["fc1"]
    reference = SettingResult(Setting(REFERENCE, ()), (), (select,), (report,))
    found = []
    for setting, (places, rule) in zip(plan.settings, plan.wanted, strict=True):
        pairs = [outcomes[place][rule] for place in places]
        runs = tuple(plan.tasks[place].run for place in places)
        found.append(
            SettingResult(setting, (), tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs), runs)
        )
    pictures = {FIT: len(parts[FIT]), SELECT: select.outcomes.pictures, REPORT: report.outcomes.pictures}
    protocol = own.protocol
    untrained = any(recipe.weight == 0 for setting in plan.settings for recipe in setting.recipes)
    notes = (
        f"Whole networks are trained on {protocol.fit} ({pictures[FIT]} pictures), settings and thresholds chosen on "
        f"{protocol.select} ({pictures[SELECT]}), and figures reported on {protocol.report} ({pictures[REPORT]}).",
        "All pixels are scored, at the usual scales with mirror images.",
        f"{plan.trainings} training{'s' if plan.trainings > 1 else ''}, started from {read_info(own.run).name}.",
        *(["At lambda 0 FC2 is not trained, and the maps are those of FC1."] if untrained else []),
        *start_notes(read_info(own.run), protocol),
        *seed_notes(found),
    )
    title = f"Grid of full trainings: {x.name} and {y.name}"
    outcome = Outcome({"x": x, "y": y}, protocol, pictures, True, reference, tuple(found), notes)
    result = replace(GRID, title=title).answer("full", outcome)
    write_result(Path(own.folder), result, _scored_ids(parts[REPORT]))
    return result


def check_start(protocol: Protocol, init: str | Path) -> dict[str, Dataset]:
    """The three parts of the data, opened and checked against the run that the trainings start from.

    Raises:
        UserError: data that cannot be used, or classes that are not the run's.
    """
    parts = open_parts(protocol)
    source = read_info(init)
    for dataset in parts.values():
        check_classes(source.class_list, dataset.classes, f"The run {source.name}", f"the data set {dataset.spec}")
    return parts


def _scored_ids(dataset: Dataset) -> list[str]:
    """Ids of the pictures with masks, in their order."""
    return [id for index, id in enumerate(dataset.ids) if dataset.mask(index) is not None]


def _name(recipe: Recipe, protocol: Protocol, weights_sha256: str) -> str:
    """A folder name that tells settings, data and start apart, and begins with what people look for."""
    settings = recipe.to_json()
    if recipe.background == 0:
        # Without a row its settings mean nothing, and runs of versions before it are found again.
        del settings["background"], settings["background_power"]
    identity = json.dumps([settings, protocol.fit, weights_sha256], sort_keys=True)
    digest = hashlib.sha256(identity.encode()).hexdigest()[:10]
    return f"recam-lambda{recipe.weight:g}-{recipe.mask.replace(':', '')}-seed{recipe.seed}-{digest}"
