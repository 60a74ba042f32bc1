"""Where in a picture the pixels of a confusion are: what galleries outline, and what a cell index counts."""

import numpy as np

from recam_core.data.sample import BACKGROUND, VOID


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
    scored = mask != VOID
    if not has_background:
        scored &= mask != BACKGROUND
    if truth is None and predicted is None:
        return scored & (seeds != mask)
    if truth is None:
        return scored & (seeds == predicted) & (mask != predicted)
    if predicted is None:
        return scored & (mask == truth) & (seeds != truth)
    return scored & (mask == truth) & (seeds == predicted)
