"""What each picture adds to each class: true positive, ground truth and predicted pixels, sparse."""

from dataclasses import dataclass

import numpy as np

from recam_core.analysis.outcomes import Outcomes


@dataclass(frozen=True, eq=False)
class PictureParts:
    """E entries: the classes that a picture's ground truth or seeds have, in ascending order of (value, image).

    Attributes:
        image: E, int32; position of the picture.
        value: E, uint8; 0 background, k + 1 class k.
        right: E, float64; true positive pixels.
        truth: E, float64; ground truth pixels.
        predicted: E, float64; predicted pixels.
    """

    image: np.ndarray
    value: np.ndarray
    right: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray


def picture_parts(outcomes: Outcomes) -> PictureParts:
    """The parts of every IoU at the threshold of the outcomes; the sparse form of ``scores.image_parts``."""
    by_truth = np.searchsorted(outcomes.truth, np.arange(outcomes.values + 1))
    order = np.argsort(outcomes.predicted, kind="stable")  # 8-bit numbers: a radix sort
    by_prediction = np.searchsorted(outcomes.predicted[order], np.arange(outcomes.values + 1))
    parts = []
    # One value at a time: sums of all values at once are too large for the processor's cache, and mostly zeros.
    for value in range(outcomes.values):
        of_truth = slice(*by_truth[value : value + 2])
        of_prediction = order[slice(*by_prediction[value : value + 2])]
        hit = of_prediction[outcomes.truth[of_prediction] == value]
        truth, predicted, right = (
            # Sums are exact: float64 holds whole numbers up to 2^53.
            np.bincount(outcomes.image[some], weights=outcomes.pixels[some], minlength=outcomes.pictures)
            for some in (of_truth, of_prediction, hit)
        )
        there = np.flatnonzero((truth > 0) | (predicted > 0))
        values = np.full(len(there), value, dtype=np.uint8)
        parts.append((there.astype(np.int32), values, right[there], truth[there], predicted[there]))
    return PictureParts(*(np.concatenate(column) for column in zip(*parts, strict=True)))
