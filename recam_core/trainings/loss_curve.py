"""The losses of a training's steps, thinned so that a curve of any length has a few hundred points."""

from collections.abc import Mapping
from typing import Any

#: Above this many points, neighbours are merged.
MOST_POINTS = 400


class LossCurve:
    """Means over runs of equally many steps; the runs get longer as the training does."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.points: list[list[float]] = []
        self.stride = 1
        self._sums: list[float] = []
        self._count = 0

    def add(self, step: int, losses: Mapping[str, float]) -> None:
        """Take the losses of one step; steps rise."""
        if not self.names:
            self.names = list(losses)
        values = [losses[name] for name in self.names]
        self._sums = values if not self._count else [a + b for a, b in zip(self._sums, values, strict=True)]
        self._count += 1
        if self._count < self.stride:
            return
        self.points.append([step, *(round(total / self._count, 6) for total in self._sums)])
        self._count = 0
        if len(self.points) >= MOST_POINTS:
            pairs = zip(self.points[::2], self.points[1::2], strict=True)
            self.points = [[b[0], *((x + y) / 2 for x, y in zip(a[1:], b[1:], strict=True))] for a, b in pairs]
            self.stride *= 2

    def to_json(self) -> dict[str, Any]:
        """``names`` of the losses, ``points`` of [step, one value a name], and the ``stride`` in steps."""
        return {"names": list(self.names), "points": list(self.points), "stride": self.stride}

    @classmethod
    def up_to(cls, values: Mapping[str, Any], step: int) -> "LossCurve":
        """The curve that :meth:`to_json` gave, without what came after ``step``: it is trained again."""
        curve = cls()
        try:
            curve.names = [str(name) for name in values["names"]]
            points = [[float(value) for value in point] for point in values["points"]]
            curve.points = [point for point in points if point[0] <= step and len(point) == len(curve.names) + 1]
            curve.points = curve.points[: MOST_POINTS - 1]
            curve.stride = max(int(values["stride"]), 1)
        except (KeyError, TypeError, ValueError, OverflowError):
            return cls()  # no curve was written yet, or something else is there
        return curve
