"""Scores of one picture as CSV: each method, for all classes and for each."""

from collections.abc import Sequence

import numpy as np

from recam_core.analysis.csv_tables import csv_text
from recam_core.data.sample import VOID, ClassList
from recam_core.scores.scores import picture_scores
from recam_core.views.figure_cells import FigurePane


def picture_csv(mask: np.ndarray, panes: Sequence[FigurePane], classes: ClassList) -> str:
    """One line a method and class that the ground truth or the seeds show, and one for all of them.

    Args:
        mask: H x W uint8 ground truth.
        panes: one a method.
        classes: K classes.
    """
    rows = []
    for pane in panes:
        seen = (np.union1d(np.unique(mask[mask != VOID]), np.unique(pane.seeds)).astype(int) - 1).tolist()
        for k in (None, *(k for k in seen if k >= 0)):
            scores = picture_scores(pane.seeds, mask, classes, k)
            name = "all (mean)" if k is None else classes.names[k]
            figures = (scores.iou, scores.precision, scores.recall, scores.wrong_class)
            rows.append([pane.maps.id, pane.title, pane.threshold, name, *figures])
    return csv_text(["picture", "method", "threshold", "class", "IoU", "precision", "recall", "wrong class"], rows)
