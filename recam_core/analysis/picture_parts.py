"""What each picture adds to each class: true positive, ground truth and predicted pixels, sparse."""

from dataclasses import dataclass

import numpy as np

from recam_core.analysis.outcomes import Outcomes


@dataclass(frozen=True, eq=False)
class PictureParts:
    """E entries: the classes that a picture's ground truth or seeds have, in ascending order of (image, value).

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
    values = outcomes.values
    image = outcomes.image.astype(np.int64)
    size = outcomes.pictures * values
    of_truth, of_prediction = image * values + outcomes.truth, image * values + outcomes.predicted
    hit = outcomes.truth == outcomes.predicted
    # Sums are exact: float64 holds whole numbers up to 2^53.
    truth = np.bincount(of_truth, weights=outcomes.pixels, minlength=size)
    predicted = np.bincount(of_prediction, weights=outcomes.pixels, minlength=size)
    there = np.flatnonzero((truth > 0) | (predicted > 0))
    truth, predicted = truth[there], predicted[there]
    right = np.zeros(len(there))
    right[np.searchsorted(there, of_truth[hit])] = outcomes.pixels[hit]
    return PictureParts((there // values).astype(np.int32), (there % values).astype(np.uint8), right, truth, predicted)
