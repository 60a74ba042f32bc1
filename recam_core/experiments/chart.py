"""What an experiment's chart shows, as plain data: whoever draws it decides how."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Series:
    """One line, or one colour of bars.

    Attributes:
        name: for the legend.
        part: the part of the data that the figures are of.
        x: where the points lie; numbers, or names of categories.
        y: shares from 0 to 1.
        low, high: the spread of each point (over seeds, or an interval; the chart's ``spread`` says which), or None.
        keys: the key of the table row behind each point.
    """

    name: str
    part: str
    x: tuple[float | str, ...]
    y: tuple[float, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Heat:
    """A heat map of one part.

    Attributes:
        part: the part of the data that the figures are of.
        x, y: names along the axes.
        values: one row a y, one entry an x; shares from 0 to 1, None where there is none.
        keys: of the table rows, in the same form.
    """

    part: str
    x: tuple[str, ...]
    y: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    keys: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
        kind: ``line``, ``bar``, ``scatter`` or ``heat``.
        x_title, y_title: for people.
        x_scale: ``log0`` (logarithmic, with a place of its own for 0 on the left), ``linear`` or ``category``.
        spread: what ``low`` and ``high`` of the series are.
        panels: by title of the panel, the series that it shows; empty for a heat map.
        heats: the heat maps, one a part; empty otherwise.
        reference: by panel and part, the figure of the run before it was retrained.
    """

    kind: str
    x_title: str
    y_title: str
    x_scale: str
    spread: str
    panels: dict[str, tuple[Series, ...]]
    heats: tuple[Heat, ...] = ()
    reference: dict[str, dict[str, float]] | None = None

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return asdict(self)
