"""The figures that experiments compare: those of :class:`recam_core.scores.scores.Scores`, of many matrices at once."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recam_core.scores.metrics import ClassPixels, mean_of_present, scored_values, wrong_class

#: ``(confusions, has_background)``: (..., K+1, K+1) pixels by ground truth (row) and prediction (column), and whether
#: the data has a background class.
_OfConfusions = Callable[[np.ndarray, bool], np.ndarray]


@dataclass(frozen=True)
class Figure:
    """A mean over classes, or a single share.

    Attributes:
        each: gives (..., S), shares from 0 to 1: of each class, or of the one share; nan where there is none.
        truth: gives (..., S) pixels of the ground truth without which a draw of pictures tells nothing of a class; None
            where only nan tells nothing.
    """

    each: _OfConfusions
    truth: _OfConfusions | None = None

    def __call__(self, confusions: np.ndarray, has_background: bool) -> np.ndarray:
        """(...): the mean over the classes that have one."""
        return mean_of_present(self.each(confusions, has_background), axis=-1)


def mean_iou(values: Callable[[int, bool], slice | list[int]]) -> Figure:
    """Mean IoU over some values: ``values(K + 1, has_background)``."""

    def each(confusions: np.ndarray, has_background: bool) -> np.ndarray:
        return ClassPixels.of(confusions).iou[..., values(confusions.shape[-1], has_background)]

    def truth(confusions: np.ndarray, has_background: bool) -> np.ndarray:
        return confusions.sum(axis=-1)[..., values(confusions.shape[-1], has_background)]

    return Figure(each, truth)


def _wrong_class(confusions: np.ndarray, has_background: bool) -> np.ndarray:
    return np.asarray(wrong_class(confusions))[..., None]


#: Mean IoU over the classes (and the background) that occur.
miou = mean_iou(lambda values, has_background: scored_values(has_background))
#: FP / (FP + TN) and FN / (FN + TP), means over the foreground classes.
false_positive_rate = Figure(lambda confusions, _: ClassPixels.of(confusions).false_positive_rate[..., 1:])
false_negative_rate = Figure(lambda confusions, _: ClassPixels.of(confusions).false_negative_rate[..., 1:])

#: What every table shows: its column, what people call it, and whether more is better.
FIGURES: dict[str, tuple[Figure, str, bool]] = {
    "miou": (miou, "mIoU", True),
    "false_positive_rate": (false_positive_rate, "false positive rate", False),
    "false_negative_rate": (false_negative_rate, "false negative rate", False),
    "wrong_class": (Figure(_wrong_class), "wrong class", False),
}
