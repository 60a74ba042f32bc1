"""Lines, dots and points whose marks can be pressed, one panel of an experiment."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from app.confusions.ink import Ink
from app.lab.chart_points import PART_WORDS, PRESSED, PRESSED_FIELDS, colours_of
from recam_core.experiments.chart import Chart
from recam_core.experiments.protocol import REPORT, SELECT

_HEIGHT, _ROW = 215, 26
#: What the axis below takes of the height.
_FOOT = 30
_SCATTER_HEIGHT = 340
_REPORTS, _CHOOSES = PART_WORDS[REPORT], PART_WORDS[SELECT]


def line_chart(
    points: pd.DataFrame, chart: Chart, reference: Mapping[str, float], groups: Sequence[str], ink: Ink
) -> alt.LayerChart:
    """A line a series; the part that reports is drawn through, the part that chooses is dashed.

    Args:
        points: what :func:`~app.lab.chart_points.panel_points` made.
        chart: says what the x axis is.
        reference: by part, the figure of the run before it was retrained.
        groups: names of the groups, in the order of their colours.
        ink: colours of the page.
    """
    ticks = sorted(set(points["x"]))
    scale = alt.Scale(zero=False, nice=False, padding=14)
    if chart.x_scale == "log0" and ticks[0] > 0:
        scale = alt.Scale(type="log", nice=False, padding=14)
    elif chart.x_scale == "log0":
        # Logarithmic from the smallest value on, with a place for 0 to the left of it.
        smallest = next((tick for tick in ticks if tick > 0), 1.0)
        scale = alt.Scale(type="symlog", constant=smallest, nice=False, padding=14)
    x = alt.X(
        "x:Q",
        title=chart.x_title + (" (logarithmic)" if chart.x_scale == "log0" else ""),
        scale=scale,
        axis=alt.Axis(values=ticks, format="~r", labelOverlap="greedy", **_axis(ink, grid=False)),
    )
    y = alt.Y("y:Q", title=None, scale=alt.Scale(zero=False), axis=_share_axis(points["y"], ink))
    colour = _colour(groups, ink)
    dash = alt.StrokeDash(
        "part:N", scale=alt.Scale(domain=[_REPORTS, _CHOOSES], range=[[1, 0], [4, 4]]), legend=None
    )  # fmt: skip
    base = alt.Chart(points)
    layers = _references(reference, "y", y, ink)
    if _has_spread(points):
        spread = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=5, opacity=0.3, tooltip=None)
        layers.append(spread.encode(x, _of(y, "low:Q"), y2="high:Q", color=colour))
    layers.append(
        base.mark_line(strokeWidth=1.8, tooltip=None).encode(x, y, color=colour, strokeDash=dash, detail="group:N")
    )
    layers += _marks(base, x, y, groups, ink)
    return _layered(layers, _HEIGHT)


def dot_chart(points: pd.DataFrame, reference: Mapping[str, float], groups: Sequence[str], ink: Ink) -> alt.LayerChart:
    """A row a category, so that names have room, and dots, as shares that begin far from 0 need no bars."""
    order = list(dict.fromkeys(points["x"]))
    y = alt.Y(
        "x:N",
        sort=order,
        title=None,
        axis=alt.Axis(
            labelColor=ink.text,
            labelLimit=130,
            labelOverlap=False,
            domain=False,
            ticks=False,
            grid=True,
            gridColor=ink.line,
            gridDash=[2, 3],
        ),
    )
    x = alt.X("y:Q", title=None, scale=alt.Scale(zero=False), axis=_share_axis(points["y"], ink))
    colour, base = _colour(groups, ink), alt.Chart(points)
    layers = _references(reference, "x", x, ink)
    if _has_spread(points):
        spread = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=5, opacity=0.3, tooltip=None)
        layers.append(spread.encode(y, _of(x, "low:Q"), x2="high:Q", color=colour))
    layers += _marks(base, x, y, groups, ink)
    return _layered(layers, _ROW * len(order) + _FOOT)


def scatter_chart(points: pd.DataFrame, chart: Chart, ink: Ink) -> alt.LayerChart:
    """Each setting as a point; the run before it was retrained as a cross."""
    x = alt.X(
        "x:Q",
        title=chart.x_title,
        scale=alt.Scale(zero=False),
        axis=_share_axis(points["x"], ink),
    )
    y = alt.Y(
        "y:Q",
        title=chart.y_title,
        scale=alt.Scale(zero=False),
        axis=_share_axis(points["y"], ink),
    )
    before = pd.DataFrame(
        [
            {"x": chart.reference["confused"][part], "y": chart.reference[chart.y_title][part],
             "key": "not retrained", "part": PART_WORDS[part], "place": -1}
            for part in (SELECT, REPORT)
        ]
    )  # fmt: skip
    crosses = (
        alt.Chart(before)
        .mark_point(shape="cross", filled=True, size=150, color=ink.wrong)
        .encode(
            x,
            y,
            stroke=alt.value(ink.wrong),
            fillOpacity=_opacity(),
            tooltip=[alt.Tooltip("key:N", title="setting"), alt.Tooltip("part:N", title="this part")],
        )
    )
    marks = _marks(alt.Chart(points), x, y, [""], ink)
    return _layered([crosses, *marks], _SCATTER_HEIGHT)


def _marks(base: alt.Chart, x: alt.X, y: alt.Y, groups: Sequence[str], ink: Ink) -> list[alt.Chart]:
    """Points of both parts, the ring of what was chosen and that of what is looked at."""
    press = alt.selection_point(name=PRESSED, fields=list(PRESSED_FIELDS), on="click", toggle=False, clear=False)
    tooltip = [
        alt.Tooltip("key:N", title="setting"),
        alt.Tooltip("y:Q", title="value", format=".2%"),
        alt.Tooltip("part:N", title="this part"),
    ]
    if _has_spread(base.data):
        tooltip[2:2] = [
            alt.Tooltip("low:Q", title="lowest seed", format=".2%"),
            alt.Tooltip("high:Q", title="highest seed", format=".2%"),
        ]
    points = (
        base.mark_point(filled=True, size=85, cursor="pointer", strokeWidth=1.6)
        .encode(x, y, color=_colour(groups, ink), stroke=_stroke(groups, ink), fillOpacity=_opacity(), tooltip=tooltip)
        .add_params(press)
    )
    rings = [
        base.transform_filter(f"datum.{name}")
        .mark_point(filled=False, size=size, strokeWidth=width, opacity=1, tooltip=None)
        .encode(x, y, color=alt.value(tint))
        for name, size, width, tint in (("chosen", 240, 1.6, ink.methods[1]), ("marked", 330, 2.2, ink.text))
    ]
    return [*rings, points]


def _colour(groups: Sequence[str], ink: Ink) -> alt.Color:
    return alt.Color("group:N", scale=_scale(groups, ink), legend=None)


def _stroke(groups: Sequence[str], ink: Ink) -> alt.Stroke:
    return alt.Stroke("group:N", scale=_scale(groups, ink), legend=None)


def _scale(groups: Sequence[str], ink: Ink) -> alt.Scale:
    return alt.Scale(domain=list(groups), range=colours_of(groups, ink))


def _opacity() -> alt.FillOpacity:
    """Full for the part that reports, hollow for the one that chooses."""
    scale = alt.Scale(domain=[_REPORTS, _CHOOSES], range=[1, 0])
    return alt.FillOpacity("part:N", scale=scale, legend=None)


def _references(reference: Mapping[str, float], axis: str, like: alt.X | alt.Y, ink: Ink) -> list[alt.Chart]:
    """A line at the figure before, of each part."""
    dashes = {REPORT: [1, 0], SELECT: [4, 4]}
    return [
        alt.Chart(pd.DataFrame({"at": [reference[part]], "key": [f"not retrained, {PART_WORDS[part]}"]}))
        .mark_rule(color=ink.wrong, strokeWidth=1.4, strokeDash=dash, opacity=0.75)
        .encode(
            **{axis: _of(like, "at:Q")},
            tooltip=[alt.Tooltip("key:N", title="line"), alt.Tooltip("at:Q", title="value", format=".2%")],
        )
        for part, dash in dashes.items()
        if part in reference
    ]


def _of(like: alt.X | alt.Y, field: str) -> alt.X | alt.Y:
    """Another field on the same scale and axis."""
    other = like.copy()
    other["shorthand"] = field
    return other


def _has_spread(points: pd.DataFrame) -> bool:
    return bool(points["low"].notna().any())


def _layered(layers: list[alt.Chart], height: int) -> alt.LayerChart:
    return alt.layer(*layers).properties(height=height).configure_view(strokeWidth=0)


def _share_axis(values: pd.Series, ink: Ink) -> alt.Axis:
    """Percent, with as many digits as tell the ticks apart."""
    digits = 2 if values.max() - values.min() < 0.01 else 1
    return alt.Axis(format=f".{digits}%", tickCount=5, **_axis(ink))


def _axis(ink: Ink, grid: bool = True) -> dict:
    return {
        "grid": grid,
        "gridColor": ink.line,
        "domain": False,
        "ticks": False,
        "labelColor": ink.quiet,
        "titleColor": ink.quiet,
        "titleFontWeight": "normal",
    }
