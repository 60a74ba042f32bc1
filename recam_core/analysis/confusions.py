"""Confusions between classes: which are taken for each other, whether co-occurrence explains it, and where pixels go.

The order of the classes is one in which those that are taken for each other stand side by side.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recam_core.analysis.cell_index import CellIndex
from recam_core.analysis.outcomes import Outcomes, outcomes_of_all
from recam_core.errors import UserError
from recam_core.scores.metrics import ratio
from recam_core.scores.pixel_counts import PixelCounts


@dataclass(frozen=True)
class ConfusedPair:
    """One cell of the confusion matrix off the diagonal.

    Attributes:
        truth: the row: 0 background, k + 1 class k.
        predicted: the column, in the same numbers.
        pixels: by method: pixels of ``truth`` that were given to ``predicted``.
        share: by method: of the truth's pixels, 0..1; nan if it has none.
        pictures: by method: in how many pictures that happens.
        together: pictures whose ground truth shows both.
        together_share: of the pictures that show ``truth``, the share that shows both, 0..1; nan if there are none.
        share_where_together: by method: of the truth's pixels in the pictures that show both, the share given to
            ``predicted``; nan if no picture shows both. Where it is high and ``together_share`` is not, co-occurrence
            is not the cause.
    """

    truth: int
    predicted: int
    pixels: dict[str, int]
    share: dict[str, float]
    pictures: dict[str, int]
    together: int
    together_share: float
    share_where_together: dict[str, float]


def top_pairs(
    confusions: Mapping[str, np.ndarray],
    counts: Mapping[str, PixelCounts | CellIndex],
    thresholds: Mapping[str, float | None],
    *,
    by: str | None = None,
    most: int | None = 50,
    with_background: bool = False,
    chosen: np.ndarray | None = None,
    outcomes: Mapping[str, Outcomes] | None = None,
) -> list[ConfusedPair]:
    """The most confused pairs of classes, most pixels first; equal ones by class number.

    Args:
        confusions: by method, in the order in which they are shown: (K+1) x (K+1) pixels at its threshold.
        counts: by method; an index (or ``outcomes``) is quicker.
        thresholds: by method.
        by: the method whose pixels sort; by default the sum over all methods.
        most: how many; None for all that occur, as for a scatter plot.
        with_background: whether pixels lost to, or claimed from, the background are pairs as well.
        chosen: N bools, where the matrices are of some of the pictures only.
        outcomes: what :func:`outcomes_of_all` gives, if it is at hand.

    Raises:
        UserError: methods of other pictures or classes, or a method without a threshold.
    """
    keys = list(confusions)
    outcomes = (
        dict(outcomes) if outcomes is not None else outcomes_of_all({key: counts[key] for key in keys}, thresholds)
    )
    if chosen is not None:
        outcomes = {key: outcomes[key].where(chosen) for key in keys}
    stack = np.stack([confusions[key] for key in keys])
    pixels = stack.sum(axis=0) if by is None else confusions[by]
    occurs = stack.sum(axis=0) > 0
    np.fill_diagonal(occurs, False)
    if not with_background:
        occurs[0] = occurs[:, 0] = False
    cells = np.flatnonzero(occurs)
    cells = cells[np.argsort(-pixels.ravel()[cells], kind="stable")][:most]
    truth, predicted = np.divmod(cells, stack.shape[1])
    there = co_occurrence(outcomes[keys[0]])
    both, alone = there.pictures[truth, predicted], there.pictures[truth, truth]
    of_method = {}
    for key in keys:
        cell_pixels = confusions[key][truth, predicted]
        of_method[key] = (
            cell_pixels.tolist(),
            ratio(cell_pixels, confusions[key].sum(axis=1)[truth]).tolist(),
            outcomes[key].pictures_touched()[truth, predicted].tolist(),
            ratio(there.confused(outcomes[key])[truth, predicted], there.truth_pixels[truth, predicted]).tolist(),
        )
    together_share = ratio(both, alone).tolist()
    return [
        ConfusedPair(
            int(truth[row]),
            int(predicted[row]),
            {key: of_method[key][0][row] for key in keys},
            {key: of_method[key][1][row] for key in keys},
            {key: of_method[key][2][row] for key in keys},
            int(both[row]),
            together_share[row],
            {key: of_method[key][3][row] for key in keys},
        )
        for row in range(len(cells))
    ]


@dataclass(frozen=True, eq=False)
class CoOccurrence:
    """Co-occurrence of the K classes and the background (value 0) in N pictures, by ground-truth pixels.

    Attributes:
        present: (K+1) x N, bool: which values a picture's ground truth has.
        pictures: (K+1) x (K+1), int64: pictures that show both; on the diagonal, pictures that show the value.
        truth_pixels: (K+1) x (K+1), int64: pixels of the row's value in pictures that show the column's, too.
    """

    present: np.ndarray
    pictures: np.ndarray
    truth_pixels: np.ndarray

    def confused(self, outcomes: Outcomes) -> np.ndarray:
        """(K+1) x (K+1), int64: the confusion matrix of pixels whose picture shows what they were taken for."""
        values, pictures = self.present.shape
        together = self.present.ravel().take(outcomes.predicted * np.int64(pictures) + outcomes.image)
        cell = outcomes.truth * np.int64(values) + outcomes.predicted
        # Weights of 0 are quicker than picking the others out.
        sums = np.bincount(cell, weights=outcomes.pixels * together, minlength=values**2)
        return sums.astype(np.int64).reshape(values, values)


def co_occurrence(outcomes: Outcomes) -> CoOccurrence:
    """Count who is seen with whom; any method's outcomes, at any threshold, give the same.

    A picture shows few of the classes, so the products are sparse: 0.02 s instead of 0.1 s for 80,000 pictures and 80
    classes.
    """
    shape = (outcomes.values, outcomes.pictures)
    from scipy.sparse import csr_array  # here: every command would wait for it

    pixels = csr_array((outcomes.pixels, (outcomes.truth, outcomes.image)), shape=shape)
    pixels.sum_duplicates()
    pixels.eliminate_zeros()
    there = csr_array((np.ones(pixels.nnz, dtype=np.int64), pixels.indices, pixels.indptr), shape=shape)
    present = np.zeros(shape, dtype=bool)
    present[np.repeat(np.arange(shape[0]), np.diff(pixels.indptr)), pixels.indices] = True
    seen_with = there.T.tocsr()
    return CoOccurrence(present, (there @ seen_with).toarray(), (pixels @ seen_with).toarray())


#: Stands for all other classes together in :class:`Flow`.
OTHERS = -1


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


def class_order(confusion: np.ndarray) -> np.ndarray:
    """Sort classes by hierarchical clustering (average linkage) with the optimal order of leaves.

    Two classes are near when much of either goes to the other: the similarity is the mean of both shares. For a
    difference matrix or several methods, give the sum of their confusion matrices, so that all share one order.

    Args:
        confusion: (K+1) x (K+1) pixels, rows ground truth, index 0 the background.

    Returns:
        K + 1, int64: a permutation of 0..K; the background stays first, and classes that do not occur come last.
    """
    values = len(confusion)
    pixels = confusion.astype(np.float64)
    occurs = (pixels.sum(axis=1) + pixels.sum(axis=0)) > 0
    classes = 1 + np.flatnonzero(occurs[1:])
    absent = 1 + np.flatnonzero(~occurs[1:])
    if len(classes) > 2:
        rows = pixels[classes]
        whole = rows.sum(axis=1, keepdims=True)
        share = np.divide(rows[:, classes], whole, out=np.zeros((len(classes),) * 2), where=whole > 0)
        near = (share + share.T) / 2
        np.fill_diagonal(near, 0)
        most = near.max()
        # Shares are tiny and uneven: the root keeps weak ties from drowning beside one strong pair.
        distance = 1 - np.sqrt(near / most) if most > 0 else np.ones_like(near)
        np.fill_diagonal(distance, 0)
        # Here: every command would wait for them.
        from scipy.cluster.hierarchy import leaves_list, linkage
        from scipy.spatial.distance import squareform

        tree = linkage(squareform(distance, checks=False), "average", optimal_ordering=True)
        classes = classes[leaves_list(tree)]
    result = np.concatenate([[0], classes, absent]).astype(np.int64)
    assert len(result) == values
    return result
