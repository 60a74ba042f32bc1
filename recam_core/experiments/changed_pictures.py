"""In which pictures two settings differ: where to look first."""

import numpy as np

from recam_core.analysis.outcomes import Outcomes
from recam_core.errors import UserError
from recam_core.experiments.part_score import PartScore
from recam_core.scores.metrics import ratio


def picture_changes(one: PartScore, other: PartScore) -> np.ndarray:
    """N: by picture, the share of its scored pixels that ``one`` has right less that which ``other`` has right.

    Pictures are in the order of the part, those without ground truth left out; nan where no pixel is scored.

    Raises:
        UserError: the two are not of the same pictures.
    """
    if one.part != other.part or one.outcomes.pictures != other.outcomes.pictures:
        raise UserError("These scores are of different pictures and cannot be compared picture by picture.")
    return _right(one.outcomes) - _right(other.outcomes)


def _right(outcomes: Outcomes) -> np.ndarray:
    right = outcomes.pixels * (outcomes.truth == outcomes.predicted)
    sums = [np.bincount(outcomes.image, weights=w, minlength=outcomes.pictures) for w in (right, outcomes.pixels)]
    return ratio(*sums)
