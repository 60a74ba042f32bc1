"""How one classifier does on one part of the data, at a background threshold that was chosen on the select part."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from recam_core.analysis.outcomes import Outcomes, outcomes_of_counts
from recam_core.data.sample import ClassList
from recam_core.errors import UserError
from recam_core.experiments.protocol import SELECT
from recam_core.scores.metrics import ratio
from recam_core.scores.pixel_counts import PixelCounts
from recam_core.scores.scores import CumulativeConfusion, Scores


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
    return CumulativeConfusion.build(counts).sweep().best().threshold if counts.classes.has_background else None


def score_part(counts: PixelCounts, threshold: float | None, part: str, exact: bool) -> PartScore:
    """The scores of counts at a threshold."""
    outcomes = outcomes_of_counts(counts, threshold)
    return PartScore(part, exact, Scores(threshold, outcomes.confusion(), counts.classes.has_background), outcomes)


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


_COLUMNS = {"truth": np.uint8, "predicted": np.uint8, "image": np.int32, "pixels": np.int64}


def score_to_json(score: PartScore) -> dict[str, Any]:
    """Everything but the classes, which all scores of an experiment share."""
    columns = {name: getattr(score.outcomes, name).tolist() for name in _COLUMNS}
    return {
        "part": score.part,
        "exact": score.exact,
        "threshold": score.scores.threshold,
        "pictures": score.outcomes.pictures,
        **columns,
    }


def score_from_json(values: Mapping[str, Any], classes: ClassList) -> PartScore:
    """What :func:`score_to_json` was given.

    Raises:
        ValueError, KeyError, TypeError, OverflowError: the values are damaged.
    """
    # By way of int64: a number that the narrow types cannot hold must not wrap around.
    wide = {name: np.asarray(values[name], dtype=np.int64) for name in _COLUMNS}
    lengths = {column.shape for column in wide.values()}
    if len(lengths) != 1 or len(next(iter(lengths))) != 1:
        raise ValueError("its columns differ in length")
    pictures, most = int(values["pictures"]), len(classes)
    limits = {"truth": most, "predicted": most, "image": pictures - 1, "pixels": None}
    for name, limit in limits.items():
        column = wide[name]
        if len(column) and (column.min() < 0 or (limit is not None and column.max() > limit)):
            raise ValueError(f"'{name}' is out of range")
    columns = (wide[name].astype(kind) for name, kind in _COLUMNS.items())
    outcomes = Outcomes(pictures, classes, *columns)
    threshold = None if values["threshold"] is None else float(values["threshold"])
    scores = Scores(threshold, outcomes.confusion(), classes.has_background)
    return PartScore(str(values["part"]), bool(values["exact"]), scores, outcomes)
