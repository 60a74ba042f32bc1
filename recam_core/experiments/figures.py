"""The figures that experiments compare, read off many confusion matrices at once.

Each function takes ``(..., K+1, K+1)`` pixels by ground truth (row) and prediction (column) and whether the data has a
background class, and gives ``(...)``, shares from 0 to 1. They are the figures of
:class:`recam_core.scores.scores.Scores`, which takes one matrix.
"""

from collections.abc import Callable

import numpy as np

from recam_core.analysis.ratio import ratio
from recam_core.scores.scores import mean_of_present

FigureFn = Callable[[np.ndarray, bool], np.ndarray]


def miou(confusions: np.ndarray, has_background: bool) -> np.ndarray:
    """Mean IoU over the classes (and the background) that occur."""
    return mean_of_present(class_iou(confusions)[..., 0 if has_background else 1 :], axis=-1)


def class_iou(confusions: np.ndarray) -> np.ndarray:
    """(..., K+1): IoU of each value; nan where it occurs in neither ground truth nor prediction."""
    right, truth, predicted = _parts(confusions)
    return ratio(right, truth + predicted - right)


def false_positive_rate(confusions: np.ndarray, has_background: bool) -> np.ndarray:
    """FP / (FP + TN), mean over the foreground classes."""
    right, truth, predicted = _parts(confusions)
    whole = confusions.sum(axis=(-2, -1))[..., None]
    return mean_of_present(ratio(predicted - right, whole - truth)[..., 1:], axis=-1)


def false_negative_rate(confusions: np.ndarray, has_background: bool) -> np.ndarray:
    """FN / (FN + TP), mean over the foreground classes."""
    right, truth, _ = _parts(confusions)
    return mean_of_present(ratio(truth - right, truth)[..., 1:], axis=-1)


def wrong_class(confusions: np.ndarray, has_background: bool) -> np.ndarray:
    """Of the pixels of any foreground class, the share given to another foreground class."""
    among = confusions[..., 1:, 1:]
    right = np.diagonal(among, axis1=-2, axis2=-1).sum(axis=-1)
    return ratio(among.sum(axis=(-2, -1)) - right, confusions[..., 1:, :].sum(axis=(-2, -1)))


#: What every table shows: its column, what people call it, and whether more is better.
FIGURES: dict[str, tuple[FigureFn, str, bool]] = {
    "miou": (miou, "mIoU", True),
    "false_positive_rate": (false_positive_rate, "false positive rate", False),
    "false_negative_rate": (false_negative_rate, "false negative rate", False),
    "wrong_class": (wrong_class, "wrong class", False),
}


def _parts(confusions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    diagonal = np.diagonal(confusions, axis1=-2, axis2=-1)
    return diagonal, confusions.sum(axis=-1), confusions.sum(axis=-2)
