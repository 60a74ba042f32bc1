"""One training of a grid of full trainings, and the scores of its maps: kept beside the grid, as how far it is."""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from recam_core.atomic_write import write_json
from recam_core.checkpoint.run_folder import INFO_FILE, load_run, read_info
from recam_core.data.sample import ClassList, Dataset
from recam_core.data.spec import open_dataset
from recam_core.device import make_current, pick_device
from recam_core.errors import UserError
from recam_core.experiments.part_score import PartScore, score_from_json, score_part, score_to_json, select_threshold
from recam_core.experiments.protocol import REPORT, SELECT, Protocol
from recam_core.maps.dataset_maps import MapSettings, maps_of_dataset
from recam_core.model.network import CamNetwork
from recam_core.records import RecordError, as_finite, opened_record
from recam_core.scores.evaluate import count_maps
from recam_core.scores.pixel_counts import PictureCounts, PixelCounts, join
from recam_core.train.loop import train
from recam_core.train.recipe import Recipe, from_json

#: Steps of a task, as its footprint names them.
TRAINING, SCORING = "training", "scoring"
#: Folders of a grid beside its runs: scores of each, and how far it is.
_SCORES, _FOOTPRINTS = ".scores", ".progress"
#: Seconds between two writes of a footprint.
INTERVAL = 1.0
#: By rule, the scores on select and on report.
ByRule = dict[str, tuple[PartScore, PartScore]]


@dataclass(frozen=True)
class FullTask:
    """A training and the scores of its maps; it may be carried out on another machine that sees the same folders.

    Attributes:
        recipe: the settings; None to score ``init`` as it is.
        protocol: which pictures do what.
        init: folder of the run to start from.
        folder: of the grid.
        name: of the new run's folder in it; of the run that it starts from, a name for its scores.
        rules: extraction rules to score.
        device: see :func:`recam_core.device.pick_device`.
        threads: of the processor, 0 for torch's own choice.
        command: the command line that makes the run again; "" for the one that is running.
    """

    recipe: Recipe | None
    protocol: Protocol
    init: str
    folder: str
    name: str
    rules: tuple[str, ...]
    device: str = "auto"
    threads: int = 0
    command: str = ""

    @property
    def run(self) -> Path:
        """The folder of the run that is scored."""
        return Path(self.init) if self.recipe is None else Path(self.folder) / self.name

    @property
    def scores(self) -> Path:
        """The file of its scores."""
        return Path(self.folder) / _SCORES / f"{self.name}.json"

    @property
    def footprint(self) -> Path:
        """The file that tells how far it is."""
        return Path(self.folder) / _FOOTPRINTS / f"{self.name}.json"


def carry_out(task: FullTask) -> ByRule:
    """Train (or find the finished run) and score (or find the scores): by rule, those on select and on report.

    Raises:
        UserError: a folder with another run in it, data that cannot be used, a training that failed.
    """
    if task.threads:
        torch.set_num_threads(task.threads)
    device = pick_device(task.device)
    make_current(device)
    footprint = Footprint(task.footprint)
    if task.recipe is not None and not is_trained(task):
        train(
            task.recipe,
            open_dataset(task.protocol.fit),
            task.run,
            init=load_run(task.init),
            device=device,
            progress=lambda done, total, note: footprint(TRAINING, done, total),
            command=task.command or None,
        )
    info = read_info(task.run)
    kept = read_scores(task.scores, info.weights_sha256, task.protocol, info.class_list)
    if all(rule in kept for rule in task.rules):
        return {rule: kept[rule] for rule in task.rules}
    network = load_run(task.run, device).network
    specs = {part: getattr(task.protocol, part) for part in (SELECT, REPORT)}
    datasets = {part: open_dataset(spec) for part, spec in specs.items()}
    total, before = sum(len(dataset) for dataset in datasets.values()), 0
    counts = {}
    for part, dataset in datasets.items():
        counts[part] = _count(
            network, dataset, task.rules, lambda at, done=before: footprint(SCORING, done + at, total)
        )
        before += len(dataset)
    found: ByRule = {}
    for rule in task.rules:
        threshold = select_threshold(counts[SELECT][rule], SELECT)
        select, report = (score_part(counts[part][rule], threshold, part, True) for part in (SELECT, REPORT))
        found[rule] = (select, report)
    write_scores(task.scores, info.weights_sha256, task.protocol, {**kept, **found})
    return found


def task_progress(task: FullTask) -> tuple[str, float]:
    """The step that a task is in (``training``, ``scoring``, or "" before and after), and the share of it that is done.

    What is over counts as a step that is done: (``scoring``, 1.0) where scores are kept.
    """
    if task.scores.exists():
        return SCORING, 1.0
    if task.recipe is not None and (task.run / INFO_FILE).is_file():
        step, done = read_footprint(task.footprint)
        return SCORING, done if step == SCORING else 0.0
    return read_footprint(task.footprint)


def is_trained(task: FullTask) -> bool:
    """Whether the run is there already, from the same recipe."""
    if task.recipe is None or not (task.run / INFO_FILE).is_file():
        return False
    recipe = dict(read_info(task.run).recipe)
    recipe["weights"] = task.recipe.weights
    try:
        return from_json(recipe) == task.recipe
    except ValueError:
        return False


def _count(
    network: CamNetwork, dataset: Dataset, rules: Sequence[str], progress: Callable[[int], None]
) -> dict[str, PixelCounts]:
    ids: list[str] = []
    pictures: dict[str, list[PictureCounts]] = {rule: [] for rule in rules}
    for place, (sample, maps) in enumerate(maps_of_dataset(network, dataset, rules, MapSettings()), start=1):
        progress(place)
        if sample.mask is None:
            continue
        ids.append(sample.id)
        for rule in rules:
            pictures[rule].append(count_maps(maps[rule], sample.mask, dataset.classes))
    if not ids:
        raise UserError(f"No picture of {dataset.spec} has a ground-truth mask, so there is nothing to score.")
    return {rule: join(ids, kept, dataset.classes) for rule, kept in pictures.items()}


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


class Footprint:
    """Writes the step that a task is in, and how far that is, about once a second.

    A disk that is full does not end the task for want of a footprint.
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


def read_footprint(file: Path) -> tuple[str, float]:
    """The step of a task and the share of it that is done; no step where nothing was written yet."""
    try:
        with opened_record(file) as values:
            done, total = as_finite(values["done"]), as_finite(values["total"])
            return str(values["step"]), min(max(done / max(total, 1), 0.0), 1.0)
    except RecordError:
        return "", 0.0
