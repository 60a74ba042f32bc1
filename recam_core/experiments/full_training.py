"""One unit of work: a network trained, or found where it is there, and scored by rules or by heads on its features.

A :class:`Training` is what is to be trained. A :class:`FullTask` is a training and the scores of its maps picture by
picture, as grids compare them; a :class:`ScoreTask` is the scores of a run as figures, as the paper's tables have them.
Each is a plain value that another process, or another machine that sees the same folders, can carry out. Scores are
kept in a file; a kept score of the same weights on the same pictures is not measured again.
"""

import contextlib
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recam_core.atomic_write import write_json
from recam_core.checkpoint.run_folder import INFO_FILE, Run, RunInfo, load_run, read_info
from recam_core.data.check import refuse_unscorable
from recam_core.data.digest import dataset_digest
from recam_core.data.sample import ClassList, Dataset
from recam_core.data.spec import open_dataset, parse_spec
from recam_core.device import make_current, pick_device
from recam_core.errors import UserError
from recam_core.experiments.figures import FIGURES
from recam_core.experiments.head_scores import count_exact
from recam_core.experiments.lab import maps_weight
from recam_core.experiments.part_score import PartScore, score_from_json, score_part, score_to_json, select_threshold
from recam_core.experiments.protocol import REPORT, SELECT, Protocol
from recam_core.maps.dataset_maps import MapSettings
from recam_core.method.extraction import MapWeights, map_weights
from recam_core.progress import WatchFn, unwatched
from recam_core.records import RecordError, as_finite, as_kind, opened_record, read_record
from recam_core.retrain.features import build_feature_cache
from recam_core.retrain.head_recipe import HeadRecipe, completed
from recam_core.retrain.heads import retrain_many
from recam_core.scores.pixel_counts import PixelCounts
from recam_core.scores.scores import score, sweep
from recam_core.train.loop import train
from recam_core.train.recipe import Recipe, from_json

#: Steps of a task, as its progress names them.
TRAINING, SCORING = "training", "scoring"
#: Folders of a grid beside its runs: scores of each, and how far it is.
_SCORES, _PROGRESS = ".scores", ".progress"
#: Seconds between two writes of the progress.
INTERVAL = 1.0
#: By rule, the scores on select and on report.
ByRule = dict[str, tuple[PartScore, PartScore]]
#: Figures of a row on each data set that is reported: specification -> name of :data:`FIGURES` (or threshold) -> value.
Figures = dict[str, dict[str, float | None]]
#: Bump when figures would come out otherwise, so that kept ones are not read.
FORMAT = 1


# Training -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Training:
    """A network that is to be trained.

    Attributes:
        recipe: every setting.
        data: the training pictures.
        init: folder of the run to start from, or "".
        out: folder of the new run.
        device: see :func:`recam_core.device.pick_device`.
        threads: of the processor, 0 for torch's own choice.
        command: the command line that makes the run again; "" for the one that is running.
    """

    recipe: Recipe
    data: str
    init: str
    out: str
    device: str = "auto"
    threads: int = 0
    command: str = ""


def train_or_find(training: Training, watch: WatchFn = unwatched) -> None:
    """Train, or take the run that is there already; one that was cut off goes on.

    Raises:
        UserError: see :func:`recam_core.train.loop.train`; also where another run is in the folder.
    """
    if is_made(training, Path(training.out)):
        return
    device = _at_work(training.device, training.threads)
    train(
        training.recipe,
        open_dataset(training.data),
        training.out,
        init=load_run(training.init) if training.init else None,
        device=device,
        watch=watch,
        command=training.command or None,
    )


def is_made(training: Training, folder: Path) -> bool:
    """Whether a folder holds the finished run of this recipe, on these pictures, from this start."""
    if not (folder / INFO_FILE).is_file():
        return False
    info = read_info(folder)
    # Which rule reads the maps is no matter of the training; where weights came from is told by the parent.
    recorded = {**info.recipe, "rule": training.recipe.rule, "weights": training.recipe.weights}
    try:
        meant = (training.data, open_dataset(training.data).spec)
        same = from_json(recorded) == training.recipe and parse_spec(info.data) in [parse_spec(spec) for spec in meant]
    except (ValueError, UserError):
        return False
    return same and _starts_from(info, folder, training.init)


def _starts_from(info: RunInfo, folder: Path, init: str) -> bool:
    """Whether a run began with the weights of the one in ``init`` ("": not from a run)."""
    start = read_info(init) if init else None
    if start is None or info.parent_sha256 is not None:
        return info.parent_sha256 == (start.weights_sha256 if start else None) and bool(info.parent) == bool(start)
    # Early records only name their start; it then has to lie beside them.
    return info.parent == start.name and folder.resolve().parent == Path(init).resolve().parent


def _at_work(device: str, threads: int) -> torch.device:
    """The device of a piece of work, with the threads that it may use."""
    if threads:
        torch.set_num_threads(threads)
    chosen = pick_device(device)
    make_current(chosen)
    return chosen


def _weights(run: Run, rows: Sequence[str | HeadRecipe], fit: str = "") -> list[MapWeights]:
    """The weights that maps are read by, for each row: a rule, or the recipe of heads that are trained on ``fit``."""
    recipes = [how for how in rows if isinstance(how, HeadRecipe)]
    heads = iter(retrain_many(build_feature_cache(run, open_dataset(fit)), run, recipes) if recipes else ())
    network = run.network
    with torch.inference_mode():
        return [
            maps_weight(next(heads)).to(network.device)
            if isinstance(how, HeadRecipe)
            else map_weights(how, network.fc1, network.fc2).map(Tensor.float)
            for how in rows
        ]


# A training and its scores, picture by picture ------------------------------------------------------------------------


@dataclass(frozen=True)
class FullTask:
    """A training, or a run that is there, and the scores of its maps.

    Attributes:
        training: what is trained; None to score a run as it is.
        run: folder of the run that is scored.
        protocol: which pictures do what.
        rules: extraction rules to score.
        folder: of the grid, which keeps the scores.
        name: of the run in it, or of the scores of a run that lies elsewhere.
        device, threads: see :class:`Training`.
    """

    training: Training | None
    run: str
    protocol: Protocol
    rules: tuple[str, ...]
    folder: str
    name: str
    device: str = "auto"
    threads: int = 0

    @property
    def scores(self) -> Path:
        """The file of its scores."""
        return Path(self.folder) / _SCORES / f"{self.name}.json"

    @property
    def progress(self) -> Path:
        """The file that tells how far it is."""
        return Path(self.folder) / _PROGRESS / f"{self.name}.json"


def carry_out(task: FullTask) -> ByRule:
    """Train (or find the finished run) and score (or find the scores): by rule, those on select and on report.

    Raises:
        UserError: a folder with another run in it, data that cannot be used, a training that failed.
    """
    device = _at_work(task.device, task.threads)
    tell = ProgressFile(task.progress)
    if task.training is not None:
        train_or_find(task.training, lambda moment: tell(TRAINING, moment.done, moment.total))
    info = read_info(task.run)
    kept = read_scores(task.scores, info.weights_sha256, task.protocol, info.class_list)
    if all(rule in kept for rule in task.rules):
        return {rule: kept[rule] for rule in task.rules}
    run = load_run(task.run, device)
    weights = _weights(run, task.rules)
    datasets = {part: open_dataset(getattr(task.protocol, part)) for part in (SELECT, REPORT)}
    total, before = sum(len(dataset) for dataset in datasets.values()), 0
    counts: dict[str, list[PixelCounts]] = {}
    for part, dataset in datasets.items():

        def scoring(done: int, of: int, note: str, before: int = before) -> None:
            tell(SCORING, before + done, total)

        counts[part] = count_exact(run.network, dataset, weights, scoring)
        before += len(dataset)
        if not counts[part][0].ids:
            raise UserError(f"No picture of {dataset.spec} has a ground-truth mask, so there is nothing to score.")
    found: ByRule = {}
    for place, rule in enumerate(task.rules):
        threshold = select_threshold(counts[SELECT][place], SELECT)
        select, report = (score_part(counts[part][place], threshold, part, True) for part in (SELECT, REPORT))
        found[rule] = (select, report)
    write_scores(task.scores, info.weights_sha256, task.protocol, {**kept, **found})
    return found


def task_progress(task: FullTask) -> tuple[str, float]:
    """The step that a task is in (``training``, ``scoring``, or "" before and after), and the share of it that is done.

    What is over counts as a step that is done: (``scoring``, 1.0) where scores are kept.
    """
    if task.scores.exists():
        return SCORING, 1.0
    if task.training is not None and (Path(task.run) / INFO_FILE).is_file():
        step, done = read_progress(task.progress)
        return SCORING, done if step == SCORING else 0.0
    return read_progress(task.progress)


def write_scores(file: Path, weights_sha256: str, protocol: Protocol, scores: Mapping[str, tuple]) -> None:
    """Keep the scores of a run. Raises UserError where the disk is full."""
    rules = {rule: {part.part: score_to_json(part) for part in pair} for rule, pair in scores.items()}
    write_json(file, {"weights_sha256": weights_sha256, "parts": protocol.to_json(), "rules": rules})


def read_scores(file: Path, weights_sha256: str, protocol: Protocol, classes: ClassList) -> ByRule:
    """The scores of these weights on these parts; nothing where others, or none that can be read, are kept."""
    try:
        with opened_record(file) as values:
            if values["weights_sha256"] != weights_sha256 or values["parts"] != protocol.to_json():
                return {}
            return {
                rule: (score_from_json(pair[SELECT], classes), score_from_json(pair[REPORT], classes))
                for rule, pair in values["rules"].items()
            }
    except RecordError:
        return {}


class ProgressFile:
    """Writes the step that a task is in, and how far that is, about once a second.

    A disk that is full does not end the task for want of it.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._step = ""
        self._written = 0.0

    def __call__(self, step: str, done: int, total: int) -> None:
        """The task is in a step, and has done so much of it."""
        now = time.monotonic()
        if step == self._step and now - self._written < INTERVAL:
            return
        self._step, self._written = step, now
        with contextlib.suppress(UserError):
            write_json(self.file, {"step": step, "done": done, "total": total})


@dataclass
class _Progress:
    """What the file holds."""

    step: str
    done: float
    total: float


def read_progress(file: Path) -> tuple[str, float]:
    """The step of a task and the share of it that is done; no step where nothing was written yet."""
    try:
        with opened_record(file) as values:
            found = as_kind(values, _Progress)
            return found.step, min(max(as_finite(found.done) / max(as_finite(found.total), 1), 0.0), 1.0)
    except RecordError:
        return "", 0.0


# The scores of a run as figures ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ScoreTask:
    """The scores of a run, read by rules; or of heads trained on its features.

    Attributes:
        run: folder of the run.
        rows: key of the row -> rule to read the run by, or recipe of the heads.
        fit: what heads are trained on.
        select: where background thresholds are chosen; "" for data without a background class.
        reports: where figures are reported.
        kept: folder of the scores.
        device, threads: see :class:`Training`.
    """

    run: str
    rows: tuple[tuple[str, str | HeadRecipe], ...]
    fit: str
    select: str
    reports: tuple[str, ...]
    kept: str
    device: str = "auto"
    threads: int = 0


def figures_of(task: ScoreTask) -> dict[str, Figures]:
    """The figures of each row, from the kept files where all that decides them is the same.

    All pixels are scored, at the usual scales with mirror images. One pass through the backbone serves all rows.

    Raises:
        UserError: data that cannot be used.
    """
    device = _at_work(task.device, task.threads)
    specs = [task.select, *task.reports] if task.select else list(task.reports)
    datasets = {spec: open_dataset(spec) for spec in dict.fromkeys(specs)}
    for dataset in datasets.values():
        if not dataset.has_masks:
            raise UserError(f"{dataset.spec} has no ground-truth masks, so nothing can be scored on it.")
        refuse_unscorable(dataset)
    files = {key: Path(task.kept) / f"{_name(task, key, how, datasets)}.json" for key, how in task.rows}
    found = {key: kept for key, file in files.items() if (kept := _read(file)) is not None}
    missing = [(key, how) for key, how in task.rows if key not in found]
    if missing:
        for key, figures in _measure(task, missing, datasets, device).items():
            write_json(files[key], figures)
            found[key] = figures
    return found


def _measure(
    task: ScoreTask, rows: list[tuple[str, str | HeadRecipe]], datasets: dict[str, Dataset], device: torch.device
) -> dict[str, Figures]:
    run = load_run(task.run, device)
    weights = _weights(run, [how for _, how in rows], task.fit)
    counts = {spec: count_exact(run.network, dataset, weights) for spec, dataset in datasets.items()}
    found = {}
    for place, (key, _) in enumerate(rows):
        threshold = sweep(counts[task.select][place].total()).best().threshold if task.select else None
        found[key] = {spec: _figures(counts[spec][place], threshold) for spec in task.reports}
    return found


def _figures(counts: PixelCounts, threshold: float | None) -> dict[str, float | None]:
    has_background = counts.classes.has_background
    confusion = score(counts.total(), threshold, has_background).confusion
    values = {name: float(figure(confusion, has_background)) for name, (figure, _, _) in FIGURES.items()}
    return {**values, "threshold": threshold, "pictures": len(counts)}


def _name(task: ScoreTask, key: str, how: str | HeadRecipe, datasets: dict[str, Dataset]) -> str:
    parts: list[Any] = [
        FORMAT,
        read_info(task.run).weights_sha256,
        how if isinstance(how, str) else completed(how).to_json(),
        task.fit if isinstance(how, HeadRecipe) else "",
        task.select,
        [[spec, dataset_digest(datasets[spec])] for spec in datasets],
        list(MapSettings().scales),
    ]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
    return "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in key) + f"-{digest}"


def _read(file: Path) -> Figures | None:
    """What was kept, or None where there is nothing that can be read."""
    try:
        return read_record(file)
    except RecordError:
        return None
