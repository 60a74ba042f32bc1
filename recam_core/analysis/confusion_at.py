"""The confusion matrix of a whole data set at any threshold, read off cumulative sums."""

from dataclasses import dataclass

import numpy as np

from recam_core.analysis.cell_index import CellIndex
from recam_core.analysis.mapped import release
from recam_core.data.sample import ClassList
from recam_core.errors import UserError
from recam_core.maps.activation_maps import threshold_level
from recam_core.scores.pixel_counts import LEVELS, PixelCounts
from recam_core.scores.scores import Scores

#: Groups of an index that are summed at once: few enough for the processor's cache (their rows are 100 times as many).
GROUPS_AT_ONCE = 2_000
#: Pages of a mapped index are given back after this many rows.
ROWS_TO_RELEASE = 4_000_000


@dataclass(frozen=True, eq=False)
class CumulativeConfusion:
    """The pixels that keep their arg-max class, for each of the 256 levels a threshold can fall on.

    Attributes:
        classes: the K classes, or None if it was made from a bare histogram.
        kept: 257 x (K+1) x (K+1), int64; pixels by ground truth and arg-max class whose level is at least l.
    """

    classes: ClassList | None
    kept: np.ndarray

    @classmethod
    def build(
        cls, counts: PixelCounts | CellIndex | np.ndarray, chosen: np.ndarray | None = None
    ) -> "CumulativeConfusion":
        """Sum up counts once.

        Args:
            counts: of N pictures, or their total: (K+1) x (K+1) x 256, int64.
            chosen: N bools, to count some of the pictures only.

        Raises:
            UserError: pictures cannot be chosen from a total.
        """
        if isinstance(counts, np.ndarray):
            if chosen is not None:
                raise UserError("Pictures cannot be chosen from a total; give their counts.")
            return cls(None, _kept(counts))
        if chosen is None:
            total = counts.total()
        elif isinstance(counts, CellIndex):
            total = _total_of_groups(counts, chosen)
        else:
            total = _total_of_rows(counts, chosen)
        return cls(counts.classes, _kept(total))

    def at(self, threshold: float | None) -> np.ndarray:
        """The confusion matrix at a threshold: that of :func:`recam_core.scores.scores.score`, to the pixel.

        Args:
            threshold: background threshold 0..1, or None to give every pixel to its arg-max class.

        Returns:
            (K+1) x (K+1), int64; rows ground truth, columns prediction; index 0 is the background. Without a
            background class row 0 is empty and column 0 holds the pixels left unlabelled.

        Raises:
            UserError: the threshold is not within 0..1.
        """
        first = 0 if threshold is None else threshold_level(threshold) + 1
        confusion = self.kept[first].copy()
        confusion[:, 0] += self.kept[0].sum(axis=1) - confusion.sum(axis=1)
        return confusion

    def scores(self, threshold: float | None) -> Scores:
        """IoU, precision, recall and their like at a threshold.

        Raises:
            UserError: the threshold is not within 0..1.
        """
        return Scores(threshold, self.at(threshold), self.classes is None or self.classes.has_background)


def _kept(total: np.ndarray) -> np.ndarray:
    kept = np.zeros((LEVELS + 1, *total.shape[:2]), dtype=np.int64)
    np.cumsum(np.moveaxis(total, 2, 0)[::-1], axis=0, out=kept[:-1][::-1])
    return kept


def _total_of_rows(counts: PixelCounts, chosen: np.ndarray) -> np.ndarray:
    values = len(counts.classes) + 1
    rows = np.asarray(chosen, dtype=bool)[counts.image]
    cell = (counts.truth[rows].astype(np.int64) * values + counts.winner[rows]) * LEVELS + counts.level[rows]
    sums = np.bincount(cell, weights=counts.count[rows], minlength=values * values * LEVELS)
    return sums.astype(np.int64).reshape(values, values, LEVELS)


def _total_of_groups(index: CellIndex, chosen: np.ndarray) -> np.ndarray:
    values = index.values
    total = np.zeros(values * values * LEVELS, dtype=np.int64)
    groups = np.flatnonzero(np.asarray(chosen, dtype=bool)[index.image])
    looked_at = 0
    for begin in range(0, len(groups), GROUPS_AT_ONCE):
        some = groups[begin : begin + GROUPS_AT_ONCE]
        first, lengths = index.start[some], index.start[some + 1] - index.start[some]
        ends = np.cumsum(lengths)
        starts = ends - lengths
        rows = np.arange(ends[-1]) + np.repeat(first - starts, lengths)
        upto = index.upto[rows].astype(np.int64)
        pixels = np.diff(upto, prepend=0)
        pixels[starts] = upto[starts]
        cell = index.truth[some].astype(np.int64) * values + index.winner[some]
        # A block lies within few cells, as groups are in their order: only those are summed.
        low = int(cell[0]) * LEVELS
        bins = np.repeat(cell * LEVELS - low, lengths) + index.level[rows]
        sums = np.bincount(bins, weights=pixels)
        total[low : low + len(sums)] += sums.astype(np.int64)
        looked_at += len(rows)
        if looked_at > ROWS_TO_RELEASE:
            release(index.level, index.upto)
            looked_at = 0
    return total.reshape(values, values, LEVELS)
