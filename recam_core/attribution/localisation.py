"""How well a map finds its class where the ground truth is known: four scores of a picture and class."""

from dataclasses import dataclass

import numpy as np

from recam_core.data.sample import VOID, ClassList
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps, full_size, threshold_level


@dataclass(frozen=True)
class Localisation:
    """Scores of the maps of one picture, n classes; nan for a class that the ground truth does not show, or a map
    that is zero everywhere.

    Attributes:
        classes: n, int64.
        pointing: n: the pointing game, 1 where the place of the highest activation is the class; of several such
            places, the share of them that are.
        energy: n: the share of the activation that lies on the class.
        best_iou: n: IoU of the map against the class at the threshold that fits this very picture best, so it
            flatters: an upper bound, and not what a threshold from elsewhere gives.
        best_threshold: n: that threshold, 0..1.
        iou: n: IoU at the threshold that was given, which should come from other pictures; nan without one.
        share: n: the share of the scored pixels that is the class: pointing and energy of a map that knows nothing.
    """

    classes: np.ndarray
    pointing: np.ndarray
    energy: np.ndarray
    best_iou: np.ndarray
    best_threshold: np.ndarray
    iou: np.ndarray
    share: np.ndarray


def localisation(
    maps: ActivationMaps, mask: np.ndarray, classes: ClassList, threshold: float | None = None
) -> Localisation:
    """Score each map of a picture against the pixels of its class.

    Args:
        maps: of the picture.
        mask: H x W, uint8 ground truth: k + 1 class k, 0 background, 255 void. Void pixels do not count, and in a set
            without a background class 0 does not either.
        classes: of the data set.
        threshold: chosen on other pictures, 0..1; None for none.

    Raises:
        UserError: maps and mask do not belong together, or a threshold out of range.
    """
    if mask.shape != tuple(maps.size):
        raise UserError(f"{maps.id}: the maps are of a picture of {maps.size}, and the mask has {mask.shape} pixels.")
    limit = None if threshold is None else threshold_level(threshold)
    scored = mask != VOID
    if not classes.has_background:
        scored &= mask != 0
    truth = mask[scored]
    found = np.full((6, len(maps.classes)), np.nan)
    for order, (k, plane) in enumerate(zip(maps.classes.tolist(), full_size(maps), strict=True)):
        level, there = plane[scored], truth == k + 1
        pixels = int(there.sum())
        if not pixels:
            continue
        found[5, order] = pixels / len(truth)
        if level.any():
            on_class = there[level == level.max()]
            found[0, order] = on_class.mean()
            found[1, order] = level[there].sum(dtype=np.float64) / level.sum(dtype=np.float64)
        # Pixels above each of the 256 levels, of the class and of all: every threshold at once.
        right, claimed = (_above(np.bincount(one, minlength=256)) for one in (level[there], level))
        iou = right / (pixels + claimed - right)
        best = int(iou.argmax())
        found[2:4, order] = iou[best], best / 255
        if limit is not None:
            found[4, order] = iou[limit]
    return Localisation(maps.classes, *found)


def _above(counts: np.ndarray) -> np.ndarray:
    """256: how many lie above each level."""
    return counts.sum() - np.cumsum(counts)
