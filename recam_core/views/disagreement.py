"""Where methods disagree, which is all that can be seen of errors without ground truth."""

from collections.abc import Sequence

import numpy as np

from recam_core.views.marks import GREEN, PURPLE, VERMILION, Mark, draw_marks

ALONE_CLAIMS, ALONE_LEAVES, DISPUTED = range(1, 4)

DISAGREEMENTS: tuple[Mark, ...] = (
    Mark(
        ALONE_CLAIMS,
        "only here",
        "This method marks these pixels, and no other method agrees with what it says.",
        VERMILION,
        "crossed",
    ),
    Mark(
        ALONE_LEAVES,
        "everywhere but here",
        "This method leaves these pixels out, and every other method marks them.",
        PURPLE,
        "dotted",
    ),
    Mark(DISPUTED, "disputed", "The methods do not agree, but this one is not alone.", GREEN, "rising"),
)


def _answers(seeds: Sequence[np.ndarray], class_index: int | None) -> np.ndarray:
    stack = np.stack(seeds)
    if class_index is None:
        return stack
    return (stack == class_index + 1).astype(np.uint8)


def disagreement_codes(seeds: Sequence[np.ndarray], own: int, class_index: int | None = None) -> np.ndarray:
    """How one method's seed mask stands to those of the others.

    Args:
        seeds: one H x W uint8 seed mask a method (0 background, k + 1 class k), of one picture.
        own: whose view is asked for, an index into ``seeds``.
        class_index: compare only whether pixels are given to this class (from 0); None compares everything.

    Returns:
        H x W, uint8: codes of :data:`DISAGREEMENTS`; 0 where all agree.
    """
    answers = _answers(seeds, class_index)
    same = (answers == answers[own]).sum(axis=0)  # how many methods say what this one says, itself included
    codes = np.zeros(answers.shape[1:], dtype=np.uint8)
    codes[(same > 1) & (same < len(answers))] = DISPUTED
    alone = same == 1 if len(answers) > 1 else np.zeros(codes.shape, dtype=bool)
    codes[alone] = ALONE_CLAIMS
    others_claim = np.delete(answers, own, axis=0).astype(bool).all(axis=0)
    codes[alone & (answers[own] == 0) & others_claim] = ALONE_LEAVES
    codes[alone & (answers[own] == 0) & ~others_claim] = DISPUTED
    return codes


def disagreement_overlay(image: np.ndarray, codes: np.ndarray, opacity: float = 0.8) -> np.ndarray:
    """H x W x 3 uint8 at screen size: the picture with disagreements in their colour and pattern."""
    return draw_marks(image, codes, DISAGREEMENTS, opacity)
