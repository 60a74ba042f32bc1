"""IoU per class of all methods as dots, and what one gains over another with an interval, in one order of classes."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from recam_core.analysis.class_gain import ClassGain
from recam_core.views.charts.palette import Palette
from recam_core.views.charts.plain import plain
from recam_core.views.charts.ramp import faded
from recam_core.views.charts.template import template

#: In the place of a class in ``customdata``: the mean of all.
MEAN = -1
MEAN_WORDS = "mean of all"
#: The verdict on a class of which one picture is all there is.
SEEN_ONCE = "seen in one picture"
#: A shape besides the colour, so that either alone tells the methods apart.
SYMBOLS = ("circle", "triangle-up", "diamond", "square", "cross", "triangle-down")
_ROW, _SMALLEST_ROW, _MANY, _LONGEST_NAME = 25, 13, 30, 18


def iou_chart(
    gain: ClassGain, titles: Mapping[str, str], palette: Palette, order: Sequence[int] | None = None
) -> go.Figure:
    """Dots of all methods on one line a class, the mean first. ``customdata`` is the value of the class, or MEAN.

    A class that is seen in one picture at most, and so has no interval, is grey; classes without an IoU are left out.

    Args:
        gain: of M methods and S classes.
        titles: by method key.
        palette: of the page.
        order: positions of classes from top to bottom; by default those of ``gain.order``.
    """
    names, values, places = _rows(gain, order)
    columns = [np.append(mean[:, None], table, axis=1)[:, places] for table, mean in (
        (gain.iou, gain.miou), (gain.iou_low, gain.miou_low), (gain.iou_high, gain.miou_high)
    )]  # fmt: skip
    iou, low, high = (100 * column for column in columns)
    once = np.append(False, gain.seen_once)[places]
    figure = go.Figure()
    rows = np.arange(len(names))
    missing = np.isnan(iou)
    ends = np.stack([np.where(missing, np.inf, iou).min(axis=0), np.where(missing, -np.inf, iou).max(axis=0)])
    joined = np.isfinite(ends).all(axis=0)
    figure.add_scatter(
        x=np.stack([*ends[:, joined], np.full(joined.sum(), np.nan)], axis=1).ravel(),
        y=np.repeat(rows[joined], 3),
        mode="lines",
        line={"color": palette.line, "width": 2},
        hoverinfo="skip",
        showlegend=False,
    )
    for number, key in enumerate(gain.keys):
        there = ~missing[number]
        colour = palette.methods[number % len(palette.methods)]
        figure.add_scatter(
            x=iou[number, there],
            y=rows[there],
            name=plain(titles[key]),
            mode="markers",
            marker={
                "symbol": SYMBOLS[number % len(SYMBOLS)],
                "size": 9,
                # The legend has the colour of the first dot, the mean's, which is never grey.
                "color": [palette.quiet if one else colour for one in once[there].tolist()],
            },
            customdata=values[there][:, None],
            hovertext=[
                f"{plain(names[row])}, {plain(titles[key])}<br>IoU: {iou[number, row]:.1f}%"
                + _interval(low[number, row], high[number, row], "%")
                for row in rows[there].tolist()
            ],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    _lay_out(figure, names, palette)
    figure.update_xaxes(title="IoU, per cent")
    return figure


def gain_chart(gain: ClassGain, key: str, palette: Palette, order: Sequence[int] | None = None) -> go.Figure:
    """The gain of one method, with its interval; grey where the interval holds 0, as noise does, or there is none.

    Args:
        gain: of M methods and S classes.
        key: the method.
        palette: of the page.
        order: as in :func:`iou_chart`.
    """
    names, values, places = _rows(gain, order)
    row = gain.keys.index(key)
    value, low, high = (
        100 * np.append(mean[row], table[row])[places]
        for table, mean in (
            (gain.gain, gain.miou_gain),
            (gain.gain_low, gain.miou_gain_low),
            (gain.gain_high, gain.miou_gain_high),
        )
    )
    verdicts = [verdict(*ends) for ends in zip(low.tolist(), high.tolist(), strict=True)]
    colours = {"better": palette.right, "worse": palette.wrong, "may be noise": palette.quiet, SEEN_ONCE: palette.quiet}
    figure = go.Figure()
    for word, colour in colours.items():
        mine = np.array([found == word for found in verdicts]) & ~np.isnan(value)
        if word == SEEN_ONCE and not mine.any():
            continue
        figure.add_scatter(
            # A kind that does not occur stands in the legend all the same: that none is worse is worth knowing.
            x=value[mine] if mine.any() else [None],
            y=np.flatnonzero(mine) if mine.any() else [None],
            name=word,
            mode="markers",
            marker={"size": 9, "color": colour},
            error_x=None
            if word == SEEN_ONCE
            else {
                "type": "data",
                "symmetric": False,
                "array": (high - value)[mine],
                "arrayminus": (value - low)[mine],
                "color": faded(colour, 0.55),
                "thickness": 3,
                "width": 0,
            },
            customdata=values[mine][:, None] if mine.any() else None,
            hovertext=[
                f"{plain(names[place])}<br>gain: {value[place]:+.1f} points"
                f"{_interval(low[place], high[place], ' points', '+')}<br>{word}"
                for place in np.flatnonzero(mine).tolist()
            ],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    _lay_out(figure, names, palette)
    figure.update_xaxes(title="gain in IoU, points, with 95% interval", tickformat="+~g")
    figure.add_vline(0, line={"color": palette.quiet, "width": 1}, layer="below")
    return figure


def verdict(low: float, high: float) -> str:
    """What an interval of a gain says."""
    if low != low:
        return SEEN_ONCE
    return "better" if low > 0 else "worse" if high < 0 else "may be noise"


def _rows(gain: ClassGain, order: Sequence[int] | None) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names, values and places (0 the mean, s + 1 class s) of the rows, from top to bottom."""
    chosen = [int(place) for place in (gain.order if order is None else order)]
    names = [MEAN_WORDS, *(gain.names[place] for place in chosen)]
    values = np.array([MEAN, *(int(gain.values[place]) for place in chosen)])
    return names, values, np.array([0, *(place + 1 for place in chosen)])


def _interval(low: float, high: float, unit: str, sign: str = "") -> str:
    if low != low:
        return "<br>seen in one picture: no interval"
    return f"<br>interval: {low:{sign}.1f} to {high:{sign}.1f}{unit}"


def _lay_out(figure: go.Figure, names: Sequence[str], palette: Palette) -> None:
    many = len(names) > _MANY
    figure.update_layout(
        template=template(palette),
        height=len(names) * (_SMALLEST_ROW if many else _ROW) + 96,
        margin={"l": 8, "r": 12, "t": 44, "b": 8},
        # Nothing is dragged here, so that a thumb that scrolls the page is not held up.
        dragmode=False,
    )
    figure.update_xaxes(fixedrange=True, nticks=7)
    figure.update_yaxes(
        fixedrange=True,
        range=[len(names) - 0.5, -0.5],
        tickmode="array",
        tickvals=list(range(len(names))),
        ticktext=[plain(name, _LONGEST_NAME) for name in names],
        tickfont={"size": 9 if many else 12, "color": palette.text},
        griddash="dot",
    )

