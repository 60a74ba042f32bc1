"""Scores of a part as JSON values, whole: also where the pixels of each picture went, for draws of pictures."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from recam_core.analysis.outcomes import Outcomes
from recam_core.data.sample import ClassList
from recam_core.experiments.part_score import PartScore
from recam_core.scores.scores import Scores

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
