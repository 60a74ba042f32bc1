"""A grid of full trainings, backbone and all: minutes to hours a point, handed to processes or to Ray."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from recam_core.checkpoint.run_folder import INFO_FILE, load_run, read_info
from recam_core.data.spec import open_dataset
from recam_core.device import pick_device
from recam_core.errors import UserError
from recam_core.experiments.axes import Axis, check_axes, point_label
from recam_core.experiments.dispatch import dispatch, pick_way
from recam_core.experiments.experiment import Experiment
from recam_core.experiments.full_axes import FULL_AXES
from recam_core.experiments.grid import grid_result
from recam_core.experiments.lab import REFERENCE, check_labels
from recam_core.experiments.part_score import PartScore, score_part, select_threshold
from recam_core.experiments.protocol import FIT, REPORT, SELECT, Protocol, open_parts
from recam_core.experiments.setting import Measured, Setting
from recam_core.maps.dataset_maps import MapSettings, maps_of_dataset
from recam_core.method.masks import parse_mask
from recam_core.progress import ProgressFn, silent
from recam_core.scores.evaluate import check_classes, count_maps
from recam_core.scores.pixel_counts import PictureCounts, PixelCounts, join
from recam_core.train.loop import train
from recam_core.train.recipe import Recipe, check_recipe, from_json

#: A day or two on a laptop.
MOST_TRAININGS = 100


@dataclass(frozen=True)
class FullTask:
    """A training and the scores of its maps; it may be carried out on another machine that sees the same folders.

    Attributes:
        recipe: the settings; None to score ``init`` as it is.
        protocol: which pictures do what.
        init: folder of the run to start from.
        out: folder of the new run.
        rules: extraction rules to score.
        device: see :func:`recam_core.device.pick_device`.
        threads: of the processor, 0 for torch's own choice.
    """

    recipe: Recipe | None
    protocol: Protocol
    init: str
    out: str
    rules: tuple[str, ...]
    device: str = "auto"
    threads: int = 0


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
) -> FullGridPlan:
    """Which trainings a grid needs: points that differ in the extraction rule alone share one.

    Args:
        init: the converged BCE run that each training starts from.
        protocol: which pictures do what.
        folder: where the runs go, each in a folder named after its settings; those that are there already are not
            made again.
        x, y: the axes, see :func:`recam_core.experiments.full_axes.full_axis`.
        base: every other setting; its method is ``recam``.
        seeds: of the initial weights, the order and the augmentation.
        device, threads: see :class:`FullTask`.

    Raises:
        UserError: settings that cannot work, or too many trainings.
    """
    if base.method != "recam":
        raise UserError(f"A grid of full trainings is of the method recam, not '{base.method}'.")
    check_axes(x, y, len(seeds), MOST_TRAININGS * 5)
    trainings: dict[Recipe, list[str]] = {}
    settings, points = [], []
    for row in y.values:
        for column in x.values:
            changed = {FULL_AXES[x.name].field: column, FULL_AXES[y.name].field: row}
            recipes = tuple(replace(base, seed=int(seed), **changed) for seed in dict.fromkeys(seeds))
            check_recipe(recipes[0])
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
    source = read_info(init)
    own = FullTask(None, protocol, str(init), "", ("fc1",), device, threads)
    tasks = [
        FullTask(
            recipe, protocol, str(init), str(Path(folder) / _name(recipe, protocol, source.weights_sha256)),
            tuple(rules), device, threads,
        )
        for recipe, rules in trainings.items()
    ]  # fmt: skip
    places = {recipe: place + 1 for place, recipe in enumerate(trainings)}
    wanted = tuple((tuple(places[recipe] for recipe in shared), rule) for shared, rule in points)
    return FullGridPlan((own, *tasks), tuple(settings), wanted)


def full_grid(
    plan: FullGridPlan, x: Axis, y: Axis, way: str = "auto", workers: int = 1, progress: ProgressFn = silent
) -> Experiment:
    """Carry out the trainings of a plan and compare them.

    A grid that was stopped goes on where it was: finished runs are kept, and the one that was cut off resumes.

    Args:
        plan: from :func:`plan_full_grid`.
        x, y: its axes.
        way, workers: see :func:`recam_core.experiments.dispatch.dispatch`.
        progress: called after each training; may raise Cancelled.

    Raises:
        UserError: data that cannot be used, or a training that failed.
    """
    way = pick_way(way, workers)
    own = plan.tasks[0]
    parts = open_parts(own.protocol)
    source = read_info(own.init)
    for dataset in parts.values():
        check_classes(source.class_list, dataset.classes, f"The run {source.name}", f"the data set {dataset.spec}")
    outcomes = dispatch(carry_out, plan.tasks, way, workers, progress)
    select, report = outcomes[0]["fc1"]
    reference = Measured(Setting(REFERENCE, ()), (), (select,), (report,))
    found = []
    for setting, (places, rule) in zip(plan.settings, plan.wanted, strict=True):
        pairs = [outcomes[place][rule] for place in places]
        runs = tuple(plan.tasks[place].out for place in places)
        found.append(Measured(setting, (), tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs), runs))
    pictures = {FIT: len(parts[FIT]), SELECT: select.outcomes.pictures, REPORT: report.outcomes.pictures}
    protocol = own.protocol
    notes = (
        f"Whole networks are trained on {protocol.fit} ({pictures[FIT]} pictures), settings and thresholds chosen on "
        f"{protocol.select} ({pictures[SELECT]}), and figures reported on {protocol.report} ({pictures[REPORT]}).",
        "All pixels are scored, at the usual scales with mirror images.",
        f"{len(plan.tasks) - 1} training{'s' if len(plan.tasks) > 2 else ''}, started from {source.name}.",
    )
    title = f"Grid of full trainings: {x.name} and {y.name}"
    return grid_result("full", title, protocol, pictures, True, (x, y), reference, found, notes)


def carry_out(task: FullTask) -> dict[str, tuple[PartScore, PartScore]]:
    """Train (or find the finished run) and score: by rule, the scores on select and on report.

    Raises:
        UserError: a folder with another run in it, data that cannot be used, a training that failed.
    """
    if task.threads:
        torch.set_num_threads(task.threads)
    device, folder = pick_device(task.device), task.init
    if task.recipe is not None:
        folder = task.out
        if not _finished(task):
            train(task.recipe, open_dataset(task.protocol.fit), folder, init=load_run(task.init), device=device)
    network = load_run(folder, device).network
    found: dict[str, tuple[PartScore, PartScore]] = {}
    counts = {part: _count(network, getattr(task.protocol, part), task.rules) for part in (SELECT, REPORT)}
    for rule in task.rules:
        threshold = select_threshold(counts[SELECT][rule], SELECT)
        select, report = (score_part(counts[part][rule], threshold, part, True) for part in (SELECT, REPORT))
        found[rule] = (select, report)
    return found


def _finished(task: FullTask) -> bool:
    """Whether the run is there already, from the same recipe."""
    if not (Path(task.out) / INFO_FILE).is_file():
        return False
    recipe = dict(read_info(task.out).recipe)
    recipe["weights"] = task.recipe.weights
    try:
        return from_json(recipe) == task.recipe
    except TypeError:
        return False


def _count(network: torch.nn.Module, spec: str, rules: Sequence[str]) -> dict[str, PixelCounts]:
    dataset = open_dataset(spec)
    ids: list[str] = []
    pictures: dict[str, list[PictureCounts]] = {rule: [] for rule in rules}
    for sample, maps in maps_of_dataset(network, dataset, rules, MapSettings()):
        if sample.mask is None:
            continue
        ids.append(sample.id)
        for rule in rules:
            pictures[rule].append(count_maps(maps[rule], sample.mask, dataset.classes))
    if not ids:
        raise UserError(f"No picture of {spec} has a ground-truth mask, so there is nothing to score.")
    return {rule: join(ids, kept, dataset.classes) for rule, kept in pictures.items()}


def _name(recipe: Recipe, protocol: Protocol, weights_sha256: str) -> str:
    """A folder name that tells settings, data and start apart, and begins with what people look for."""
    identity = json.dumps([recipe.to_json(), protocol.fit, weights_sha256], sort_keys=True)
    digest = hashlib.sha256(identity.encode()).hexdigest()[:10]
    return f"recam-lambda{recipe.weight:g}-{recipe.mask.replace(':', '')}-seed{recipe.seed}-{digest}"
