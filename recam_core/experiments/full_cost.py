"""How long full trainings will take on this machine, from a step and a picture that are timed here and now."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from recam_core.checkpoint.run_folder import load_run
from recam_core.data.sample import Dataset
from recam_core.experiments.full_task import SCORING, TRAINING, FullTask, task_progress
from recam_core.experiments.protocol import FIT, REPORT, SELECT
from recam_core.maps.dataset_maps import MapSettings, maps_of_dataset
from recam_core.model.network import CamNetwork
from recam_core.train.recipe import Recipe
from recam_core.train.views import AugmentedViews

#: Pictures in the step that is timed; the cost of a picture hardly depends on their number.
_BATCH = 4


@dataclass(frozen=True)
class Speed:
    """Seconds of a picture: in an epoch of training, and scored at the usual scales with mirror images."""

    train: float
    score: float


def measure_speed(init: str, dataset: Dataset, recipe: Recipe, device: torch.device | str = "cpu") -> Speed:
    """Time a step and a picture; takes seconds.

    What else the machine works on slows it down here as it will slow the trainings down.

    Args:
        init: folder of the run that trainings start from.
        dataset: its pictures are loaded, changed at random, and scored.
        recipe: gives size and number of the crops.
        device: where trainings will be.

    Raises:
        UserError: a run or a picture that cannot be read.
        torch.OutOfMemoryError: the device has no room for it.
    """
    network = load_run(init, device).network
    count = min(_BATCH, recipe.batch_size, len(dataset))
    views = AugmentedViews(dataset, recipe, (0, 0, 0), with_masks=False)
    train = _second_time(lambda: _step(network, views, count)) / count
    network.zero_grad(set_to_none=True)
    network.eval()
    score = _second_time(lambda: list(maps_of_dataset(network, dataset, ["fc1"], MapSettings(), limit=1)))
    return Speed(train, score)


def task_seconds(task: FullTask, pictures: Mapping[str, int], speed: Speed) -> dict[str, float]:
    """Seconds of the training and of the scoring of a task, when nothing of it is there yet.

    Args:
        task: of a plan.
        pictures: how many each part has.
        speed: of this machine.
    """
    epochs = task.recipe.epochs if task.recipe is not None else 0
    return {
        TRAINING: epochs * pictures[FIT] * speed.train,
        SCORING: (pictures[SELECT] + pictures[REPORT]) * speed.score,
    }


def seconds_done(tasks: Sequence[FullTask], each: Sequence[dict[str, float]]) -> float:
    """Seconds of work that are behind the tasks, in the measure of :func:`task_seconds`."""
    total = 0.0
    for task, seconds in zip(tasks, each, strict=True):
        step, done = task_progress(task)
        if step == SCORING:
            total += seconds[TRAINING] + done * seconds[SCORING]
        elif step == TRAINING:
            total += done * seconds[TRAINING]
    return total


def _second_time(work: Callable[[], object]) -> float:
    """Seconds of a call, after one that meets everything for the first time."""
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    began = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began


def _step(network: CamNetwork, views: AugmentedViews, count: int) -> None:
    """Forward and backward of a batch; FC2 and the losses are small beside the backbone."""
    images = torch.from_numpy(np.stack([views[0, index][0] for index in range(count)]))
    network.train()
    network.freeze_norm()
    features = network.features(network.preprocess(images.to(network.device)))
    (features.float().mean(dim=(2, 3)) @ network.fc1.T).square().mean().backward()
