"""IoU per class of all methods as dots, and what one gains over another with an interval, in one order of classes."""

import altair as alt
import pandas as pd

from app.confusions.ink import Ink

#: Name of the selection that a press makes, and the fields that it tells.
PRESSED = "class"
PRESSED_FIELDS = ("value",)
#: The verdict on a class of which one picture is all there is.
SEEN_ONCE = "seen in one picture"
_ROW = 25
_SMALLEST_ROW = 13
_MANY = 30


def iou_chart(dots: pd.DataFrame, order: list[str], titles: list[str], ink: Ink) -> alt.LayerChart:
    """Dots of all methods on one line a class.

    Args:
        dots: name, value, method, iou, low, high (nan for none), once (whether the class is seen in one picture
            at most: it is grey).
        order: names from top to bottom.
        titles: of the methods, in the order of their colours.
        ink: colours of the page.
    """
    y = _rows(order, ink)
    x = alt.X("iou:Q", title="IoU", scale=alt.Scale(zero=False, nice=True), axis=_axis(ink, "%"))
    lines = alt.Chart(dots).mark_rule(color=ink.line, strokeWidth=2).encode(y, x="min(iou):Q", x2="max(iou):Q")
    points = (
        alt.Chart(dots)
        .mark_point(filled=True, size=70, opacity=0.95, cursor="pointer")
        .encode(
            y,
            x,
            color=alt.condition(
                "datum.once",
                alt.value(ink.quiet),
                alt.Color(
                    "method:N",
                    scale=alt.Scale(domain=titles, range=list(ink.methods[: len(titles)])),
                    legend=alt.Legend(title=None, orient="top", labelColor=ink.text, symbolSize=80),
                ),
            ),
            # A shape besides the colour, so that either alone tells the methods apart.
            shape=alt.Shape(
                "method:N",
                scale=alt.Scale(
                    domain=titles,
                    range=["circle", "triangle-up", "diamond", "square", "cross", "triangle-down"][: len(titles)],
                ),
                legend=alt.Legend(title=None, orient="top"),
            ),
            tooltip=[
                alt.Tooltip("name:N", title="class"),
                alt.Tooltip("method:N", title="method"),
                alt.Tooltip("iou:Q", title="IoU", format=".1%"),
                alt.Tooltip("low:Q", title="interval from", format=".1%"),
                alt.Tooltip("high:Q", title="to", format=".1%"),
            ],
        )
        .add_params(_press())
    )
    return alt.layer(lines, points).properties(height=_height(order)).configure_view(strokeWidth=0)


def gain_chart(gains: pd.DataFrame, order: list[str], ink: Ink) -> alt.LayerChart:
    """The gain of one method, with its interval; grey where the interval holds 0, as noise does, or there is none.

    Args:
        gains: name, value, gain, low, high (points of per cent; nan for no interval), verdict ("better", "worse",
            "may be noise" or :data:`SEEN_ONCE`).
        order: names from top to bottom.
        ink: colours of the page.
    """
    y = _rows(order, ink)
    axis = _axis(ink, "+.0f")
    title = "gain in IoU, points, with 95% interval"
    x = alt.X("gain:Q", title=title, axis=axis)
    verdicts = {"better": ink.right, "worse": ink.wrong, "may be noise": ink.quiet}
    if (gains["verdict"] == SEEN_ONCE).any():
        verdicts[SEEN_ONCE] = ink.quiet
    colour = alt.Color(
        "verdict:N",
        scale=alt.Scale(domain=list(verdicts), range=list(verdicts.values())),
        legend=alt.Legend(
            title=None,
            orient="top",
            columns=2 if SEEN_ONCE in verdicts else 0,  # four do not fit beside each other
            labelColor=ink.text,
            symbolType="circle",
            symbolSize=80,
        ),
    )
    zero = alt.Chart(pd.DataFrame({"at": [0]})).mark_rule(color=ink.quiet, strokeWidth=1).encode(x="at:Q")
    bars = (
        alt.Chart(gains.dropna())
        .mark_rule(strokeWidth=3, strokeCap="round", opacity=0.55)
        .encode(y, x=alt.X("low:Q", title=title, axis=axis), x2="high:Q", color=colour)
    )
    points = (
        alt.Chart(gains)
        .mark_point(filled=True, size=70, opacity=1, cursor="pointer")
        .encode(
            y,
            x,
            color=colour,
            tooltip=[
                alt.Tooltip("name:N", title="class"),
                alt.Tooltip("gain:Q", title="gain, points", format="+.1f"),
                alt.Tooltip("low:Q", title="interval from", format="+.1f"),
                alt.Tooltip("high:Q", title="to", format="+.1f"),
                alt.Tooltip("verdict:N", title=" "),
            ],
        )
        .add_params(_press())
    )
    return alt.layer(zero, bars, points).properties(height=_height(order)).configure_view(strokeWidth=0)


def verdict(low: float, high: float) -> str:
    """What an interval of a gain says."""
    if low != low:
        return SEEN_ONCE
    return "better" if low > 0 else "worse" if high < 0 else "may be noise"


def _press() -> alt.Parameter:
    return alt.selection_point(name=PRESSED, fields=list(PRESSED_FIELDS), on="click", toggle=False, clear=False)


def _height(order: list[str]) -> int:
    return len(order) * (_ROW if len(order) <= _MANY else _SMALLEST_ROW)


def _rows(order: list[str], ink: Ink) -> alt.Y:
    return alt.Y(
        "name:N",
        sort=order,
        title=None,
        axis=alt.Axis(
            grid=True,
            gridColor=ink.line,
            gridDash=[2, 3],
            domain=False,
            ticks=False,
            labelColor=ink.text,
            labelOverlap=False,
            labelFlush=False,
            labelBound=False,
            labelLimit=120,
            labelFontSize=12 if len(order) <= _MANY else 9,
        ),
    )


def _axis(ink: Ink, format: str) -> alt.Axis:
    return alt.Axis(
        format=format,
        grid=True,
        gridColor=ink.line,
        domain=False,
        ticks=False,
        tickCount=6,
        labelColor=ink.quiet,
        titleColor=ink.quiet,
        titleFontWeight="normal",
    )
