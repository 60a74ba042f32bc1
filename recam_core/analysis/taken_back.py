"""What a second method takes back of the errors of a first, and what it loses: by picture, kind and cell, and in words.

Taken back is a pixel that the first method has wrong and the second right; lost is the reverse. A net difference of two
confusion matrices hides both where they cancel.
"""

from dataclasses import dataclass

import numpy as np

from recam_core.analysis.joint_counts import Joint
from recam_core.data.sample import ClassList
from recam_core.errors import UserError
from recam_core.scores.metrics import ratio, scored_pixels, value_names

#: Kinds of wrong pixels: by what they are, and what they are given to.
FALSE_POSITIVE, WRONG_CLASS, FALSE_NEGATIVE = "false_positive", "wrong_class", "false_negative"
KINDS = (FALSE_POSITIVE, WRONG_CLASS, FALSE_NEGATIVE)
#: What they are called: pixels claimed from the background, those of a class given to another, and those of a class
#: left to the background (or unlabelled).
KIND_WORDS = {FALSE_POSITIVE: "false positives", WRONG_CLASS: "wrong class", FALSE_NEGATIVE: "false negatives"}


@dataclass(frozen=True, eq=False)
class MovedCell:
    """Of each of N pictures, the cell of the confusion matrix from which (or into which) most of its pixels moved.

    Attributes:
        truth: N, int64; what the pixels are: 0 background, k + 1 class k; -1 where no pixel moved.
        taken_for: N, int64; what the wrong method gives them to, in the same numbers; -1 likewise.
        pixels: N, int64; how many pixels moved between this cell and the right answer.
        before: N, float64; of the picture's pixels of ``truth``, the share that the first method gives to
            ``taken_for``; nan where no pixel moved.
        after: N, float64; the share that the second method gives to it.
    """

    truth: np.ndarray
    taken_for: np.ndarray
    pixels: np.ndarray
    before: np.ndarray
    after: np.ndarray


@dataclass(frozen=True, eq=False)
class TakenBack:
    """What each of N pictures gains and loses from the first method to the second.

    Attributes:
        joint: the pixels that this was counted from.
        scored: N, int64; pixels that count.
        taken_back: by kind of :data:`KINDS` of the first method's error: N, int64.
        lost: by kind of the second method's error: N, int64.
    """

    joint: Joint
    scored: np.ndarray
    taken_back: dict[str, np.ndarray]
    lost: dict[str, np.ndarray]

    @property
    def ids(self) -> tuple[str, ...]:
        """N picture ids."""
        return self.joint.ids

    @property
    def all_taken_back(self) -> np.ndarray:
        """N, int64: pixels that the first has wrong and the second right."""
        return np.sum([self.taken_back[kind] for kind in KINDS], axis=0)

    @property
    def all_lost(self) -> np.ndarray:
        """N, int64: pixels that the first has right and the second wrong."""
        return np.sum([self.lost[kind] for kind in KINDS], axis=0)

    def moved_cell(self, lost: bool = False) -> MovedCell:
        """Of each picture, the cell from which the second method takes back most pixels.

        Args:
            lost: instead, the cell into which most pixels are lost.
        """
        joint, pictures = self.joint, len(self.joint)
        some = np.flatnonzero(_moved(joint, lost))
        wrong = (joint.after if lost else joint.before)[some]
        # Pixels of one picture, truth and wrong class are one entry, as the other method is right about all of them.
        order = some[np.lexsort((wrong, joint.truth[some], -joint.pixels[some], joint.image[some]))]
        image = joint.image[order]
        first = order[np.flatnonzero(np.diff(image, prepend=-1))]
        at = joint.image[first]
        truth, taken_for, pixels = np.full(pictures, -1), np.full(pictures, -1), np.zeros(pictures, dtype=np.int64)
        truth[at], pixels[at] = joint.truth[first], joint.pixels[first]
        taken_for[at] = (joint.after if lost else joint.before)[first]
        of_truth = joint.truth == truth[joint.image]
        whole = _by_picture(joint, of_truth)
        before = _by_picture(joint, of_truth & (joint.before == taken_for[joint.image]))
        after = _by_picture(joint, of_truth & (joint.after == taken_for[joint.image]))
        return MovedCell(truth, taken_for, pixels, ratio(before, whole), ratio(after, whole))

    def pictures(
        self,
        truth: int | None = None,
        wrong: int | None = None,
        *,
        kind: str | None = None,
        lost: bool = False,
        chosen: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The pictures with most pixels that were taken back (or lost), most first.

        Args:
            truth: only pixels of this row of the matrix: 0 background, k + 1 class k; None for any.
            wrong: only those that the method in the wrong gives to this column; None for any.
            kind: only errors of this one of :data:`KINDS`; None for any.
            lost: what is lost instead of what is taken back.
            chosen: N bools, to look at some of the pictures only.

        Returns:
            positions: int64 positions in ``ids``; equal ones in the order of the data set.
            pixels: int64 pixels in each, all above 0.

        Raises:
            UserError: no such class or kind.
        """
        joint = self.joint
        for value in (truth, wrong):
            if value is not None and not 0 <= value <= len(joint.classes):
                raise UserError(
                    f"There is no class number {value}; the data set has the values 0 to {len(joint.classes)}."
                )
        if kind is not None and kind not in KINDS:
            raise UserError(f"There is no kind of error {kind!r}; there are {', '.join(KINDS)}.")
        entries = _moved(joint, lost)
        answers = joint.after if lost else joint.before
        if truth is not None:
            entries &= joint.truth == truth
        if wrong is not None:
            entries &= answers == wrong
        if kind is not None:
            entries &= _of_kind(joint.truth, answers, kind)
        by_picture = _by_picture(joint, entries)
        if chosen is not None:
            by_picture = np.where(chosen, by_picture, 0)
        positions = np.flatnonzero(by_picture)
        order = np.argsort(-by_picture[positions], kind="stable")
        return positions[order], by_picture[positions[order]]


def taken_back(joint: Joint) -> TakenBack:
    """What the second method takes back and loses in each picture.

    Args:
        joint: of both methods at their thresholds: :func:`~recam_core.analysis.joint_counts.joint_at`, or
            :meth:`~recam_core.analysis.joint_counts.JointCounts.at`.
    """
    parts = []
    for lost in (False, True):
        moved, answers = _moved(joint, lost), joint.after if lost else joint.before
        parts.append({kind: _by_picture(joint, moved & _of_kind(joint.truth, answers, kind)) for kind in KINDS})
    everything = np.ones(len(joint.pixels), dtype=bool)
    return TakenBack(joint, _by_picture(joint, everything), *parts)


def moved_pixels(
    before: np.ndarray,
    after: np.ndarray,
    mask: np.ndarray,
    truth: int | None,
    wrong: int | None,
    has_background: bool,
    *,
    kind: str | None = None,
    lost: bool = False,
) -> np.ndarray:
    """Where in a picture the pixels are that :meth:`TakenBack.pictures` counts.

    Args:
        before: H x W, uint8 seeds of the first method: 0 background (or unlabelled), k + 1 class k.
        after: H x W, uint8 seeds of the second.
        mask: H x W, uint8 ground truth in the same numbers; 255 void.
        truth, wrong, kind, lost: as there.
        has_background: whether 0 in the mask is a class; if not, it counts as void.

    Returns:
        H x W, bool.
    """
    scored = scored_pixels(mask, has_background)
    right, answers = (before, after) if lost else (after, before)
    pixels = scored & (right == mask) & (answers != mask)
    if truth is not None:
        pixels &= mask == truth
    if wrong is not None:
        pixels &= answers == wrong
    if kind is not None:
        pixels &= _of_kind(mask, answers, kind)
    return pixels


def _moved(joint: Joint, lost: bool) -> np.ndarray:
    right, answers = (joint.before, joint.after) if lost else (joint.after, joint.before)
    return (right == joint.truth) & (answers != joint.truth)


def _of_kind(truth: np.ndarray, answers: np.ndarray, kind: str) -> np.ndarray:
    """Of wrong answers, which are of a kind."""
    if kind == FALSE_POSITIVE:
        return truth == 0
    return (truth > 0) & ((answers > 0) if kind == WRONG_CLASS else (answers == 0))


def _by_picture(joint: Joint, entries: np.ndarray) -> np.ndarray:
    """N, int64: pixels of some of the entries."""
    # Sums are exact: float64 holds whole numbers up to 2^53.
    sums = np.bincount(joint.image[entries], weights=joint.pixels[entries], minlength=len(joint))
    return sums.astype(np.int64)


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
    scored = scored_pixels(mask, classes.has_background)
    if not scored.any():
        return None
    key = (mask[scored].astype(np.int64) << 8 | before[scored]) << 8 | after[scored]
    cell, pixels = np.unique(key, return_counts=True)
    columns = [(cell >> shift & 255).astype(np.uint8) for shift in (16, 8, 0)]
    image = np.zeros(len(cell), dtype=np.int32)
    found = taken_back(Joint(("",), classes, image, columns[0], columns[1], columns[2], pixels.astype(np.int64)))
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
