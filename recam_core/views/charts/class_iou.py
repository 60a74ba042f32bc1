"""Class by class: the IoU of all methods as dots, and the rows of what one gains over another, in one order."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from recam_core.analysis.gains import ClassGain
from recam_core.views.charts.gains import BETTER, WORSE, GainRow
from recam_core.views.charts.style import Palette, plain, template

#: In the place of a class: the mean of all.
MEAN = -1
MEAN_WORDS = "mean of all"
#: Verdicts on a gain that is neither better nor worse.
NOISE, SEEN_ONCE = "may be noise", "seen in one picture"
#: A shape besides the colour, so that either alone tells the methods apart.
SYMBOLS = ("circle", "triangle-up", "diamond", "square", "cross", "triangle-down")
_ROW, _SMALLEST_ROW, _MANY, _LONGEST_NAME = 25, 14, 30, 22
#: What a legend of up to two lines takes above, and that with the axis.
_ABOVE, _REST = 48, 108


def iou_chart(
    gain: ClassGain, titles: Mapping[str, str], palette: Palette, order: Sequence[int] | None = None
) -> go.Figure:
    """Dots of all methods on one line a class, the mean first. ``customdata`` is the value of the class, or MEAN.

    A class that is seen in one picture at most, and so has no interval, is grey; where a method has no IoU of a class,
    it has no dot.

    Args:
        gain: of M methods and S classes.
        titles: by method key.
        palette: of the page.
        order: positions of classes from top to bottom; by default those of ``gain.order``.
    """
    places = [int(place) for place in (gain.order if order is None else order)]
    names = [MEAN_WORDS, *(gain.names[place] for place in places)]
    values = [MEAN, *(int(gain.values[place]) for place in places)]
    once = [False, *gain.seen_once[places].tolist()]
    iou, low, high = (
        100 * np.append(mean[:, None], table[:, places], axis=1)
        for table, mean in (
            (gain.iou, gain.miou),
            (gain.iou_low, gain.miou_low),
            (gain.iou_high, gain.miou_high),
        )
    )
    rows = np.arange(len(names))
    figure = go.Figure(_joined(iou, rows, palette))
    for number, key in enumerate(gain.keys):
        there = np.flatnonzero(~np.isnan(iou[number])).tolist()
        title, colour = plain(titles[key]), palette.methods[number % len(palette.methods)]
        figure.add_scatter(
            x=iou[number, there],
            y=rows[there],
            name=title,
            mode="markers",
            marker={
                "symbol": SYMBOLS[number % len(SYMBOLS)],
                "size": 9,
                # The legend has the colour of the first dot, the mean's, which is never grey.
                "color": [palette.quiet if once[row] else colour for row in there],
            },
            cliponaxis=False,
            customdata=[[values[row]] for row in there],
            hovertext=[
                f"<b>{plain(names[row])}</b><br>{title}<br>IoU {iou[number, row]:.1f}&#37;"
                f"<br>{_interval(low[number, row], high[number, row])}"
                for row in there
            ],
            hoverinfo="text",
        )
    many = len(names) > _MANY
    figure.update_layout(
        template=template(palette),
        height=len(names) * (_SMALLEST_ROW if many else _ROW) + _REST,
        margin={"t": _ABOVE, "r": 14},
        xaxis={"title": {"text": "IoU, per cent"}, "nticks": 7, "fixedrange": True},
        yaxis={
            "fixedrange": True,
            "range": [len(names) - 0.5, -0.5],
            "tickvals": rows.tolist(),
            "ticktext": [plain(name, _LONGEST_NAME) for name in names],
            "tickfont": {"size": 10 if many else 12, "color": palette.text},
            "griddash": "dot",
        },
    )
    return figure


def gain_rows(
    gain: ClassGain, key: str, order: Sequence[int] | None = None, looked_at: int | None = None
) -> tuple[list[GainRow], list[int]]:
    """What a method gains over the reference, the mean first: rows for ``gain_chart``, and the value of each.

    Grey is a gain whose interval holds 0, as noise does, or of which there is none; classes without one are left out.

    Args:
        gain: of M methods and S classes.
        key: the method.
        order: as in :func:`iou_chart`.
        looked_at: the value of a class that is marked.
    """
    method = gain.keys.index(key)
    places = [int(place) for place in (gain.order if order is None else order)]
    figures = [
        (MEAN_WORDS, MEAN, gain.miou_gain[method], gain.miou_gain_low[method], gain.miou_gain_high[method]),
        *(
            (
                gain.names[place],
                int(gain.values[place]),
                gain.gain[method, place],
                gain.gain_low[method, place],
                gain.gain_high[method, place],
            )
            for place in places
        ),
    ]
    rows, values = [], []
    for name, value, change, low, high in figures:
        if change == change:
            begin, end = (None, None) if low != low else (100 * float(low), 100 * float(high))
            words = verdict(low, high)
            rows.append(GainRow(name, 100 * float(change), begin, end, words, marked=value == looked_at))
            values.append(value)
    return rows, values


def verdict(low: float, high: float) -> str:
    """What an interval of a gain says; of nan, that there is none."""
    if low != low:
        return SEEN_ONCE
    return BETTER if low > 0 else WORSE if high < 0 else NOISE


def _joined(iou: np.ndarray, rows: np.ndarray, palette: Palette) -> go.Scatter:
    """From the lowest to the highest of each row."""
    missing = np.isnan(iou)
    ends = np.stack([np.where(missing, np.inf, iou).min(axis=0), np.where(missing, -np.inf, iou).max(axis=0)])
    some = ~missing.all(axis=0)
    return go.Scatter(
        x=np.stack([*ends[:, some], np.full(some.sum(), np.nan)], axis=1).ravel(),
        y=np.repeat(rows[some], 3),
        mode="lines",
        line={"color": palette.line, "width": 2},
        hoverinfo="skip",
        showlegend=False,
    )


def _interval(low: float, high: float) -> str:
    return "seen in one picture: no interval" if low != low else f"95&#37; interval {low:.1f} to {high:.1f}"
