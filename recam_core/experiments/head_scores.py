"""Pixel counts of many classifiers at once: from cached features by a regular sample of the pixels, or of all pixels.

The sample reads scale 1 off the cache, without a pass through the backbone, and looks at one pixel in 16. At these
pixels its maps are those of :mod:`recam_core.maps` at scale 1 without mirror images.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recam_core.data.sample import VOID, ClassList, Dataset, Sample
from recam_core.errors import UserError
from recam_core.gate import device_gate
from recam_core.maps.activation_maps import FULL, grid_size, strongest, upsampled
from recam_core.maps.dataset_maps import each_picture
from recam_core.maps.inference import PictureFeatures, maps_from_features
from recam_core.method.extraction import MapWeights, stack_weights
from recam_core.model.network import CamNetwork
from recam_core.progress import MASKS, SCORES, Note, ProgressFn, silent
from recam_core.retrain.features import FeatureCache
from recam_core.scores.evaluate import count_maps
from recam_core.scores.metrics import scored_pixels
from recam_core.scores.pixel_counts import LEVELS, PictureCounts, PixelCounts, join

#: Distance of the sampled pixels in both directions, and where the first one lies.
STEP = 4
FIRST = 2
#: Classifiers that are counted at once; more would not be quicker and need more memory.
HEADS_AT_ONCE = 64


@dataclass(frozen=True)
class SampledTruth:
    """Ground truth of the pictures of a data set at the sampled pixels.

    Attributes:
        ids: of all N pictures.
        sizes: (H, W) of each; None for a picture without ground truth.
        values: for each picture S, uint8: 0 background, k + 1 class k, 255 void; row by row of the sample.
        classes: of the data set.
    """

    ids: tuple[str, ...]
    sizes: tuple[tuple[int, int] | None, ...]
    values: tuple[np.ndarray, ...]
    classes: ClassList

    @property
    def pictures(self) -> int:
        """How many pictures can be scored."""
        return sum(size is not None for size in self.sizes)


def sampled_places(length: int) -> np.ndarray:
    """Which pixels of an axis of ``length`` pixels are looked at; at least one."""
    return np.arange(min(FIRST, length - 1), length, STEP)


def read_sampled_truth(dataset: Dataset, progress: ProgressFn = silent) -> SampledTruth:
    """Read the masks of a data set once.

    Args:
        dataset: pictures without a mask are left out of the scores.
        progress: called after each picture; may raise Cancelled.

    Raises:
        UserError: no picture has a mask, no labelled pixel, a mask with a class beyond K, or a broken picture.
    """
    sizes: list[tuple[int, int] | None] = []
    values: list[np.ndarray] = []
    for index in range(len(dataset)):
        mask = dataset.mask(index)
        if mask is None:
            sizes.append(None)
            values.append(np.zeros(0, dtype=np.uint8))
        else:
            seen = mask[np.ix_(sampled_places(mask.shape[0]), sampled_places(mask.shape[1]))].ravel()
            if np.any((seen > len(dataset.classes)) & (seen != VOID)):
                raise UserError(f"The mask of {dataset.ids[index]} has a class beyond the {len(dataset.classes)}.")
            sizes.append(mask.shape)
            values.append(seen.copy())
        progress(index + 1, len(dataset), Note("reading masks", MASKS))
    truth = SampledTruth(tuple(dataset.ids), tuple(sizes), tuple(values), dataset.classes)
    if not truth.pictures:
        raise UserError(f"No picture of {dataset.spec} has a ground-truth mask, so there is nothing to score.")
    unknown = (VOID,) if dataset.classes.has_background else (VOID, 0)
    if all(np.isin(seen, unknown).all() for seen in values):
        raise UserError(f"No pixel of {dataset.spec} is labelled with a class, so there is nothing to score.")
    return truth


@torch.inference_mode()
def count_sampled(
    cache: FeatureCache, truth: SampledTruth, weights: Sequence[MapWeights], progress: ProgressFn = silent
) -> list[PixelCounts]:
    """Count the sampled pixels of a data set under N sets of weights, from features of scale 1.

    Args:
        cache: of the same data set as ``truth``.
        truth: of the pictures.
        weights: N, on the device that does the work.
        progress: called after each picture; may raise Cancelled.

    Returns:
        N counts of the pictures that have ground truth.
    """
    batches = _batches(weights)
    total, done = len(truth.ids) * len(batches), 0
    counts: dict[int, PixelCounts] = {}
    for places, some in batches:
        # Rows of all heads, picture by picture, and where each head's rows end.
        rows: dict[int, tuple[PictureCounts, np.ndarray]] = {}
        for index, features, classes in _pictures(cache, some.weight.device):
            size = truth.sizes[index]
            if size is not None:
                with device_gate(some.weight.device):
                    grids = _grids(features, some, classes, size)
                argmax, activation = _sampled_argmax(grids, classes.cpu().numpy(), size)
                rows[index] = _counted(argmax, activation, truth.values[index], truth.classes, classes.cpu().numpy())
            done += 1
            progress(done, total, Note("scoring", SCORES))
        order = sorted(rows)
        ids = [truth.ids[index] for index in order]
        for n, place in enumerate(places):
            counts[place] = join(ids, [_of_head(*rows[index], n) for index in order], truth.classes)
    return [counts[place] for place in range(len(weights))]


def _batches(weights: Sequence[MapWeights]) -> list[tuple[list[int], MapWeights]]:
    """The weights by kind, so many at once, stacked; with their places."""
    kinds: dict[tuple[bool, bool], list[int]] = {}
    for place, one in enumerate(weights):
        kinds.setdefault(one.kind, []).append(place)
    parts = [
        places[first : first + HEADS_AT_ONCE]
        for places in kinds.values()
        for first in range(0, len(places), HEADS_AT_ONCE)
    ]
    return [(part, stack_weights([weights[place] for place in part])) for part in parts]


@torch.inference_mode()
def count_exact(
    network: CamNetwork, dataset: Dataset, weights: Sequence[MapWeights], progress: ProgressFn = silent
) -> list[PixelCounts]:
    """Count all pixels under N sets of weights, with the maps that ``evaluate`` would make.

    One pass through the backbone at the usual scales serves all heads.

    Args:
        network: gives the features.
        dataset: the pictures; those without a mask are left out.
        weights: N, on the device of the network.
        progress: called after each picture; may raise Cancelled.

    Raises:
        UserError: a broken picture, or a mask that is not of its picture.
    """
    ids: list[str] = []
    pictures: list[list[PictureCounts]] = [[] for _ in weights]

    def work(sample: Sample, features: PictureFeatures) -> list[PictureCounts]:
        if sample.mask is None:
            return []
        classes = np.flatnonzero(sample.labels)
        each = (maps_from_features(features, weight, classes, sample.id) for weight in weights)
        return [count_maps(maps, sample.mask, dataset.classes) for maps in each]

    for done, (sample, found) in enumerate(each_picture(network, dataset, work), 1):
        if sample.mask is not None:
            ids.append(sample.id)
            for kept, counts in zip(pictures, found, strict=True):
                kept.append(counts)
        progress(done, len(dataset), Note("scoring all pixels", SCORES))
    return [join(ids, kept, dataset.classes) for kept in pictures]


def _pictures(cache: FeatureCache, device: torch.device) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Place in the data set, features C x h x w in single precision, and present classes of each picture."""
    for block in cache.blocks:
        for row, index in enumerate(block.index.tolist()):
            yield index, block.features[row].to(device).float(), torch.nonzero(block.labels[row]).flatten().to(device)


def _grids(features: Tensor, weights: MapWeights, classes: Tensor, size: tuple[int, int]) -> np.ndarray:
    """The maps on the grid that they are kept on: N x n x h x w, float32 holding 0..255 in whole numbers.

    The steps and their order are those of :func:`recam_core.maps.inference.maps_from_features`.

    Args:
        features: C x h' x w'.
        weights: N, stacked.
        classes: n int64, the present classes.
        size: (H, W) of the picture.
    """
    count = len(weights.weight)
    if len(classes) == 0:
        return np.zeros((count, 0, *grid_size(size)), dtype=np.float32)
    rows = weights.rows(classes)
    raw = (rows.flatten(0, 1) @ features.flatten(1)).unflatten(1, features.shape[1:]).unflatten(0, rows.shape[:2])
    raw = weights.summands(raw).flatten(0, 1)
    fine = F.interpolate(raw[None], size=grid_size(size), mode="bilinear", align_corners=False)[0]
    found = weights.activations(fine.unflatten(0, rows.shape[:2]), 1).nan_to_num(0.0)
    return (found * FULL).round().cpu().numpy()


def _sampled_argmax(grids: np.ndarray, classes: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Arg-max and activation of each head at the sampled pixels, N x S each; the former 1 + its place among the present
    classes, or 0 for none.
    """
    at = sampled_places(size[0]), sampled_places(size[1])
    shape = (len(grids), len(at[0]) * len(at[1]))
    planes = (upsampled(grids[:, order], size, at).reshape(shape) for order in range(len(classes)))
    silent = ~np.asarray(grids.any(axis=(2, 3))).all(axis=1)
    return strongest(planes, range(1, len(classes) + 1), shape, np.reshape(silent, (-1, 1)))


def _counted(
    argmax: np.ndarray, activation: np.ndarray, truth: np.ndarray, classes: ClassList, present: np.ndarray
) -> tuple[PictureCounts, np.ndarray]:
    """Rows of all heads, head after head, and the N + 1 places where they begin and end."""
    heads = len(argmax)
    scored = scored_pixels(truth, classes.has_background)
    values, places = np.unique(truth[scored], return_inverse=True)
    values_won = len(present) + 1
    width = len(values) * values_won * LEVELS
    if width == 0:
        empty = np.zeros(0, dtype=np.uint8)
        return PictureCounts(empty, empty, empty, empty.astype(np.uint32)), np.zeros(heads + 1, dtype=np.int64)
    cell = argmax[:, scored].astype(np.int64)
    cell += places * values_won
    cell *= LEVELS
    cell += activation[:, scored]
    cell += (np.arange(heads) * width)[:, None]
    histogram = np.bincount(cell.ravel(), minlength=heads * width)
    filled = np.flatnonzero(histogram)
    place = filled % width
    names = np.concatenate([np.zeros(1, dtype=np.int64), present + 1])
    counts = PictureCounts(
        values[place // (values_won * LEVELS)],
        names[place // LEVELS % values_won].astype(np.uint8),
        (place % LEVELS).astype(np.uint8),
        histogram[filled].astype(np.uint32),
    )
    return counts, np.searchsorted(filled, np.arange(heads + 1) * width)


def _of_head(rows: PictureCounts, ends: np.ndarray, head: int) -> PictureCounts:
    part = slice(ends[head], ends[head + 1])
    return PictureCounts(rows.truth[part], rows.argmax[part], rows.activation[part], rows.count[part])
