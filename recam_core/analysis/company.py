"""Which classes occur together in the ground truth."""

from dataclasses import dataclass

import numpy as np

from recam_core.analysis.outcomes import Outcomes


@dataclass(frozen=True, eq=False)
class Company:
    """Co-occurrence of the K classes and the background (value 0) in N pictures, by ground-truth pixels.

    Attributes:
        present: N x (K+1), bool: which values a picture's ground truth has.
        pictures: (K+1) x (K+1), int64: pictures that show both; on the diagonal, pictures that show the value.
        truth_pixels: (K+1) x (K+1), int64: pixels of the row's value in pictures that show the column's, too.
    """

    present: np.ndarray
    pictures: np.ndarray
    truth_pixels: np.ndarray

    def confused(self, outcomes: Outcomes) -> np.ndarray:
        """(K+1) x (K+1), int64: the confusion matrix of pixels whose picture shows what they were taken for."""
        together = self.present[outcomes.image, outcomes.predicted]
        cell = outcomes.truth.astype(np.int64) * outcomes.values + outcomes.predicted
        sums = np.bincount(cell[together], weights=outcomes.pixels[together], minlength=outcomes.values**2)
        return sums.astype(np.int64).reshape(outcomes.values, outcomes.values)


def company(outcomes: Outcomes) -> Company:
    """Count who is seen with whom; any method's outcomes give the same."""
    shape = (outcomes.pictures, outcomes.values)
    place = outcomes.image.astype(np.int64) * outcomes.values + outcomes.truth
    pixels = np.bincount(place, weights=outcomes.pixels, minlength=shape[0] * shape[1]).reshape(shape)
    present = pixels > 0
    there = present.astype(np.float64)  # whole numbers up to 2^53 are exact in products, too
    return Company(present, np.rint(there.T @ there).astype(np.int64), np.rint(pixels.T @ there).astype(np.int64))
