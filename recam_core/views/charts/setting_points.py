"""Settings of an experiment as points: what the line, dot and scatter charts of an experiment have in common."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from recam_core.experiments.chart import Series
from recam_core.experiments.experiment import Experiment
from recam_core.experiments.protocol import REPORT, SELECT
from recam_core.views.charts.style import Palette, plain, translucent

#: What each part does, for people.
PART_WORDS = {SELECT: "chooses", REPORT: "reports"}
#: In the place of a setting: the run before it was retrained.
REFERENCE_PLACE = -1
#: How the lines of a part are drawn.
DASHES = {REPORT: "solid", SELECT: "4px,4px"}
_SIZE, _EDGE = 9, 1.8


@dataclass(frozen=True)
class SettingPoint:
    """A setting, measured on one part.

    Attributes:
        place: of the setting in the experiment.
        key: its name, the key of its row in the table.
        x: number or category.
        y: share, 0..1.
        low, high: the spread of y; None for none.
        part: which part it was measured on.
        group: the colour that it belongs to; "" where there is one.
        chosen: whether the part that chooses prefers it.
        marked: whether its maps are shown.
    """

    place: int
    key: str
    x: float | str
    y: float
    low: float | None
    high: float | None
    part: str
    group: str
    chosen: bool
    marked: bool


def group_of(series: Series, experiment: Experiment) -> str:
    """The group that a series belongs to where a panel holds several; "" where it does not."""
    return series.name.removesuffix(getattr(experiment.protocol, series.part)).removesuffix(", ")


def groups_of(experiment: Experiment) -> list[str]:
    """All groups, in their order; one empty name where there are none."""
    panels = experiment.chart.panels.values()
    return list(dict.fromkeys(group_of(series, experiment) for panel in panels for series in panel))


def colours_of(groups: Sequence[str], palette: Palette) -> dict[str, str]:
    """One colour a group, as far as there are any."""
    colours = [palette.methods[place] for place in (2, 4, 3, 1, 5)]
    return {group: colours[place % len(colours)] for place, group in enumerate(groups)}


def panel_points(experiment: Experiment, title: str, marked: int | None) -> list[SettingPoint]:
    """The points of a panel.

    Args:
        experiment: what they are of.
        title: of the panel.
        marked: place of the setting whose maps are shown.
    """
    places = {one.label: place for place, one in enumerate(experiment.settings)}
    return [
        SettingPoint(
            places[key], key, x, y, low, high, each.part, group_of(each, experiment),
            key == experiment.chosen, places[key] == marked,
        )
        for each in experiment.chart.panels[title]
        for x, y, low, high, key in zip(each.x, each.y, each.low, each.high, each.keys, strict=True)
    ]  # fmt: skip


def percent_axis(values: Iterable[float]) -> dict:
    """An axis of shares as percentages, with as many digits as tell its labels apart."""
    known = [value for value in values if math.isfinite(value)] or [0.0]
    return {"tickformat": f".{2 if max(known) - min(known) < 0.01 else 1}%", "nticks": 6}


def marks(
    points: Sequence[SettingPoint],
    at: Mapping[SettingPoint, tuple[float, float]],
    hover: Mapping[SettingPoint, str],
    colours: Mapping[str, str],
    palette: Palette,
) -> list[go.Scatter]:
    """The points, full on the part that reports and hollow on the one that chooses, with the rings around some.

    Args:
        points: of a panel.
        at: where each stands.
        hover: what is told of each.
        colours: by group.
        palette: of the page.
    """
    rings = [
        go.Scatter(
            x=[at[point][0] for point in ringed],
            y=[at[point][1] for point in ringed],
            mode="markers",
            name=name,
            marker={"symbol": "circle-open", "size": size, "color": tint, "line": {"width": width, "color": tint}},
            hoverinfo="skip",
            cliponaxis=False,
        )
        for name, size, width, tint in (("chosen", 17, 1.8, palette.methods[1]), ("marked", 21, 2.4, palette.text))
        if (ringed := [point for point in points if getattr(point, name)])
    ]
    return [
        *rings,
        go.Scatter(
            x=[at[point][0] for point in points],
            y=[at[point][1] for point in points],
            mode="markers",
            name="settings",
            marker={
                "size": _SIZE,
                "color": [colours[point.group] if point.part == REPORT else palette.ground for point in points],
                "line": {"width": _EDGE, "color": [colours[point.group] for point in points]},
            },
            customdata=[[point.place] for point in points],
            hovertext=[hover[point] for point in points],
            hoverinfo="text",
            cliponaxis=False,
        ),
    ]


def hover_of(point: SettingPoint, figure: str, reference: Mapping[str, float]) -> str:
    """What is told of a point: its setting, the figure, what that is over the run before, and the spread.

    Args:
        point: of a panel.
        figure: what its ``y`` is.
        reference: by part, the figure of the run before it was retrained.
    """
    lines = [f"<b>{plain(point.key)}</b>", plain(f"{figure}: {100 * point.y:.2f} %")]
    if point.part in reference:
        change = 100 * (point.y - reference[point.part])
        lines.append(plain(f"{change:+.2f} points to not retrained".replace("-", "−", 1)))
    if point.low is not None and point.high is not None:
        lines.append(plain(f"seeds: {100 * point.low:.2f} to {100 * point.high:.2f} %"))
    prefers = ", which prefers it" if point.chosen and point.part == SELECT else ""
    lines.append(f"on the part that {PART_WORDS[point.part]}{prefers}")
    return "<br>".join(lines)


def spread_bars(
    points: Sequence[SettingPoint],
    at: Mapping[SettingPoint, tuple[float, float]],
    colours: Mapping[str, str],
    axis: str,
) -> list[go.Scatter]:
    """Bars from the lowest to the highest seed, one trace a group.

    Args:
        points: of a panel.
        at: where each stands.
        colours: by group.
        axis: "x" or "y", along which figures are told.
    """
    traces = []
    for group, colour in colours.items():
        some, below, above = [], [], []
        for point in points:
            if point.group == group and point.low is not None and point.high is not None:
                some.append(point)
                below.append(point.y - point.low)
                above.append(point.high - point.y)
        if some:
            bars = {
                "type": "data",
                "symmetric": False,
                "array": above,
                "arrayminus": below,
                "color": translucent(colour, 0.35),
                "thickness": 5,
                "width": 0,
            }
            traces.append(
                go.Scatter(
                    x=[at[point][0] for point in some],
                    y=[at[point][1] for point in some],
                    mode="markers",
                    name="spread",
                    marker={"size": 1, "color": translucent(colour, 0)},
                    hoverinfo="skip",
                    cliponaxis=False,
                    **{f"error_{axis}": bars},
                )
            )
    return traces


def reference_lines(reference: Mapping[str, float], axis: str, palette: Palette) -> list[dict]:
    """A line across the panel at the figure before it was retrained, of each part.

    Args:
        reference: by part.
        axis: "x" or "y", along which figures are told.
        palette: of the page.
    """
    other = "y" if axis == "x" else "x"
    return [
        {
            "type": "line",
            "layer": "below",
            "name": f"not retrained, {PART_WORDS[part]}",
            f"{other}ref": "paper",
            f"{other}0": 0,
            f"{other}1": 1,
            f"{axis}0": reference[part],
            f"{axis}1": reference[part],
            "line": {"color": palette.wrong, "width": 1.4, "dash": dash},
            "opacity": 0.75,
        }
        for part, dash in DASHES.items()
        if part in reference
    ]
