"""What something gains over something else, with intervals: a row a name, right of 0 where it is better."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from recam_core.analysis.csv_tables import csv_text
from recam_core.scores.table import signed
from recam_core.views.charts.style import Palette, plain, template, translucent

BETTER, WORSE = "better", "worse"
_ROW, _ROW_OF_TWO_LINES, _SMALLEST_ROW = 25, 36, 14
_MANY = 30
#: What axis and legend take of the height.
_REST = 90
#: Characters that a name has room for beside the dots on a phone.
_NAME = 22
_SYMBOLS = {BETTER: "circle", WORSE: "diamond"}


@dataclass(frozen=True)
class GainRow:
    """One gain.

    Attributes:
        name: of what gains.
        gain: in points of per cent.
        low, high: ends of its interval; None for none.
        verdict: :data:`BETTER`, :data:`WORSE`, or why it is neither, in grey.
        group: a line above the name; "" for none.
        marked: whether it is looked at.
    """

    name: str
    gain: float
    low: float | None
    high: float | None
    verdict: str
    group: str = ""
    marked: bool = False


def gain_chart(rows: Sequence[GainRow], palette: Palette, *, title: str, legend: bool = True) -> go.Figure:
    """Dots with their intervals, one line a row; ``customdata`` of a dot is its place among the rows.

    Args:
        rows: from top to bottom; at least one.
        palette: of the page.
        title: of the axis.
        legend: whether verdicts are told by a legend.
    """
    colours = {BETTER: palette.right, WORSE: palette.wrong}
    first = {verdict: place for place, verdict in enumerate((BETTER, WORSE))}
    verdicts = sorted({row.verdict for row in rows}, key=lambda verdict: (first.get(verdict, 2), verdict))
    figure = go.Figure(
        [
            _dots(
                [(place, row) for place, row in enumerate(rows) if row.verdict == verdict],
                verdict,
                colours.get(verdict, palette.quiet),
            )
            for verdict in verdicts
        ]
    )
    if ringed := [(place, row) for place, row in enumerate(rows) if row.marked]:
        figure.add_scatter(
            x=[row.gain for _, row in ringed],
            y=[place for place, _ in ringed],
            mode="markers",
            marker={"symbol": "circle-open", "size": 19, "color": palette.text, "line": {"width": 2.2}},
            hoverinfo="skip",
            showlegend=False,
            cliponaxis=False,
        )
    two_lines = any(row.group for row in rows)
    row_height = _ROW_OF_TWO_LINES if two_lines else _ROW if len(rows) <= _MANY else _SMALLEST_ROW
    figure.update_layout(
        template=template(palette),
        height=row_height * len(rows) + _REST,
        margin={"t": 30, "r": 14},
        showlegend=legend,
        legend={"itemclick": False, "itemdoubleclick": False},
        shapes=[
            {
                "type": "line", "layer": "below", "yref": "paper", "y0": 0, "y1": 1, "x0": 0, "x1": 0,
                "line": {"color": palette.quiet, "width": 1},
            }
        ],
        xaxis={"title": {"text": plain(title)}, "tickformat": "+~r", "nticks": 7},
        yaxis={
            "tickvals": list(range(len(rows))),
            "ticktext": [_label(row) for row in rows],
            "tickfont": {"color": palette.text, "size": 12 if len(rows) <= _MANY else 10},
            "range": [len(rows) - 0.5, -0.5],
            "griddash": "dot",
            "fixedrange": True,
        },
    )  # fmt: skip
    return figure


def gains_csv(rows: Sequence[GainRow], *, group: str = "group", name: str = "name") -> str:
    """One line a row, with the heads of the first two columns."""
    return csv_text(
        (group, name, "gain in points", "interval from", "interval to", "verdict"),
        ((row.group, row.name, row.gain, row.low, row.high, row.verdict) for row in rows),
    )


def _dots(rows: Sequence[tuple[int, GainRow]], verdict: str, colour: str) -> go.Scatter:
    bars = {
        "type": "data",
        "symmetric": False,
        "array": [0 if row.high is None else row.high - row.gain for _, row in rows],
        "arrayminus": [0 if row.low is None else row.gain - row.low for _, row in rows],
        "color": translucent(colour, 0.55),
        "thickness": 3,
        "width": 0,
    }
    return go.Scatter(
        x=[row.gain for _, row in rows],
        y=[place for place, _ in rows],
        mode="markers",
        name=plain(verdict),
        marker={"size": 10, "color": colour, "symbol": _SYMBOLS.get(verdict, "circle")},
        error_x=bars,
        customdata=[[place] for place, _ in rows],
        hovertext=[_hover(row) for _, row in rows],
        hoverinfo="text",
        cliponaxis=False,
    )


def _label(row: GainRow) -> str:
    lines = [plain(text, _NAME) for text in (row.group, row.name) if text]
    return "<br>".join(lines)


def _hover(row: GainRow) -> str:
    lines = [*([plain(row.group)] if row.group else []), f"<b>{plain(row.name)}</b>", f"{signed(row.gain)} points"]
    if row.low is not None and row.high is not None:
        lines.append(plain(f"95% interval {signed(row.low)} to {signed(row.high)}"))
    return "<br>".join([*lines, plain(row.verdict)])
