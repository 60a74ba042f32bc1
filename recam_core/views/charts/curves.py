"""Losses or scores over the epochs of a training."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from recam_core.analysis.csv_tables import csv_text
from recam_core.views.charts.style import Palette, plain, template

_HEIGHT = 350
#: Places of the colours in the palette, and dashes, so that either alone tells the curves apart.
_COLOURS = (2, 1, 3, 4, 5, 0)
_DASHES = ("solid", "6px,3px", "2px,2px", "8px,2px,2px,2px", "12px,3px", "4px,6px")
#: With more points than this, dots would hide the line.
_DOTTED = 40


@dataclass(frozen=True)
class Curve:
    """A curve.

    Attributes:
        name: for the legend.
        epochs: ascending, with fractions between the epochs.
        values: as many.
    """

    name: str
    epochs: tuple[float, ...]
    values: tuple[float, ...]


def curve_chart(
    curves: Sequence[Curve],
    palette: Palette,
    *,
    until: float | None = None,
    percent: bool = False,
    log: bool = False,
    title: str = "",
    kept: str = "curves",
) -> go.Figure:
    """All curves in one chart, with one tooltip for what all of them say at an epoch.

    Args:
        curves: at least one.
        palette: of the page.
        until: epochs that there will be: the axis shows the whole way, and the curves grow into it. By default it ends
            with them.
        percent: whether values are shares, 0..1, that are told in percent.
        log: whether the axis of the values is logarithmic; what is not above 0 has no place on it.
        title: of the axis of the values.
        kept: a chart that is drawn anew under the same name keeps what was zoomed in on.
    """
    fine = any(not float(epoch).is_integer() for curve in curves for epoch in curve.epochs)
    value = "%{y:.1%}" if percent else "%{y:.4g}"
    figure = go.Figure(
        [
            go.Scatter(
                x=curve.epochs,
                y=curve.values,
                name=plain(curve.name),
                mode="lines+markers" if len(curve.epochs) < _DOTTED else "lines",
                line={"color": palette.methods[_COLOURS[place % 6]], "width": 2, "dash": _DASHES[place % 6]},
                marker={"size": 5},
                cliponaxis=False,
                # Where others have values in between, it is said of which epoch this one is.
                hovertemplate=f"{value} (epoch %{{x}})" if fine and _is_whole(curve) else value,
            )
            for place, curve in enumerate(curves)
        ]
    )
    most = max([until or 0, *(curve.epochs[-1] for curve in curves if curve.epochs), 1])
    first = 0.0 if until is not None else min([most, *(curve.epochs[0] for curve in curves if curve.epochs)])
    figure.update_layout(
        template=template(palette),
        height=_HEIGHT,
        # The line under the pointer has a margin of this colour.
        plot_bgcolor=palette.ground,
        # The bar of buttons stands above the legend, which would lie under it in a narrow window.
        margin={"t": 58, "r": 14},
        hovermode="x unified",
        hoverlabel={"namelength": -1},
        uirevision=kept,
        showlegend=True,
        xaxis={
            "title": {"text": "epoch"},
            "range": [first, most],
            "showgrid": False,
            "spikecolor": palette.quiet,
            "spikethickness": 1,
            "unifiedhovertitle": {"text": "epoch %{x:.2f}" if fine else "epoch %{x}"},
            **({"dtick": 1} if most - first <= 8 else {"nticks": 8}),
        },
        yaxis={
            "title": {"text": plain(title)},
            "type": "log" if log else "linear",
            "tickformat": ".0%" if percent and _spans(curves, 0.05) else ".1%" if percent else "~g",
            # A zoom on one kind of axis says nothing of the other.
            "uirevision": f"{kept} {'log' if log else 'linear'}",
            **({"dtick": "D2"} if log else {"nticks": 7}),
        },
    )
    return figure


def curves_csv(curves: Sequence[Curve]) -> str:
    """One line a point: curve, epoch, value."""
    return csv_text(
        ("curve", "epoch", "value"),
        (
            (curve.name, epoch, value)
            for curve in curves
            for epoch, value in zip(curve.epochs, curve.values, strict=True)
        ),
    )


def _is_whole(curve: Curve) -> bool:
    return all(float(epoch).is_integer() for epoch in curve.epochs)


def _spans(curves: Sequence[Curve], least: float) -> bool:
    values = [value for curve in curves for value in curve.values if math.isfinite(value)]
    return bool(values) and max(values) - min(values) >= least
