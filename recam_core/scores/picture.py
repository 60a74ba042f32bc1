"""Scores of a single picture's seeds, for one class or over all: what stands under a pane."""

from dataclasses import dataclass

import numpy as np

from recam_core.data.sample import VOID, ClassList
from recam_core.scores.metrics import mean_of_present, wrong_class_share
from recam_core.scores.scores import Scores


@dataclass(frozen=True)
class PictureScores:
    """Four numbers 0..1; nan where there is nothing to divide by.

    Attributes:
        iou: of the class, or the mean over the scored classes that occur (and the background, if any).
        precision: likewise; the share of the claimed pixels that are right.
        recall: likewise; the share of the ground truth's pixels that were found.
        wrong_class: of the pixels of the class (or of all foreground pixels), the share given to another class.
    """

    iou: float
    precision: float
    recall: float
    wrong_class: float


def picture_scores(
    seeds: np.ndarray, mask: np.ndarray, classes: ClassList, class_index: int | None = None
) -> PictureScores:
    """Score one picture.

    Args:
        seeds: H x W, uint8: 0 background (or unlabelled), k + 1 class k.
        mask: H x W, uint8 ground truth in the same numbers; 255 void. In a set without a background class, 0 counts
            as void, too.
        classes: the K classes.
        class_index: the class (from 0) that is asked about; None for all.
    """
    scored = mask != VOID
    if not classes.has_background:
        scored &= mask != 0
    values = len(classes) + 1
    cells = mask[scored].astype(np.int64) * values + seeds[scored]
    confusion = np.bincount(cells, minlength=values * values).reshape(values, values)
    scores = Scores(None, confusion, classes.has_background)
    if class_index is None:
        return PictureScores(
            scores.miou,
            float(mean_of_present(scores.precision)),
            float(mean_of_present(scores.recall)),
            scores.wrong_class,
        )
    place = class_index + int(classes.has_background)
    row = confusion[class_index + 1]
    return PictureScores(
        float(scores.iou[place]),
        float(scores.precision[place]),
        float(scores.recall[place]),
        float(wrong_class_share(row.sum(), row[class_index + 1], row[0])),
    )
