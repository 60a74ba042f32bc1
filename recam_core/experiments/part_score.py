"""How one classifier does on one part of the data, at a background threshold that was chosen on the select part."""

from dataclasses import dataclass

import numpy as np

from recam_core.analysis.outcomes import Outcomes
from recam_core.errors import UserError
from recam_core.experiments.protocol import SELECT
from recam_core.maps.activation_maps import threshold_level
from recam_core.scores.pixel_counts import PixelCounts
from recam_core.scores.scores import Scores, sweep


@dataclass(frozen=True, eq=False)
class PartScore:
    """Scores on one part.

    Attributes:
        part: ``select`` or ``report``.
        exact: whether all pixels were counted at the usual scales, or a sample at scale 1.
        scores: at the threshold; None as a threshold where the data has no background class.
        outcomes: where the pixels of each picture went, for draws of pictures.
    """

    part: str
    exact: bool
    scores: Scores
    outcomes: Outcomes


def select_threshold(counts: PixelCounts, part: str) -> float | None:
    """The background threshold with the best mIoU; None without a background class.

    Raises:
        UserError: the counts are not of the part that chooses.
    """
    if part != SELECT:
        raise UserError(f"Background thresholds are chosen on the part '{SELECT}' only, not on '{part}'.")
    return sweep(counts.total()).best().threshold if counts.classes.has_background else None


def score_part(counts: PixelCounts, threshold: float | None, part: str, exact: bool) -> PartScore:
    """The scores of counts at a threshold."""
    values, pictures = len(counts.classes) + 1, len(counts)
    predicted = counts.winner
    if threshold is not None:
        predicted = np.where(counts.level > threshold_level(threshold), counts.winner, np.uint8(0))
    cell = (counts.truth.astype(np.int64) * values + predicted) * pictures + counts.image
    # Counts are summed as float64, which is exact up to 2^53 pixels.
    pixels = np.bincount(cell, weights=counts.count, minlength=values * values * pictures).astype(np.int64)
    filled = np.flatnonzero(pixels)
    pair, image = np.divmod(filled, pictures)
    outcomes = Outcomes(
        pictures,
        counts.classes,
        (pair // values).astype(np.uint8),
        (pair % values).astype(np.uint8),
        image.astype(np.int32),
        pixels[filled],
    )
    scores = Scores(threshold, outcomes.confusion(), counts.classes.has_background)
    return PartScore(part, exact, scores, outcomes)
