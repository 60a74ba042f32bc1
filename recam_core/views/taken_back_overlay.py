"""What a method takes back of the errors of another, and what it loses against it."""

import numpy as np

from recam_core.data.sample import BACKGROUND
from recam_core.views.error_overlay import FALSE_ON_BACKGROUND, LOST_TO_CLASS, error_codes
from recam_core.views.marks import BLUE, GREEN, GREY, Mark, draw_marks

TAKEN_BACK, LOST, BOTH_WRONG = range(1, 4)

#: Right pixels of both stay unmarked: what changes is looked for. No colour is that of an error, as the reference shows
#: its errors beside these.
TAKEN_BACK_MARKS: tuple[Mark, ...] = (
    Mark(
        TAKEN_BACK,
        "taken back",
        "The reference has these pixels wrong, and this method has them right.",
        GREEN,
        "solid",
    ),
    Mark(LOST, "lost", "The reference has these pixels right, and this method has them wrong.", BLUE, "falling"),
    Mark(BOTH_WRONG, "both wrong", "Neither the reference nor this method has these pixels right.", GREY, "dotted"),
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
