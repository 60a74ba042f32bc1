"""What a grid of full trainings varies, as plain values: a part of the job in the queue."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from recam_core.errors import UserError


@dataclass(frozen=True)
class GridRequest:
    """The request.

    Attributes:
        x, y: name of each axis, then its values as text.
        preset: name of the preset that the recipe began as.
        report: specification of the pictures that figures are reported on.
        seeds: each point once a seed.
        workers: trainings at a time.
        by: see :func:`recam_core.experiments.dispatch.dispatch`.
        train, score: seconds that a picture took when it was asked for, see
            :class:`recam_core.experiments.full_cost.Speed`; they say how much of the work is done.
    """

    x: tuple[str, ...]
    y: tuple[str, ...]
    preset: str
    report: str
    seeds: tuple[int, ...]
    workers: int
    by: str
    train: float
    score: float

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def grid_request(values: Mapping[str, Any]) -> GridRequest:
    """What :meth:`GridRequest.to_json` gave.

    Raises:
        UserError: the values are damaged.
    """
    try:
        x, y = (tuple(str(word) for word in values[name]) for name in ("x", "y"))
        if not (x and y):
            raise ValueError("an axis has no name")
        return GridRequest(
            x,
            y,
            str(values["preset"]),
            str(values["report"]),
            tuple(int(seed) for seed in values["seeds"]),
            int(values["workers"]),
            str(values["by"]),
            float(values["train"]),
            float(values["score"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"The request of this grid is damaged: {error}.") from error
