"""The one place where pixels become IoU, precision, recall and shares of errors; of one matrix, or of many at once.

A confusion matrix is ``(..., K+1, K+1)`` pixels by ground truth (row) and prediction (column): index 0 is the
background, k + 1 class k. Without a background class row 0 is empty and column 0 holds the pixels left unlabelled.
Where there is nothing to divide by, a figure is nan, and means leave it out.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from recam_core.data.sample import BACKGROUND, VOID, ClassList


def ratio(part: np.ndarray | float, whole: np.ndarray | float) -> np.ndarray:
    """Elementwise part / whole as float64; nan where the whole is 0."""
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole > 0)


def mean_of_present(values: np.ndarray, axis: int | None = None) -> Any:
    """The mean without nans; nan (and no warning) where there is nothing else."""
    present = ~np.isnan(values)
    return ratio(np.where(present, values, 0.0).sum(axis=axis), present.sum(axis=axis))[()]


def scored_values(has_background: bool) -> slice:
    """Which of the K + 1 values are scored: all, or the K classes alone."""
    return slice(0 if has_background else 1, None)


def scored_pixels(mask: np.ndarray, has_background: bool) -> np.ndarray:
    """Which pixels of ground truth (255 void) count: all but void, and all but 0 where the background is no class."""
    return mask != VOID if has_background else (mask != VOID) & (mask != BACKGROUND)


def value_names(classes: ClassList) -> tuple[str, ...]:
    """K + 1 names, for rows and columns of a confusion matrix: index 0 is the background, or what is unlabelled."""
    return ("background" if classes.has_background else "unlabelled", *classes.names)


def scored_names(classes: ClassList) -> tuple[str, ...]:
    """The names of the scored values: with the background where it is a class, else the K classes alone."""
    return value_names(classes)[scored_values(classes.has_background)]


@dataclass(frozen=True, eq=False)
class ClassPixels:
    """Pixels of classes, of which all figures of a class are ratios; arrays of one shape, or broadcast to one.

    Attributes:
        right: true positives.
        truth: pixels of the class in the ground truth: true positives and false negatives.
        predicted: pixels given to the class: true positives and false positives.
        whole: pixels of all classes that were scored; needed for the false positive rate alone.
    """

    right: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray
    whole: np.ndarray | float = np.nan

    @classmethod
    def of(cls, confusions: np.ndarray) -> "ClassPixels":
        """Of (..., K+1, K+1) pixels: (..., K+1) each."""
        right = np.diagonal(confusions, axis1=-2, axis2=-1)
        whole = confusions.sum(axis=(-2, -1))[..., None]
        return cls(right, confusions.sum(axis=-1), confusions.sum(axis=-2), whole)

    @property
    def iou(self) -> np.ndarray:
        """TP / (TP + FP + FN); nan where a class is in neither ground truth nor prediction."""
        return ratio(self.right, self.truth + self.predicted - self.right)

    @property
    def precision(self) -> np.ndarray:
        """TP / (TP + FP); nan for a class that was never predicted."""
        return ratio(self.right, self.predicted)

    @property
    def recall(self) -> np.ndarray:
        """TP / (TP + FN); nan for a class that the ground truth lacks."""
        return ratio(self.right, self.truth)

    @property
    def false_positive_rate(self) -> np.ndarray:
        """FP / (FP + TN): of the pixels that are not the class, the share that it was given."""
        return ratio(self.predicted - self.right, self.whole - self.truth)

    @property
    def false_negative_rate(self) -> np.ndarray:
        """FN / (FN + TP): of the pixels that are the class, the share that it did not get."""
        return ratio(self.truth - self.right, self.truth)


def class_iou(confusions: np.ndarray, has_background: bool) -> np.ndarray:
    """(..., S): IoU of each scored class."""
    return ClassPixels.of(confusions).iou[..., scored_values(has_background)]


def wrong_class_share(foreground: np.ndarray, right: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """Of the pixels of any foreground class, the share that was given to another one.

    Args:
        foreground: pixels of any of the K classes in the ground truth.
        right: of these, given to the right class.
        lost: of these, given to no class.
    """
    return ratio(foreground - right - lost, foreground)


def wrong_class(confusions: np.ndarray) -> np.ndarray:
    """(...): of the pixels of any foreground class, the share that was given to another foreground class."""
    rows = confusions[..., 1:, :]
    right = np.diagonal(rows[..., 1:], axis1=-2, axis2=-1).sum(axis=-1)
    return wrong_class_share(rows.sum(axis=(-2, -1)), right, rows[..., 0].sum(axis=-1))
