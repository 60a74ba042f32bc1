"""Pictures that tell nothing: a single class, no background, and no threshold that could leave a pixel out.

The maps of a picture are made of the classes that it shows. With one of them every pixel is given to it, rightly, so
that every method has 100 %. Such pictures stay in what is pooled over all pixels, as published figures are (mIoU,
confusions, intervals); means of pictures, wins and losses, and lists of pictures leave them out.
"""

from collections.abc import Iterable

import numpy as np

from recam_core.analysis.cell_index import CellIndex
from recam_core.scores.pixel_counts import PixelCounts


def single_class_pictures(
    counts: PixelCounts | CellIndex, thresholds: Iterable[float | None], labels: str = "truth"
) -> np.ndarray:
    """Which pictures tell nothing.

    Args:
        counts: of N pictures, by any method: the ground truth is what counts.
        thresholds: that the methods are read at. With one, weak pixels stay unlabelled, and each picture tells.
        labels: which classes got maps. With those that the network sees ("predicted"), each picture tells.

    Returns:
        N bools.
    """
    if counts.classes.has_background or labels != "truth" or any(threshold is not None for threshold in thresholds):
        return np.zeros(len(counts), dtype=bool)
    if isinstance(counts, CellIndex):
        return counts.present[:, 1:].sum(axis=1) == 1
    shown = np.zeros((len(counts), len(counts.classes) + 1), dtype=bool)
    shown[counts.image, counts.truth] = True
    return shown[:, 1:].sum(axis=1) == 1


def single_class_words(number: int, counted: bool = False) -> str:
    """What is done with them, as a sentence; "" where there is none."""
    if not number:
        return ""
    shown = "1 picture shows" if number == 1 else f"{number:,} pictures show"
    rest = "counted all the same" if counted else "left out of means and lists of pictures"
    return f"{shown} a single class and no background, which every method has right: {rest}."
