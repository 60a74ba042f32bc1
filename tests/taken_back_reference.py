"""What a method takes back of the errors of another, pixel by pixel: what the viewer in the browser is to draw."""

import numpy as np

from recam_core.data.sample import BACKGROUND
from recam_core.views.marks import draw_marks
from recam_core.views.pixel_kinds import (
    BOTH_WRONG,
    FALSE_ON_BACKGROUND,
    LOST,
    LOST_TO_CLASS,
    TAKEN_BACK,
    TAKEN_BACK_MARKS,
    error_codes,
)


def taken_back_codes(
    before: np.ndarray, after: np.ndarray, mask: np.ndarray, has_background: bool, class_index: int | None = None
) -> np.ndarray:
    """How a method's seed mask stands to that of the reference.

    Args:
        before: H x W, uint8 seeds of the reference: 0 background, k + 1 class k.
        after: H x W, uint8 seeds of the method.
        mask: H x W, uint8 ground truth: 0 background, k + 1 class k, 255 void.
        has_background: whether 0 in the mask is a class; if not, it counts as void.
        class_index: the class (from 0) whose errors are asked for: only its false and its lost pixels are wrong; or
            None for those of all classes.

    Returns:
        H x W, uint8: codes of :data:`TAKEN_BACK_MARKS`; 0 where both are right, and where nothing is scored.
    """
    was, now = (_wrong(seeds, mask, has_background, class_index) for seeds in (before, after))
    codes = np.zeros(mask.shape, dtype=np.uint8)
    codes[was & ~now] = TAKEN_BACK
    codes[now & ~was] = LOST
    codes[was & now] = BOTH_WRONG
    return codes


def _wrong(seeds: np.ndarray, mask: np.ndarray, has_background: bool, class_index: int | None) -> np.ndarray:
    codes = error_codes(seeds, mask, class_index)
    wrong = (codes >= FALSE_ON_BACKGROUND) & (codes <= LOST_TO_CLASS)
    return wrong if has_background else wrong & (mask != BACKGROUND)


def taken_back_overlay(image: np.ndarray, codes: np.ndarray, opacity: float = 0.8) -> np.ndarray:
    """H x W x 3 uint8 at screen size: the picture with every code in its colour and pattern."""
    return draw_marks(image, codes, TAKEN_BACK_MARKS, opacity)
