"""Scores of a single picture against the definitions."""

import math

import numpy as np
import pytest

from recam_core.data.sample import VOID, ClassList
from recam_core.scores.scores import picture_scores

CLASSES = ClassList(("a", "b", "c"))
#                 right a  a as b  a lost  bg as a  void     b
SEEDS = np.array([[1, 1, 2, 0, 1, 1, 2]], dtype=np.uint8)
MASK = np.array([[1, 1, 1, 1, 0, VOID, 2]], dtype=np.uint8)


def test_one_class() -> None:
    scores = picture_scores(SEEDS, MASK, CLASSES, class_index=0)
    assert scores.iou == pytest.approx(2 / 5)
    assert scores.precision == pytest.approx(2 / 3)
    assert scores.recall == pytest.approx(2 / 4)
    assert scores.wrong_class == pytest.approx(1 / 4)


def test_all_classes_mean_over_those_that_occur() -> None:
    scores = picture_scores(SEEDS, MASK, CLASSES)
    # Background: 0 right of 1 truth and 1 predicted; a: 2/5; b: 1/2; c does not occur.
    assert scores.iou == pytest.approx((0 + 2 / 5 + 1 / 2) / 3)
    assert scores.wrong_class == pytest.approx(1 / 5)


def test_without_background_zero_is_not_scored() -> None:
    scores = picture_scores(SEEDS, MASK, ClassList(CLASSES.names, has_background=False))
    # The claim on the pixel without a label is no error; the unlabelled pixel of a is a miss.
    assert scores.iou == pytest.approx((2 / 4 + 1 / 2) / 2)


def test_an_absent_class_has_no_score() -> None:
    scores = picture_scores(SEEDS, MASK, CLASSES, class_index=2)
    assert all(math.isnan(value) for value in (scores.iou, scores.precision, scores.recall, scores.wrong_class))
