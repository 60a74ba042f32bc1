"""Where the pixels of classes go: to the right class, to the background, to each other class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recam_core.errors import UserError
from recam_core.scores.metrics import ratio

#: Stands for all other classes together in :class:`Flow`.
OTHERS = -1


@dataclass(frozen=True, eq=False)
class ClassFlow:
    """Where the pixels of one class go.

    Attributes:
        truth: the class: 0 background, k + 1 class k.
        pixels: of the class, in all.
        right: share that stays, 0..1; nan (as the others) if the class has no pixels.
        background: share given to the background (or left unlabelled); nan for the background itself.
        others: K + 1 float64: share given to each other class; 0 for itself and for the background.
    """

    truth: int
    pixels: int
    right: float
    background: float
    others: np.ndarray


def class_flow(confusion: np.ndarray, truth: int) -> ClassFlow:
    """Read one row of a confusion matrix.

    Args:
        confusion: (K+1) x (K+1) pixels, rows ground truth, index 0 the background.
        truth: the row.

    Raises:
        UserError: no such row.
    """
    if not 0 <= truth < len(confusion):
        raise UserError(f"There is no class value {truth}; this data set has 0 to {len(confusion) - 1}.")
    shares = ratio(confusion[truth], confusion[truth].sum())
    others = shares.copy()
    others[[0, truth]] = 0
    background = float(shares[0]) if truth else float("nan")
    return ClassFlow(truth, int(confusion[truth].sum()), float(shares[truth]), background, others)


@dataclass(frozen=True)
class Flow:
    """The pixels of one ground truth that go to one prediction.

    Attributes:
        truth: 0 background, k + 1 class k.
        predicted: in the same numbers, or :data:`OTHERS`.
        pixels: how many, above 0.
        share: of the truth's pixels, 0..1.
    """

    truth: int
    predicted: int
    pixels: int
    share: float


def class_flows(confusion: np.ndarray, truths: Sequence[int], *, most: int = 8) -> tuple[Flow, ...]:
    """Some rows of a confusion matrix, for a diagram: what is small is put together.

    Args:
        confusion: (K+1) x (K+1) pixels, rows ground truth, index 0 the background.
        truths: the rows, in the order in which they are shown: 0 background, k + 1 class k. Rows without pixels are
            left out.
        most: predictions that stand for themselves besides those of ``truths`` and the background; the rest become
            :data:`OTHERS`.

    Returns:
        Row by row; within a row the rows' own predictions in their order, others by size, the background,
        :data:`OTHERS`. Their pixels are those of the rows.

    Raises:
        UserError: no such row.
    """
    wrong = [truth for truth in truths if not 0 <= truth < len(confusion)]
    if wrong:
        raise UserError(f"There is no class value {wrong[0]}; this data set has 0 to {len(confusion) - 1}.")
    rows = [truth for truth in dict.fromkeys(truths) if confusion[truth].sum() > 0]
    table = confusion[rows].astype(np.int64)
    columns = _columns(table, rows, most)
    others = np.setdiff1d(np.arange(len(confusion)), columns)
    flows = np.concatenate([table[:, columns], table[:, others].sum(axis=1, keepdims=True)], axis=1)
    return tuple(
        Flow(truth, predicted, pixels, pixels / int(table[row].sum()))
        for row, truth in enumerate(rows)
        for predicted, pixels in zip([*columns, OTHERS], flows[row].tolist(), strict=True)
        if pixels
    )


def _columns(table: np.ndarray, rows: list[int], most: int) -> list[int]:
    """Predictions that stand for themselves: the rows' in their order, then others by size, the background last."""
    arrived = table.sum(axis=0)
    own = [value for value in rows if value and arrived[value]]
    rest = [value for value in np.argsort(-arrived, kind="stable").tolist() if value and value not in rows]
    own += [value for value in rest if arrived[value]][: max(most, 0)]
    return [*own, 0] if arrived[0] else own
