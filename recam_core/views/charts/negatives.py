"""The gradient that confusing negatives receive along a training, under both losses."""

from collections.abc import Mapping

import plotly.graph_objects as go

from recam_core.analysis.csv_tables import csv_text
from recam_core.theory.negatives import LOSSES, QUANTILES, NegativeCurve, NegativePoint
from recam_core.views.charts.style import LOSS_COLOURS, Palette, names_axis, plain, template, translucent

_TITLES = {"bce": "BCE", "sce": "SCE"}
_HEIGHT = 330


def negatives_chart(curve: NegativeCurve, title: str, palette: Palette) -> go.Figure:
    """Medians as lines, the middle half as a band and the middle 80 % as a paler one, over the epochs.

    Args:
        curve: of two points or more.
        title: what the run is called.
        palette: of the page.
    """
    epochs = [point.epoch for point in curve.points]
    figure = go.Figure()
    for loss in LOSSES:
        colour = palette.methods[LOSS_COLOURS[loss]]
        values = list(zip(*(point.quantiles[loss] for point in curve.points), strict=True))
        for low, high, share in ((0, 4, 0.12), (1, 3, 0.25)):
            figure.add_trace(
                go.Scatter(
                    x=[*epochs, *epochs[::-1]],
                    y=[*values[high], *values[low][::-1]],
                    fill="toself",
                    fillcolor=translucent(colour, share),
                    line={"width": 0},
                    hoverinfo="skip",
                    showlegend=False,
                    legendgroup=loss,
                )
            )
        figure.add_trace(
            go.Scatter(
                x=epochs,
                y=values[2],
                mode="lines+markers" if len(epochs) < 40 else "lines",
                name=f"under {_TITLES[loss]}",
                legendgroup=loss,
                line={"color": colour, "width": 2.5, "dash": "6px,4px" if loss == "sce" else "solid"},
                marker={"size": 5},
                customdata=[[*point.quantiles[loss], 100 * point.gone[loss]] for point in curve.points],
                hovertemplate="median %{y:.3f}, middle half %{customdata[1]:.3f} to %{customdata[3]:.3f}, "
                "%{customdata[5]:.0f} % gone",
            )
        )
    figure.update_layout(
        template=template(palette),
        height=_HEIGHT,
        margin={"t": 64, "r": 14},
        title={"text": plain(title, 48), "font": {"size": 14}, "x": 0, "y": 0.98, "yanchor": "top"},
        hovermode="x unified",
        xaxis={"title": {"text": "epoch"}, "showgrid": False, "range": [0, max(epochs)]},
        yaxis={"title": {"text": "gradient on the negative"}, "range": [0, 1]},
    )
    return figure


def negatives_now_chart(points: Mapping[str, NegativePoint], palette: Palette) -> go.Figure:
    """The distributions of finished runs over a data set: a row a run and loss, from the 10 % to the 90 % quantile.

    Args:
        points: by the run's title.
        palette: of the page.
    """
    figure = go.Figure()
    names = list(points)
    for loss, shift in (("bce", -0.16), ("sce", 0.16)):
        colour = palette.methods[LOSS_COLOURS[loss]]
        rows = [place + shift for place in range(len(names))]
        values = [points[name].quantiles[loss] for name in names]
        for low, high, width in ((0, 4, 2), (1, 3, 9)):
            figure.add_trace(
                go.Scatter(
                    x=[x for one in values for x in (one[low], one[high], None)],
                    y=[y for row in rows for y in (row, row, None)],
                    mode="lines",
                    line={"color": translucent(colour, 0.55), "width": width},
                    hoverinfo="skip",
                    showlegend=False,
                )
            )
        figure.add_trace(
            go.Scatter(
                x=[one[2] for one in values],
                y=rows,
                mode="markers",
                name=f"under {_TITLES[loss]}",
                marker={"size": 11, "color": colour, "symbol": "diamond" if loss == "sce" else "circle"},
                customdata=[[*points[name].quantiles[loss], 100 * points[name].gone[loss]] for name in names],
                hovertemplate="median %{x:.3f}, middle half %{customdata[1]:.3f} to %{customdata[3]:.3f}, "
                f"%{{customdata[5]:.0f}} % gone<extra>{_TITLES[loss]}</extra>",
            )
        )
    figure.update_layout(
        template=template(palette),
        height=110 + 64 * len(names),
        margin={"t": 40},
        xaxis={"title": {"text": "gradient on the negative"}, "range": [-0.02, 1.02]},
        yaxis=names_axis(names, 24, range=[len(names) - 0.5, -0.5], showgrid=False),
    )
    return figure


def negatives_csv(curves: Mapping[str, NegativeCurve]) -> str:
    """One line a run, point and loss."""
    header = ["run", "classifier", "epoch", "features", "loss", *(f"{100 * share:g} %" for share in QUANTILES), "gone"]
    return csv_text(
        header,
        (
            (name, curve.head, point.epoch, point.features, _TITLES[loss], *point.quantiles[loss], point.gone[loss])
            for name, curve in curves.items()
            for point in curve.points
            for loss in LOSSES
        ),
    )
