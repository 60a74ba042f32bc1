"""A figure over a setting that is a number: a line a part, with the seeds' spread."""

import math
from collections.abc import Callable, Mapping, Sequence

import plotly.graph_objects as go

from recam_core.experiments.experiment import Experiment
from recam_core.views.charts.setting_points import (
    DASHES,
    SettingPoint,
    colours_of,
    groups_of,
    hover_of,
    marks,
    panel_points,
    percent_axis,
    reference_lines,
    spread_bars,
)
from recam_core.views.charts.style import Palette, plain, template

_HEIGHT = 260
#: Labels along the axis stand at least this share of it apart.
_APART = 0.06


def line_chart(experiment: Experiment, title: str, marked: int | None, palette: Palette) -> go.Figure:
    """One panel of an experiment; the part that reports is drawn through, the part that chooses is dashed.

    A logarithmic axis keeps a place for 0 on the left: from the smallest other value on it is logarithmic, and linear
    below. ``customdata`` of a point is the place of its setting.

    Args:
        experiment: whose chart is of the kind ``line``.
        title: of the panel.
        marked: place of the setting whose maps are shown.
        palette: of the page.
    """
    chart = experiment.chart
    points = panel_points(experiment, title, marked)
    reference = (chart.reference or {}).get(title, {})
    colours = colours_of(groups_of(experiment), palette)
    ticks = sorted({float(point.x) for point in points})
    place, along = _axis(ticks, chart.x_scale)
    at = {point: (place(float(point.x)), point.y) for point in points}
    lines = [
        _line([point for point in points if (point.group, point.part) == (group, part)], at, colour, dash)
        for group, colour in colours.items()
        for part, dash in DASHES.items()
    ]
    hover = {point: hover_of(point, title, reference) for point in points}
    figure = go.Figure([*lines, *spread_bars(points, at, colours, "y"), *marks(points, at, hover, colours, palette)])
    unit = " (logarithmic)" if chart.x_scale == "log0" else ""
    figure.update_layout(
        template=template(palette),
        height=_HEIGHT,
        margin={"t": 30, "r": 14},
        showlegend=False,
        shapes=reference_lines(reference, "y", palette),
        xaxis={"title": {"text": plain(chart.x_title + unit)}, "showgrid": False, "autotickangles": [0, 45], **along},
        yaxis=percent_axis(point.y for point in points),
    )
    return figure


def _line(
    points: Sequence[SettingPoint], at: Mapping[SettingPoint, tuple[float, float]], colour: str, dash: str
) -> go.Scatter:
    along = sorted(points, key=lambda point: at[point][0])
    return go.Scatter(
        x=[at[point][0] for point in along],
        y=[at[point][1] for point in along],
        mode="lines",
        line={"color": colour, "width": 1.8, "dash": dash},
        hoverinfo="skip",
        cliponaxis=False,
    )


def _axis(ticks: Sequence[float], scale: str) -> tuple[Callable[[float], float], dict]:
    """Where a value stands on the axis, and the axis."""
    position: Callable[[float], float] = float
    kind = {}
    if scale == "log0" and ticks[0] > 0:
        kind = {"type": "log"}
    elif scale == "log0":
        smallest = next((tick for tick in ticks if tick > 0), 1.0)

        def position(value: float) -> float:
            return math.copysign(math.log1p(abs(value) / smallest), value)

    # Of positions as they are seen; what is drawn on an axis of Plotly's own logarithm is the value itself.
    seen = {tick: math.log10(tick) if kind else position(tick) for tick in ticks}
    labelled = _apart(ticks, seen)
    return position, {
        **kind,
        "tickvals": [position(tick) for tick in labelled],
        "ticktext": [f"{t:g}" for t in labelled],
    }


def _apart(ticks: Sequence[float], seen: Mapping[float, float]) -> list[float]:
    """Those that have room for a label: the first always, and others from there."""
    span = (seen[ticks[-1]] - seen[ticks[0]]) or 1.0
    kept = [ticks[0]]
    for tick in ticks[1:]:
        if (seen[tick] - seen[kept[-1]]) / span >= _APART:
            kept.append(tick)
    return kept
