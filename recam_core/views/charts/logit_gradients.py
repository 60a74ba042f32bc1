"""The two losses on the logits: bars of gradients, maps and surfaces over two logits, and the way down."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from recam_core.theory.losses import Descent, Surface
from recam_core.views.charts.style import (
    LOSS_COLOURS,
    Palette,
    colour_bar,
    colour_scale,
    loss_bar,
    names_axis,
    plain,
    template,
)

TITLES = {"bce": "BCE", "sce": "SCE"}
#: What is drawn over the two logits: title, and whether it can be negative.
QUANTITIES = {"on_q": "gradient on z_q", "on_p": "gradient on z_p", "loss": "loss"}
_HEIGHT, _DEEP = 340, 420
_X, _Y = "z<sub>p</sub> \u2212 z<sub>q</sub>", "z<sub>p</sub> + z<sub>q</sub>"


def gradient_bars(names: Sequence[str], gradients: Mapping[str, np.ndarray], palette: Palette) -> go.Figure:
    """Gradients of both losses on each logit: what is above 0 is pushed down.

    Args:
        names: of the classes that are shown.
        gradients: by loss, one a class.
        palette: of the page.
    """
    figure = go.Figure(
        [
            go.Bar(
                x=list(range(len(names))),
                y=np.asarray(values),
                name=TITLES[loss],
                marker=loss_bar(palette, loss),
                text=[f"{value:+.2f}" for value in values],
                textposition="outside" if len(names) <= 8 else "none",
                cliponaxis=False,
                hovertemplate="%{y:+.4f}",
            )
            for loss, values in gradients.items()
        ]
    )
    figure.update_layout(
        template=template(palette),
        height=_HEIGHT,
        margin={"t": 44},
        barmode="group",
        hovermode="x unified",
        xaxis=names_axis(names, 14),
        yaxis={
            "title": {"text": "gradient (\u2212 pushes up, + pushes down)"},
            "range": [-1.12, 1.12],
            "zeroline": True,
            "zerolinecolor": palette.quiet,
        },
    )
    return figure


def logit_map_chart(
    found: Surface,
    loss: str,
    quantity: str,
    palette: Palette,
    *,
    at: tuple[float, float] | None = None,
    paths: Mapping[str, np.ndarray] | None = None,
) -> go.Figure:
    """A loss, or its gradient, over z_p - z_q and z_p + z_q as a map; hatched where BCE has stopped caring.

    Args:
        found: the surface.
        loss: ``bce`` or ``sce``.
        quantity: a key of :data:`QUANTITIES`.
        palette: of the page.
        at: where the logits are.
        paths: by loss, S x 2 places on a way down.
    """
    values = _values(found, loss, quantity)
    low, high, stops = _scale(found, quantity, palette)
    figure = go.Figure(
        go.Contour(
            x=found.difference,
            y=found.total,
            z=values,
            zmin=low,
            zmax=high,
            colorscale=stops,
            contours={"start": low, "end": high, "size": (high - low) / 10},
            line={"width": 0.5, "color": palette.quiet},
            colorbar=colour_bar(palette, nticks=6),
            hovertemplate=f"{_X} %{{x:.1f}}<br>{_Y} %{{y:.1f}}<br>{_words(quantity)} %{{z:.3f}}<extra></extra>",
        )
    )
    if found.careless.any():
        figure.add_trace(
            go.Contour(
                x=found.difference,
                y=found.total,
                z=found.careless.astype(float),
                contours={"type": "constraint", "operation": ">", "value": 0.5},
                fillcolor="rgba(0,0,0,0)",
                line={"color": palette.text, "width": 2, "dash": "dash"},
                name=f"BCE below {found.share:g}, SCE not",
                showlegend=True,
                hoverinfo="skip",
            )
        )
    for name, path in (paths or {}).items():
        figure.add_trace(_path(name, path, palette))
    if at is not None:
        figure.add_trace(
            go.Scatter(
                x=[at[0]],
                y=[at[1]],
                mode="markers",
                marker={"size": 13, "symbol": "x-thin", "line": {"color": palette.text, "width": 3}},
                name="these logits",
                hovertemplate=f"{_X} %{{x:.2f}}<br>{_Y} %{{y:.2f}}<extra>these logits</extra>",
            )
        )
    reach = float(found.difference[-1])
    figure.update_layout(
        template=template(palette),
        height=_HEIGHT + 60,
        margin={"t": 84},
        xaxis={"title": {"text": _X}, "range": [-reach, reach], "showgrid": False},
        yaxis={"title": {"text": _Y}, "range": [-reach, reach], "showgrid": False},
    )
    return figure


def logit_surface_chart(
    found: Surface,
    loss: str,
    quantity: str,
    palette: Palette,
    *,
    at: tuple[float, float] | None = None,
) -> go.Figure:
    """The same as a surface to turn; the region where BCE has stopped caring is coloured.

    Args:
        found, loss, quantity, palette, at: as for :func:`logit_map_chart`.
    """
    values = _values(found, loss, quantity)
    low, high, stops = _scale(found, quantity, palette)
    hover = f"{_X} %{{x:.1f}}<br>{_Y} %{{y:.1f}}<br>{_words(quantity)} %{{z:.3f}}<extra></extra>"
    figure = go.Figure(
        go.Surface(
            x=found.difference,
            y=found.total,
            z=values,
            cmin=low,
            cmax=high,
            colorscale=stops,
            showscale=False,
            hovertemplate=hover,
            lighting={"ambient": 0.85, "diffuse": 0.35, "specular": 0.05},
        )
    )
    if found.careless.any():
        lift = (high - low) * 0.004
        figure.add_trace(
            go.Surface(
                x=found.difference,
                y=found.total,
                z=np.where(found.careless, values + lift, np.nan),
                surfacecolor=np.zeros_like(values),
                colorscale=[[0, palette.methods[3]], [1, palette.methods[3]]],
                showscale=False,
                opacity=0.85,
                hovertemplate=f"BCE below {found.share:g}, SCE not<br>{hover}",
            )
        )
    if at is not None and abs(at[0]) <= found.difference[-1] and abs(at[1]) <= found.total[-1]:
        row, column = (
            int(np.abs(axis - value).argmin()) for axis, value in ((found.total, at[1]), (found.difference, at[0]))
        )
        figure.add_trace(
            go.Scatter3d(
                x=[at[0]],
                y=[at[1]],
                z=[float(values[row, column])],
                mode="markers",
                marker={"size": 6, "color": palette.text},
                hovertemplate="these logits<extra></extra>",
                showlegend=False,
            )
        )
    axis = {
        "color": palette.quiet,
        "gridcolor": palette.line,
        "showbackground": False,
        "zeroline": False,
        "nticks": 5,
        "tickfont": {"size": 10},
    }
    figure.update_layout(
        template=template(palette),
        height=_DEEP,
        margin={"l": 0, "r": 0, "t": 4, "b": 0},
        uirevision="turned",
        scene={
            "xaxis": {**axis, "title": {"text": _X}},
            "yaxis": {**axis, "title": {"text": _Y}},
            "zaxis": {**axis, "title": {"text": ""}, "range": [min(low, 0), high]},
            "aspectmode": "manual",
            "aspectratio": {"x": 1, "y": 1, "z": 0.6},
            "camera": {"eye": {"x": -1.5, "y": -1.5, "z": 0.9}},
        },
    )
    return figure


def descent_chart(
    names: Sequence[str], descents: Mapping[str, Descent], shown: Sequence[int], palette: Palette
) -> go.Figure:
    """Logits along both ways down; the same colour is the same class, a dashed line is SCE's.

    Args:
        names: of all classes.
        descents: by loss.
        shown: numbers of the classes to draw.
        palette: of the page.
    """
    figure = go.Figure()
    for place, k in enumerate(shown):
        for loss, found in descents.items():
            figure.add_trace(
                go.Scatter(
                    x=list(range(len(found.logits))),
                    y=found.logits[:, k],
                    mode="lines",
                    name=f"{plain(names[k], 16)}, {TITLES[loss]}",
                    line={
                        "color": palette.methods[(2, 4, 1, 3, 5, 0)[place % 6]],
                        "width": 2.5,
                        "dash": "6px,4px" if loss == "sce" else "solid",
                    },
                    hovertemplate="%{y:.2f}",
                )
            )
    figure.update_layout(
        template=template(palette),
        height=_HEIGHT,
        margin={"t": 64},
        hovermode="x unified",
        xaxis={"title": {"text": "step"}, "showgrid": False},
        yaxis={"title": {"text": "logit"}},
    )
    return figure


def _words(quantity: str) -> str:
    """A quantity as Plotly writes it."""
    return QUANTITIES[quantity].replace("z_q", "z<sub>q</sub>").replace("z_p", "z<sub>p</sub>")


def _values(found: Surface, loss: str, quantity: str) -> np.ndarray:
    return {"on_q": found.on_q, "on_p": found.on_p, "loss": found.loss}[quantity][loss]


def _scale(found: Surface, quantity: str, palette: Palette) -> tuple[float, float, list[list[float | str]]]:
    """Both losses share it, so that a colour means one value."""
    stops = palette.confused if quantity == "on_q" else palette.better[::-1] if quantity == "on_p" else palette.given
    if quantity == "on_p":
        low, high = -1.0, 0.0
        stops = (*stops, palette.middle)
    else:
        low, high = 0.0, 1.0 if quantity == "on_q" else float(max(values.max() for values in found.loss.values()))
        stops = stops if quantity == "on_q" else (palette.middle, *stops)
    return low, high, colour_scale(stops)


def _path(loss: str, path: np.ndarray, palette: Palette) -> go.Scatter:
    return go.Scatter(
        x=path[:, 0],
        y=path[:, 1],
        mode="lines+markers",
        name=f"{TITLES[loss]}'s way down",
        line={"color": palette.text, "width": 2, "dash": "6px,4px" if loss == "sce" else "solid"},
        marker={
            "size": 7,
            "color": palette.methods[LOSS_COLOURS[loss]],
            "line": {"color": palette.ground, "width": 1},
            "maxdisplayed": 20,
            "symbol": "diamond" if loss == "sce" else "circle",
        },
        hovertemplate=f"step %{{pointNumber}}<br>{_X} %{{x:.2f}}<br>{_Y} %{{y:.2f}}<extra>{TITLES[loss]}</extra>",
    )
