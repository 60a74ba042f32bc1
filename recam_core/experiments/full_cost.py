"""How long full trainings will take on this machine, from a step and a picture that are timed on it."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from recam_core.checkpoint.run_folder import load_run
from recam_core.data.sample import Dataset
from recam_core.experiments.full_training import SCORING, TRAINING, FullTask, task_progress
from recam_core.experiments.protocol import FIT, REPORT, SELECT
from recam_core.gate import device_gate
from recam_core.maps.dataset_maps import MapSettings, maps_of_dataset
from recam_core.model.network import CamNetwork
from recam_core.priority import threads_here
from recam_core.train.recipe import Recipe
from recam_core.train.views import AugmentedViews

#: Pictures in the step that is timed; the cost of a picture hardly depends on their number.
_BATCH = 4
#: Calls that are timed; the quickest counts.
_CALLS = 2
#: Threads that share work get in each other's way: so many times an even share, measured on 2 cores with the small
#: preset on the drawn scenes (trainings 1.4, scores 1.2).
_SHARED = 1.3


@dataclass(frozen=True)
class Speed:
    """Seconds of a picture: in an epoch of training, and scored at the usual scales with mirror images."""

    train: float
    score: float


def measure_speed(init: str, dataset: Dataset, recipe: Recipe, device: torch.device | str = "cpu") -> Speed:
    """Time a step and a picture; takes seconds.

    On a processor, the time that one thread works is taken, and shared out among all: so it says how fast the machine
    is, whatever else runs on it. (Short pieces of work by several threads that must wait for a busy core take up to 50
    times as long, whole trainings two or three times.)

    Args:
        init: folder of the run that trainings start from.
        dataset: its pictures are loaded, changed at random, and scored.
        recipe: gives size and number of the crops.
        device: where trainings will be.

    Raises:
        UserError: a run or a picture that cannot be read.
        RuntimeError: the device has no room for it, see :func:`recam_core.memory.is_out_of_memory`.
    """
    if torch.device(device).type != "cpu":
        return _measured(init, dataset, recipe, device, time.perf_counter)
    threads = torch.get_num_threads()

    def alone() -> Speed:
        threads_here(1)
        return _measured(init, dataset, recipe, device, time.thread_time)

    with ThreadPoolExecutor(1) as pool:
        speed = pool.submit(alone).result()
    share = _SHARED / threads if threads > 1 else 1.0
    return Speed(speed.train * share, speed.score * share)


def _measured(
    init: str, dataset: Dataset, recipe: Recipe, device: torch.device | str, clock: Callable[[], float]
) -> Speed:
    network = load_run(init, device).network
    count = min(_BATCH, recipe.batch_size, len(dataset))
    views = AugmentedViews(dataset, recipe, (0, 0, 0), with_masks=False)
    with device_gate(network.device):
        train = _quickest(lambda: _step(network, views, count), clock, network.device) / count
        network.zero_grad(set_to_none=True)
    network.eval()

    def maps() -> None:
        for _ in maps_of_dataset(network, dataset, ["fc1"], MapSettings(), limit=1):
            pass

    score = _quickest(maps, clock, network.device)
    return Speed(train, score)


def task_seconds(task: FullTask, pictures: Mapping[str, int], speed: Speed) -> dict[str, float]:
    """Seconds of the training and of the scoring of a task, when nothing of it is there yet.

    Args:
        task: of a plan.
        pictures: how many each part has.
        speed: of this machine.
    """
    epochs = task.training.recipe.epochs if task.training is not None else 0
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


def _quickest(work: Callable[[], object], clock: Callable[[], float], device: torch.device) -> float:
    """Seconds of the quickest of a few calls, after one that meets everything for the first time."""
    _timed(work, clock, device)
    return min(_timed(work, clock, device) for _ in range(_CALLS))


def _timed(work: Callable[[], object], clock: Callable[[], float], device: torch.device) -> float:
    began = clock()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return clock() - began


def _step(network: CamNetwork, views: AugmentedViews, count: int) -> None:
    """Forward and backward of a batch; FC2 and the losses are small beside the backbone."""
    images = torch.from_numpy(np.stack([views[0, index][0] for index in range(count)]))
    network.train()
    network.freeze_norm()
    features = network.features(network.preprocess(images.to(network.device)))
    (features.float().mean(dim=(2, 3)) @ network.fc1.T).square().mean().backward()
