"""A grid of full trainings, backbone and all: minutes to hours a point, handed to processes or to Ray."""

import hashlib
import json
import os
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from recam_core.checkpoint.run_folder import read_info
from recam_core.data.sample import Dataset
from recam_core.errors import UserError
from recam_core.experiments.axes import Axis, check_axes, point_label, with_values
from recam_core.experiments.dispatch import dispatch, pick_way, ray_is_installed
from recam_core.experiments.experiment import Experiment, seed_notes, start_notes
from recam_core.experiments.full_training import FullTask, Training, carry_out
from recam_core.experiments.grid import GRID
from recam_core.experiments.kept_result import write_result
from recam_core.experiments.lab import REFERENCE, Setting, SettingResult, check_labels
from recam_core.experiments.protocol import FIT, REPORT, SELECT, Protocol, open_parts, protocol_for
from recam_core.experiments.study import Outcome
from recam_core.guest import as_typed_spec
from recam_core.method.background import check_background
from recam_core.method.masks import parse_mask
from recam_core.progress import ProgressFn, silent
from recam_core.scores.evaluate import check_classes
from recam_core.train.recipe import Recipe, check_recipe, train_command
from recam_core.typed_path import as_typed

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


@dataclass(frozen=True)
class FullGrid:
    """A grid of full trainings, as a person asks for it.

    Attributes:
        init: the converged BCE run that each training starts from.
        data: the training split as a whole, such as ``scenes@train``.
        protocol: its parts.
        x, y: the axes, see :func:`recam_core.experiments.axes.full_axis`.
        preset: name of the preset that ``base`` is.
        base: every other setting; its method is ``recam``. The backbone is that of ``init``.
        seeds: each point once a seed.
        device: as :func:`recam_core.device.device_name` gives it.
        workers: trainings at a time.
        by: see :func:`recam_core.experiments.dispatch.dispatch`.
        threads: of the processor, a training; 0 shares them out.
    """

    init: Path
    data: str
    protocol: Protocol
    x: Axis
    y: Axis
    preset: str
    base: Recipe
    seeds: tuple[int, ...] = (0,)
    device: str = "cpu"
    workers: int = 1
    by: str = "auto"
    threads: int = 0

    def plan(self, folder: Path) -> FullGridPlan:
        """Which trainings it needs: points that differ in the extraction rule alone share one.

        Args:
            folder: where the runs go, each in a folder named after its settings; those that are there already are not
                made again.

        Raises:
            UserError: settings that cannot work, or too many trainings.
        """
        if self.base.method != "recam":
            raise UserError(f"A grid of full trainings is of the method recam, not '{self.base.method}'.")
        check_axes(self.x, self.y, len(self.seeds), MOST_TRAININGS * 5)
        source = read_info(self.init)
        base = replace(self.base, backbone=source.network["backbone"], output_stride=source.network["output_stride"])
        trainings: dict[Recipe, list[str]] = {}
        settings, points = [], []
        for row in self.y.values:
            for column in self.x.values:
                there = with_values(base, {self.x.name: column, self.y.name: row})
                recipes = tuple(replace(there, seed=int(seed)) for seed in dict.fromkeys(self.seeds))
                check_recipe(recipes[0])
                check_background(recipes[0], source.has_background, self.protocol.fit)
                if recipes[0].weight == 0:
                    # Nothing trains FC2 then; a rule that looked at it would read its initial weights.
                    recipes = tuple(replace(recipe, rule="fc1") for recipe in recipes)
                rule = recipes[0].rule
                settings.append(
                    Setting(
                        point_label(self.x, column, self.y, row),
                        recipes,
                        {self.x.name: column, self.y.name: row},
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
            raise UserError(
                f"The grid needs {len(trainings)} trainings; {MOST_TRAININGS} are the most. Name fewer values."
            )
        threads = self.threads or threads_of(self.workers)
        # Ray gives each worker the one device that it may use.
        device = self.device.partition(":")[0] if pick_way(self.by, self.workers) == "ray" else self.device
        init, start = str(self.init), str(as_typed(self.init))
        kept = f"start-{source.weights_sha256[:10]}"
        own = FullTask(None, init, self.protocol, ("fc1",), str(folder), kept, device, threads)
        tasks = []
        for recipe, rules in trainings.items():
            name = _name(recipe, self.protocol, source.weights_sha256)
            out = folder / name
            words = train_command(recipe, data=self.protocol.fit, init=start, out=str(as_typed(out)))
            training = Training(recipe, self.protocol.fit, init, str(out), device, threads, words)
            tasks.append(FullTask(training, str(out), self.protocol, tuple(rules), str(folder), name, device, threads))
        places = {recipe: place + 1 for place, recipe in enumerate(trainings)}
        wanted = tuple((tuple(places[recipe] for recipe in shared), rule) for shared, rule in points)
        return FullGridPlan((own, *tasks), tuple(settings), wanted)

    def queue_way(self) -> str:
        """How the queue hands its trainings out: ``local`` or ``ray``.

        Raises:
            UserError: see :func:`recam_core.experiments.dispatch.pick_way`.
        """
        way = pick_way(self.by, self.workers)
        # A process each, also of one at a time: the queue can then end it at once, and gets its memory back.
        return "local" if way == "one" else way

    def command(self, folder: Path | None = None) -> str:
        """The command line that does the same: in a folder, or by the queue."""
        words = ["python", "-m", "recam_core", "experiment", "full", str(as_typed(self.init))]
        words += ["--data", as_typed_spec(self.data)]
        if self.protocol != protocol_for(self.data):
            words += ["--report", self.protocol.report]
        words += ["--x", self.x.name, *axis_words(self.x), "--y", self.y.name, *axis_words(self.y)]
        words += ["--preset", self.preset, "--epochs", str(self.base.epochs)]
        words += ["--background", repr(self.base.background)] if self.base.background else []
        words += ["--seeds", *map(str, self.seeds)] if self.seeds != (0,) else []
        words += ["--workers", str(self.workers)] if self.workers > 1 else []
        words += ["--by", self.by] if self.by != "auto" else []
        words += ["--folder", str(as_typed(folder))] if folder is not None else ["--queue"]
        return shlex.join(words)


def axis_words(axis: Axis) -> list[str]:
    """The values of an axis as a command line takes them, numbers with all their digits."""
    return [repr(value) if isinstance(value, float) else str(value) for value in axis.values]


def threads_of(workers: int) -> int:
    """Threads of each of so many trainings on one processor, or they would all take all cores; 0 for a single one."""
    return max((os.cpu_count() or 1) // workers, 1) if workers > 1 else 0


def usual_workers(device: str) -> int:
    """Trainings at a time to begin with: one on a device, unless there is Ray to hand several processors out."""
    return min(2, os.cpu_count() or 1) if device == "cpu" and ray_is_installed() else 1


def full_grid(grid: FullGrid, folder: Path, way: str = "", progress: ProgressFn = silent) -> Experiment:
    """Carry out the trainings of a grid and compare them.

    One that was stopped goes on where it was: finished runs and their scores are kept, and the training that was cut
    off resumes. The result is left in the folder, see :mod:`recam_core.experiments.kept_result`.

    Args:
        grid: what is asked for.
        folder: of the grid, with its runs.
        way: how trainings are handed out, where that is not as the grid says: see
            :func:`recam_core.experiments.dispatch.dispatch`.
        progress: called after each training and, but for the way ``one``, twice a second; may raise Cancelled.

    Raises:
        UserError: settings that cannot work, data that cannot be used, or a training that failed.
    """
    plan, x, y, protocol = grid.plan(folder), grid.x, grid.y, grid.protocol
    parts = check_start(protocol, grid.init)
    outcomes = dispatch(carry_out, plan.tasks, way or grid.by, grid.workers, progress)
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
    source = read_info(grid.init)
    untrained = any(recipe.weight == 0 for setting in plan.settings for recipe in setting.recipes)
    notes = (
        f"Whole networks are trained on {protocol.fit} ({pictures[FIT]} pictures), settings and thresholds chosen on "
        f"{protocol.select} ({pictures[SELECT]}), and figures reported on {protocol.report} ({pictures[REPORT]}).",
        "All pixels are scored, at the usual scales with mirror images.",
        f"{plan.trainings} training{'s' if plan.trainings > 1 else ''}, started from {source.name}.",
        *(["At lambda 0 FC2 is not trained, and the maps are those of FC1."] if untrained else []),
        *start_notes(source, protocol),
        *seed_notes(found),
    )
    title = f"Grid of full trainings: {x.name} and {y.name}"
    outcome = Outcome({"x": x, "y": y}, protocol, pictures, True, reference, tuple(found), notes)
    result = replace(GRID, title=title).answer("full", outcome)
    write_result(folder, result, _scored_ids(parts[REPORT]))
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
