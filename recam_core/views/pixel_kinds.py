"""What each pixel of a seed mask is: right or wrong and how, taken back or lost, disputed by other methods."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from recam_core.data.sample import BACKGROUND, VOID
from recam_core.views.marks import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY_BLUE, VERMILION, YELLOW, Mark

TRUE_POSITIVE, FALSE_ON_BACKGROUND, FALSE_ON_CLASS, LOST_TO_BACKGROUND, LOST_TO_CLASS, UNSCORED = range(1, 7)

#: Errors of one class; what they have in common with :data:`ALL_ERRORS` is drawn alike, so these draw all errors.
CLASS_ERRORS: tuple[Mark, ...] = (
    Mark(TRUE_POSITIVE, "right", "True positive: the class is here, and the seed says so.", SKY_BLUE, "solid"),
    Mark(
        FALSE_ON_BACKGROUND,
        "false, on background",
        "False positive: the seed claims background for the class.",
        ORANGE,
        "rising",
    ),
    Mark(
        FALSE_ON_CLASS,
        "false, on another class",
        "False positive: the seed claims pixels of another class, the fault that confusion between classes makes.",
        VERMILION,
        "crossed",
    ),
    Mark(
        LOST_TO_BACKGROUND,
        "lost to background",
        "False negative: the class is here, but the activation is below the background threshold.",
        PURPLE,
        "dotted",
    ),
    Mark(
        LOST_TO_CLASS,
        "lost to another class",
        "False negative: the class is here, but another class has the greater activation.",
        YELLOW,
        "level",
    ),
    Mark(UNSCORED, "not scored", "Void: the ground truth leaves these pixels out.", GREY, "solid"),
)

#: Errors of all classes at once. A pixel given to a wrong class is false for the one and lost for the other.
ALL_ERRORS: tuple[Mark, ...] = (
    CLASS_ERRORS[0],
    CLASS_ERRORS[1],
    Mark(
        FALSE_ON_CLASS,
        "given to a wrong class",
        "An object is here, but the seed says another class: false for the one, lost for the other.",
        VERMILION,
        "crossed",
    ),
    CLASS_ERRORS[3],
    CLASS_ERRORS[5],
)


def error_marks(class_index: int | None, has_background: bool) -> tuple[Mark, ...]:
    """The legend of :func:`error_codes` for one class, or for all (None); without a background, in other words."""
    marks = ALL_ERRORS if class_index is None else CLASS_ERRORS
    if has_background:
        return marks
    unlabelled = replace(
        CLASS_ERRORS[3],
        name="left unlabelled",
        meaning="False negative: the class is here, but the activation is not above the threshold.",
    )
    kept = [mark for mark in marks if mark.code != FALSE_ON_BACKGROUND]
    return tuple(unlabelled if mark.code == LOST_TO_BACKGROUND else mark for mark in kept)


def error_codes(seeds: np.ndarray, mask: np.ndarray, class_index: int | None = None) -> np.ndarray:
    """What each pixel of a seed mask is.

    Args:
        seeds: H x W, uint8: 0 background, k + 1 class k.
        mask: H x W, uint8 ground truth: 0 background, k + 1 class k, 255 void.
        class_index: the class (from 0) whose errors are asked for, or None for those of all classes.

    Returns:
        H x W, uint8: codes of :data:`CLASS_ERRORS` or :data:`ALL_ERRORS`; 0 where there is nothing to mark.
    """
    codes = np.zeros(seeds.shape, dtype=np.uint8)
    object_here = (mask != BACKGROUND) & (mask != VOID)
    if class_index is None:
        claimed = seeds != BACKGROUND
        codes[object_here & claimed & (seeds != mask)] = FALSE_ON_CLASS
        codes[object_here & (seeds == mask)] = TRUE_POSITIVE
        codes[object_here & ~claimed] = LOST_TO_BACKGROUND
        codes[(mask == BACKGROUND) & claimed] = FALSE_ON_BACKGROUND
        codes[mask == VOID] = UNSCORED
        return codes
    claimed, truth = seeds == class_index + 1, mask == class_index + 1
    codes[claimed & truth] = TRUE_POSITIVE
    codes[claimed & (mask == BACKGROUND)] = FALSE_ON_BACKGROUND
    codes[claimed & object_here & ~truth] = FALSE_ON_CLASS
    codes[truth & (seeds == BACKGROUND)] = LOST_TO_BACKGROUND
    codes[truth & (seeds != BACKGROUND) & ~claimed] = LOST_TO_CLASS
    codes[claimed & (mask == VOID)] = UNSCORED
    return codes


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
