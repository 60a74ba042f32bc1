"""Where a picture is wrong: the pixels of a confusion, and their connected parts, the largest of which ask why."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from recam_core.errors import UserError
from recam_core.scores.metrics import scored_pixels


def cell_pixels(
    seeds: np.ndarray, mask: np.ndarray, truth: int | None, predicted: int | None, has_background: bool
) -> np.ndarray:
    """The pixels of one cell of the confusion matrix, of all false ones of a class, or all that are wrong.

    Args:
        seeds: H x W, uint8: 0 background (or unlabelled), k + 1 class k.
        mask: H x W, uint8 ground truth in the same numbers; 255 void.
        truth: row: 0 background, k + 1 class k; None for any other than ``predicted`` (its false positives).
        predicted: column; None for any other than ``truth`` (its false negatives). Both None: every wrong pixel.
        has_background: whether 0 in the mask is a class; if not, it counts as void.

    Returns:
        H x W, bool; as many pixels as :class:`~recam_core.analysis.cell_index.CellIndex` counts.
    """
    scored = scored_pixels(mask, has_background)
    if truth is None and predicted is None:
        return scored & (seeds != mask)
    if truth is None:
        return scored & (seeds == predicted) & (mask != predicted)
    if predicted is None:
        return scored & (mask == truth) & (seeds != truth)
    return scored & (mask == truth) & (seeds == predicted)


#: Smaller parts are seams between two classes, where nothing is to be asked.
LEAST_PIXELS = 16


@dataclass(frozen=True)
class WrongRegion:
    """Pixels that hang together, all of one truth and all given to one wrong class.

    Attributes:
        truth: what they are: 0 background, k + 1 class k.
        taken_for: what they are given to, in the same numbers.
        pixels: how many.
        column, row: the pixel that lies deepest inside: inside what a second method has right of the region, or else
            inside the region.
        right_after: how many of them a second method has right; 0 without one.
    """

    truth: int
    taken_for: int
    pixels: int
    column: int
    row: int
    right_after: int = 0


def wrong_regions(
    seeds: np.ndarray,
    mask: np.ndarray,
    has_background: bool,
    *,
    after: np.ndarray | None = None,
    truth: int | None = None,
    taken_for: int | None = None,
    most: int = 8,
    least: int = LEAST_PIXELS,
) -> list[WrongRegion]:
    """The largest wrong parts of a picture; with a second method, those first of which that has most right.

    Args:
        seeds: H x W, uint8 of the method: 0 background (or unlabelled), k + 1 class k.
        mask: H x W, uint8 ground truth in the same numbers; 255 void.
        has_background: whether 0 in the mask is a class; if not, it counts as void.
        after: H x W, uint8 seeds of a second method.
        truth, taken_for: only regions of this truth, or given to this value; None takes any.
        most: so many at most.
        least: smaller ones are left out, unless there are none that are larger.

    Raises:
        UserError: sizes differ.
    """
    if seeds.shape != mask.shape or (after is not None and after.shape != mask.shape):
        raise UserError("The maps are of another size than the ground truth; make them again.")
    wrong = cell_pixels(seeds, mask, None, None, has_background)
    found: list[WrongRegion] = []
    for value in np.unique(mask[wrong]).tolist():
        if truth not in (None, value):
            continue
        of_truth = wrong & (mask == value)
        for given in np.unique(seeds[of_truth]).tolist():
            if taken_for in (None, given):
                found += _parts(of_truth & (seeds == given), value, given, after)
    large = [one for one in found if one.pixels >= least] or found
    return sorted(large, key=lambda one: (-one.right_after, -one.pixels))[:most]


def region_around(seeds: np.ndarray, mask: np.ndarray | None, column: int, row: int) -> np.ndarray:
    """H x W, bool: the pixels around one that hang together with it and are of its seed value and its truth.

    Args:
        seeds: H x W, uint8.
        mask: H x W, uint8 ground truth, or None where there is none.
        column, row: the pixel.
    """
    alike = seeds == seeds[row, column]
    if mask is not None:
        alike &= mask == mask[row, column]
    labels, _ = ndimage.label(alike, structure=np.ones((3, 3), dtype=bool))
    return labels == labels[row, column]


def _depth(pixels: np.ndarray) -> np.ndarray:
    """H x W: how far each pixel lies from one that is not set; beyond the edge of the picture none is."""
    return ndimage.distance_transform_edt(np.pad(pixels, 1))[1:-1, 1:-1]


def _parts(pixels: np.ndarray, truth: int, taken_for: int, after: np.ndarray | None) -> list[WrongRegion]:
    labels, count = ndimage.label(pixels, structure=np.ones((3, 3), dtype=bool))
    depth = _depth(pixels)
    numbers = np.arange(1, count + 1)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    right = np.zeros(count + 1, dtype=np.int64)
    if after is not None:
        right = np.bincount(labels[after == truth], minlength=count + 1)
        # Where there is something that is right by now, it lies deeper than anything else.
        depth = depth + sum(pixels.shape) * _depth(pixels & (after == truth))
    deepest = ndimage.maximum_position(depth, labels, numbers) if count else []
    return [
        WrongRegion(truth, taken_for, int(size), int(column), int(row), int(right[number]))
        for number, size, (row, column) in zip(numbers.tolist(), sizes, deepest, strict=True)
    ]
