"""The confusion matrix of every picture at one threshold, sparse: what per-picture figures are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recam_core.analysis.cell_index import CellIndex
from recam_core.data.sample import ClassList
from recam_core.errors import UserError
from recam_core.maps.activation_maps import seed_mask
from recam_core.scores.pixel_counts import PixelCounts


@dataclass(frozen=True, eq=False)
class Outcomes:
    """E entries, only cells that have pixels, in ascending order of (truth, predicted, image).

    Attributes:
        pictures: N, how many pictures there are.
        classes: the K classes.
        truth: E, uint8; ground truth: 0 background, k + 1 class k.
        predicted: E, uint8; the seed's class in the same numbers.
        image: E, int32; position of the picture.
        pixels: E, int64.
    """

    pictures: int
    classes: ClassList
    truth: np.ndarray
    predicted: np.ndarray
    image: np.ndarray
    pixels: np.ndarray

    @property
    def values(self) -> int:
        """K + 1."""
        return len(self.classes) + 1

    def confusion(self) -> np.ndarray:
        """(K+1) x (K+1), int64: the sum over all pictures."""
        return self._by_cell(self.pixels)

    def pictures_touched(self) -> np.ndarray:
        """(K+1) x (K+1), int64: in how many pictures a cell has pixels."""
        return self._by_cell(None)

    def where(self, chosen: np.ndarray) -> "Outcomes":
        """Those of some of the pictures (N bools); positions stay as they are."""
        kept = np.asarray(chosen, dtype=bool)[self.image]
        columns = (column[kept] for column in (self.truth, self.predicted, self.image, self.pixels))
        return Outcomes(self.pictures, self.classes, *columns)

    def _by_cell(self, weights: np.ndarray | None) -> np.ndarray:
        cell = self.truth.astype(np.int64) * self.values + self.predicted
        sums = np.bincount(cell, weights=weights, minlength=self.values**2)
        return sums.astype(np.int64).reshape(self.values, self.values)


def outcomes_at(counts: PixelCounts | CellIndex, threshold: float | None) -> Outcomes:
    """Where the pixels of each picture go at a threshold.

    Args:
        counts: of N pictures; an index is quicker, as one is made from counts otherwise.
        threshold: background threshold 0..1, or None to give every pixel to its arg-max class.

    Raises:
        UserError: the threshold is not within 0..1.
    """
    index = CellIndex.of(counts)
    kept = np.where(index.argmax > 0, index.above(threshold), 0)
    truth, image, entry = index.truth_entries
    to_background = np.bincount(entry, weights=index.pixels - kept, minlength=len(truth)).astype(np.int64)
    left, some = np.flatnonzero(to_background), np.flatnonzero(kept)
    parts = []
    for value in range(index.values):
        lost = left[slice(*np.searchsorted(truth[left], (value, value + 1)))]
        found = some[slice(*np.searchsorted(some, _ends(index.groups_of_truth(value))))]
        parts += [(truth[lost], np.zeros(len(lost), np.uint8), image[lost], to_background[lost])]
        parts += [(index.truth[found], index.argmax[found], index.image[found], kept[found])]
    return Outcomes(len(index), index.classes, *(np.concatenate(column) for column in zip(*parts, strict=True)))


def _ends(span: slice) -> tuple[int, int]:
    return span.start, span.stop


def outcomes_of_counts(counts: PixelCounts, threshold: float | None) -> Outcomes:
    """:func:`outcomes_at` of counts that are asked once, by a pass over their rows: no index is made.

    Raises:
        UserError: the threshold is not within 0..1.
    """
    pictures, values = len(counts), len(counts.classes) + 1
    predicted = seed_mask(counts.argmax, counts.activation, threshold)
    cell = (counts.truth.astype(np.int64) * values + predicted) * pictures + counts.image
    # Counts are summed as float64, which is exact up to 2^53 pixels.
    pixels = np.bincount(cell, weights=counts.count, minlength=values * values * pictures).astype(np.int64)
    filled = np.flatnonzero(pixels)
    pair, image = np.divmod(filled, pictures)
    truth, predicted = np.divmod(pair, values)
    columns = (truth.astype(np.uint8), predicted.astype(np.uint8), image.astype(np.int32), pixels[filled])
    return Outcomes(pictures, counts.classes, *columns)


def outcomes_of_all(
    counts: Mapping[str, PixelCounts | CellIndex], thresholds: Mapping[str, float | None]
) -> dict[str, Outcomes]:
    """:func:`outcomes_at` of several methods, each at its own threshold.

    Raises:
        UserError: no method, one without a threshold entry, or methods of other pictures or classes.
    """
    check_same_pictures(counts)
    missing = [key for key in counts if key not in thresholds]
    if missing:
        raise UserError(f"There is no threshold for {missing[0]!r}; give one, or None for none.")
    return {key: outcomes_at(each, thresholds[key]) for key, each in counts.items()}


def reference_of(keys: Sequence[str], reference: str | None) -> str:
    """The method that others are compared with: the first one unless another is named.

    Raises:
        UserError: an unknown one is named.
    """
    if reference is None:
        return keys[0]
    if reference not in keys:
        raise UserError(f"{reference!r} is not among the methods that are compared: {', '.join(keys)}.")
    return reference


def check_same_pictures(counts: Mapping[str, PixelCounts | CellIndex]) -> None:
    """Make sure that methods can be compared picture by picture.

    Raises:
        UserError: no method, or pictures or classes differ.
    """
    if not counts:
        raise UserError("There is no method to look at; choose at least one.")
    (first, reference), *others = counts.items()
    for key, other in others:
        if other.classes != reference.classes:
            raise UserError(f"{first!r} and {key!r} have different classes and cannot be compared.")
        if other.ids != reference.ids:
            raise UserError(
                f"{first!r} and {key!r} were scored on different pictures; make both from the same data set."
            )
