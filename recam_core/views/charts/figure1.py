"""The paper's figure 1: accuracy of classifiers by both losses, all classes and the hard group."""

import numpy as np
import plotly.graph_objects as go

from recam_core.experiments.figure1 import ALL, LOSSES, TITLES, Figure1
from recam_core.views.charts.style import (
    Palette,
    colour_bar,
    colour_scale,
    loss_bar,
    names_axis,
    plain,
    template,
)

_HEIGHT = 340
_CELL = 26


def figure1_chart(found: Figure1, palette: Palette) -> go.Figure:
    """Bars of the mean accuracy with its standard deviation over the seeds, and a dot a seed."""
    scopes = list(found.classes)
    figure = go.Figure()
    for loss, shift in zip(LOSSES, (-0.2, 0.2), strict=True):
        rows = [found.row(scope, loss) for scope in scopes]
        figure.add_trace(
            go.Bar(
                x=[place + shift for place in range(len(scopes))],
                y=[100 * row.mean for row in rows],
                width=0.36,
                name=TITLES[loss],
                marker=loss_bar(palette, loss),
                text=[f"{100 * row.mean:.1f}" for row in rows],
                textposition="inside",
                insidetextanchor="start",
                textfont={"color": palette.ground, "size": 14},
                error_y={
                    "type": "data",
                    "array": [0 if np.isnan(row.spread) else 100 * row.spread for row in rows],
                    "color": palette.text,
                    "thickness": 1.5,
                },
                customdata=[[0 if np.isnan(row.spread) else 100 * row.spread, len(row.accuracy)] for row in rows],
                hovertemplate="%{y:.2f} % ± %{customdata[0]:.2f} over %{customdata[1]} seeds"
                f"<extra>{TITLES[loss]}</extra>",
            )
        )
        figure.add_trace(
            go.Scatter(
                x=[place + shift for place, row in enumerate(rows) for _ in row.accuracy],
                y=[100 * value for row in rows for value in row.accuracy],
                mode="markers",
                marker={"size": 6, "color": palette.ground, "line": {"color": palette.text, "width": 1.2}},
                showlegend=False,
                hovertemplate="%{y:.2f} %<extra>a seed</extra>",
            )
        )
    figure.update_layout(
        template=template(palette),
        height=_HEIGHT,
        margin={"t": 44},
        xaxis=names_axis(
            f"all {len(names)} classes" if scope == ALL else f"the hard group of {len(names)}"
            for scope, names in found.classes.items()
        ),
        yaxis={"title": {"text": "accuracy, %"}, "range": [0, 103]},
    )
    return figure


def figure1_confusion_chart(found: Figure1, palette: Palette) -> go.Figure:
    """The cross-validated confusion matrix that the hard group was found in; the group is outlined."""
    names = found.classes[ALL]
    shares = found.confusion / np.maximum(found.confusion.sum(axis=1, keepdims=True), 1)
    shown = np.where(np.eye(len(names), dtype=bool), np.nan, shares)
    group = [names.index(name) for name in found.classes["group"]] if "group" in found.classes else []
    figure = go.Figure(
        go.Heatmap(
            z=100 * shown,
            x=list(range(len(names))),
            y=list(range(len(names))),
            zmin=0,
            zmax=100 * max(float(np.nanmax(shown)), 0.01),
            colorscale=colour_scale(palette.confused),
            colorbar=colour_bar(palette, ticksuffix=" %"),
            xgap=1,
            ygap=1,
            customdata=[[[plain(one), plain(other)] for other in names] for one in names],
            hovertemplate="%{customdata[0]}, told as %{customdata[1]}: %{z:.1f} %<extra></extra>",
            hoverongaps=False,
        )
    )
    figure.add_trace(
        go.Scatter(
            x=[other for one in group for other in group if other != one],
            y=[one for one in group for other in group if other != one],
            mode="markers",
            marker={"symbol": "square-open", "size": 14, "color": palette.text, "line": {"width": 1.5}},
            hoverinfo="skip",
            name="the hard group",
            showlegend=bool(group),
        )
    )
    ticks = names_axis(names, 12, showgrid=False)
    figure.update_layout(
        template=template(palette),
        height=max(_CELL * len(names) + 130, 260),
        margin={"t": 40},
        xaxis={**ticks, "title": {"text": "told as"}, "range": [-0.5, len(names) - 0.5]},
        yaxis={**ticks, "title": {"text": "truth"}, "range": [len(names) - 0.5, -0.5]},
    )
    return figure
