"""A few pictures tried before all are: what thresholds of confident labels select, and how long a step will take."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from recam_core.checkpoint.run_folder import Run
from recam_core.data.sample import VOID, Dataset
from recam_core.data.subset import Subset
from recam_core.maps.activation_maps import seed_mask
from recam_core.maps.dataset_maps import MapSettings
from recam_core.progress import ProgressFn, silent
from recam_core.refine.boundaries import BoundaryRecipe, between
from recam_core.refine.boundary_network import BoundaryNetwork
from recam_core.refine.finishes import FINISHES, Pixels, refined_labels
from recam_core.refine.pairs import pair_sums
from recam_core.refine.ways import Route, refined_of_dataset

#: Pictures that are tried, and of a batch whose step is timed.
COUNT, _BATCH = 6, 2


@dataclass(frozen=True)
class Trial:
    """What a few pictures of a data set showed.

    Attributes:
        pictures: how many the data set has.
        seconds: of a picture, until its pixels are known; the first picture, which meets everything for the first
            time, does not count.
        ids, images: of those that were tried; images H x W x 3 uint8.
        pixels: of each, what :func:`recam_core.refine.finishes.finished_pixels` gives.
        has_background: of the classes.
    """

    pictures: int
    seconds: float
    ids: tuple[str, ...]
    images: tuple[np.ndarray, ...]
    pixels: tuple[Pixels, ...]
    has_background: bool

    def labels(self, foreground: float, background: float) -> list[np.ndarray]:
        """The confident labels of the pictures at two thresholds, see :class:`BoundaryRecipe`, without a CRF."""
        masks = [[seed_mask(*each, at) for at in (foreground, background)] for each in self.pixels]
        return [between(sure, possible, self.has_background) for sure, possible in masks]


def shares(labels: Sequence[np.ndarray]) -> tuple[float, float, float]:
    """Of all pixels of confident labels, the shares of a class, of the background, and of neither."""
    total = max(sum(label.size for label in labels), 1)
    unsure = sum(int((label == VOID).sum()) for label in labels) / total
    background = sum(int((label == 0).sum()) for label in labels) / total
    return 1 - unsure - background, background, unsure


def try_pictures(
    run: Run,
    dataset: Dataset,
    rule: str,
    route: Route,
    settings: MapSettings,
    boundaries: BoundaryNetwork | None = None,
    progress: ProgressFn = silent,
) -> Trial:
    """Refine some pictures that lie evenly in a data set.

    Args:
        run, rule, settings: what makes the maps.
        dataset: where the pictures come from.
        route: what is made of them.
        boundaries: for ways that walk.
        progress: called after each picture; may raise Cancelled.

    Raises:
        UserError: a broken picture, or settings that cannot work.
    """
    places = np.unique(np.linspace(0, len(dataset) - 1, COUNT).round().astype(int)).tolist()
    # One more before them, which is not timed: the first one of all takes longer.
    tried = Subset(dataset, [places[-1], *places], dataset.spec)
    found, gone = [], []
    began = time.monotonic()
    for sample, pixels in refined_of_dataset(run.network, tried, rule, [route], settings, boundaries):
        found.append((sample, pixels[route]))
        gone.append(time.monotonic())
        progress(len(found), len(tried), "")
        if len(gone) == 1:
            began = gone[0]
    samples = [sample for sample, _ in found[1:]]
    return Trial(
        len(dataset),
        (gone[-1] - began) / len(samples),
        tuple(sample.id for sample in samples),
        tuple(sample.image for sample in samples),
        tuple(pixels for _, pixels in found[1:]),
        dataset.classes.has_background,
    )


def learning_seconds(run: Run, recipe: BoundaryRecipe, trial: Trial) -> float:
    """Seconds that learning boundaries takes besides the maps of the pictures, from what is timed on the run's device.

    Args:
        run: whose backbone the heads stand on.
        recipe: of the training.
        trial: of pictures on the way to confident labels, see :func:`label_route`.
    """
    network = run.network
    heads = BoundaryNetwork(network).to(network.device)
    images = network.preprocess(torch.zeros(_BATCH, recipe.crop, recipe.crop, 3, dtype=torch.uint8).to(network.device))
    side = recipe.crop // 4
    truth = torch.zeros(_BATCH, side, side, dtype=torch.uint8, device=network.device)
    truth[:, : side // 2] = 1

    def step() -> None:
        logits, moves = heads(images)
        pair_sums(logits.float(), moves.float(), truth).loss.backward()

    each = timed(step, network.device) / _BATCH * recipe.epochs
    if (crf := FINISHES[recipe.finish].crf) is not None:
        image, mask = trial.images[0], seed_mask(*trial.pixels[0], recipe.foreground)
        each += 2 * timed(lambda: refined_labels(image, mask, crf), network.device)  # of both thresholds
    return each * trial.pictures


def label_route(finish: str) -> Route:
    """What is made of maps on the way to confident labels; a CRF takes the masks of both thresholds instead."""
    return Route("direct", "none" if FINISHES[finish].crf is not None else finish)


def timed(work: Callable[[], object], device: torch.device) -> float:
    """Seconds of a piece of work, when it is done for the second time."""
    for _ in range(2):
        began = time.monotonic()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    return time.monotonic() - began
