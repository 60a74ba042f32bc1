"""What an experiment's chart shows, as plain data: whoever draws it decides how."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from recam_core.experiments.figures import FIGURES
from recam_core.experiments.lab import SettingResult
from recam_core.experiments.noise import measured
from recam_core.experiments.protocol import REPORT, SELECT, Protocol


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


SEED_SPREAD = "lowest and highest of the seeds"


def panels(
    settings: Sequence[SettingResult],
    x: Sequence[float | str],
    protocol: Protocol,
    figures: Sequence[str] = tuple(FIGURES),
    group: str = "",
) -> dict[str, tuple[Series, ...]]:
    """One panel a figure; in each, one series a part.

    Args:
        settings: in the order of the x axis.
        x: where each lies.
        protocol: names the parts.
        figures: keys of :data:`FIGURES`.
        group: in front of the names of the series, where a panel holds several groups.
    """
    found = {}
    for name in figures:
        figure, title, _ = FIGURES[name]
        series = []
        for part in (SELECT, REPORT):
            each = [[float(figure(s.scores.confusion, s.scores.has_background)) for s in one.on(part)]
                    for one in settings]  # fmt: skip
            series.append(
                Series(
                    f"{group}, {getattr(protocol, part)}" if group else getattr(protocol, part),
                    part,
                    tuple(x),
                    tuple(measured(one.on(part), figure) for one in settings),
                    tuple(min(values) if len(values) > 1 else None for values in each),
                    tuple(max(values) if len(values) > 1 else None for values in each),
                    tuple(one.label for one in settings),
                )
            )
        found[title] = tuple(series)
    return found


def joined(*groups: dict[str, tuple[Series, ...]]) -> dict[str, tuple[Series, ...]]:
    """The panels of several groups, those of the same title in one."""
    titles = dict.fromkeys(title for group in groups for title in group)
    return {title: tuple(series for group in groups for series in group.get(title, ())) for title in titles}


def reference_figures(reference: SettingResult, names: Sequence[str] = tuple(FIGURES)) -> dict[str, dict[str, float]]:
    """By panel title and part: the figures of the run before it was retrained."""
    return {
        FIGURES[name][1]: {part: measured(reference.on(part), FIGURES[name][0]) for part in (SELECT, REPORT)}
        for name in names
    }
