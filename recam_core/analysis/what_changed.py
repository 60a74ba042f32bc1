"""One sentence about one picture: what the first method gives to the wrong class, and what the second does with it."""

from dataclasses import dataclass

import numpy as np

from recam_core.analysis.joint_counts import Joint
from recam_core.analysis.taken_back import taken_back_of
from recam_core.data.sample import BACKGROUND, VOID, ClassList
from recam_core.scores.metrics import value_names


@dataclass(frozen=True)
class WhatChanged:
    """The cell of the confusion matrix of one picture between which and the right answer most pixels moved.

    Attributes:
        truth: what these pixels are: 0 background, k + 1 class k; None where no pixel moved.
        taken_for: what the method in the wrong gives them to, in the same numbers; None likewise.
        before: of the picture's pixels of ``truth``, the share that the first method gives to ``taken_for``.
        after: the share that the second gives to it.
        right_before: of all pixels that count, the share that the first method has right.
        right_after: the share that the second has right.
    """

    truth: int | None
    taken_for: int | None
    before: float
    after: float
    right_before: float
    right_after: float

    @property
    def is_loss(self) -> bool:
        """Whether the second method has less right than the first; the cell is then one that pixels were lost to."""
        return self.right_after < self.right_before


def what_changed(before: np.ndarray, after: np.ndarray, mask: np.ndarray, classes: ClassList) -> WhatChanged | None:
    """Compare two methods on one picture.

    Args:
        before: H x W, uint8 seeds of the first method: 0 background (or unlabelled), k + 1 class k.
        after: H x W, uint8 seeds of the second.
        mask: H x W, uint8 ground truth in the same numbers; 255 void. Without a background class, 0 counts as void.
        classes: the K classes.

    Returns:
        None where no pixel counts.
    """
    scored = mask != VOID
    if not classes.has_background:
        scored &= mask != BACKGROUND
    if not scored.any():
        return None
    key = (mask[scored].astype(np.int64) << 8 | before[scored]) << 8 | after[scored]
    cell, pixels = np.unique(key, return_counts=True)
    columns = ((cell >> shift & 255).astype(np.uint8) for shift in (16, 8, 0))
    joint = Joint(("",), classes, np.zeros(len(cell), dtype=np.int32), *columns, pixels.astype(np.int64))
    found = taken_back_of(joint)
    right = [float((seeds[scored] == mask[scored]).mean()) for seeds in (before, after)]
    moved = found.moved_cell(lost=right[1] < right[0])
    if not moved.pixels[0]:
        return WhatChanged(None, None, float("nan"), float("nan"), *right)
    return WhatChanged(
        int(moved.truth[0]), int(moved.taken_for[0]), float(moved.before[0]), float(moved.after[0]), *right
    )


def change_sentence(change: WhatChanged, classes: ClassList, first: str, second: str) -> str:
    """The change in words, as plain text.

    Args:
        change: of a picture.
        classes: the K classes.
        first, second: what the methods are called.
    """
    right_before, right_after = _percents(change.right_before, change.right_after)
    if change.truth is None or change.taken_for is None:
        return f"{first} and {second} have the same pixels right here: {right_before} of all."
    names = value_names(classes)
    share_before, share_after = _percents(change.before, change.after)
    of_class, taken_for = f"of the {names[change.truth]}", f"\u201c{names[change.taken_for]}\u201d"
    if change.is_loss:
        what = f"{second} calls {share_after} {of_class} {taken_for}, {first} {share_before}: here {second} loses."
    else:
        what = f"{first} calls {share_before} {of_class} {taken_for}, {second} {share_after}."
    return f"{what} Of all pixels, {first} has {right_before} right, {second} {right_after}."


def _percents(*shares: float) -> list[str]:
    """Shares in whole per cent, or with as many digits more (two at most) as it takes to tell them apart."""
    for digits in (0, 1, 2):
        words = [f"{100 * share:.{digits}f}%" for share in shares]
        if len(set(words)) == len(set(shares)):
            break
    return ["none" if share == 0 else text for share, text in zip(shares, words, strict=True)]
