"""A grid of two settings as a heat map whose cells can be pressed."""

from collections.abc import Iterator

import numpy as np
import plotly.graph_objects as go

from recam_core.experiments.chart import Heat
from recam_core.experiments.experiment import Experiment
from recam_core.views.charts.setting_points import PART_WORDS
from recam_core.views.charts.style import (
    Palette,
    cell_frame,
    colour_scale,
    names_axis,
    plain,
    ramp,
    readable,
    template,
    unseen_marks,
)

_ROW, _SMALLEST_ROW, _TALLEST = 38, 20, 460
#: What names and title of the columns take of the height.
_HEAD = 110
#: With more columns than this there is no room for numbers in the cells.
_NUMBERED = 14
#: Characters that a name has room for.
_NAME = 18


def heat_chart(experiment: Experiment, heat: Heat, marked: int | None, palette: Palette) -> go.Figure:
    """The mIoU of each cell of one part, in colours that both parts share.

    Plotly's heat maps report no presses in Streamlit, so there is a marker in the middle of each cell, too, whose
    ``customdata`` is the place of the setting; the nearest one is pressed, which is always the cell's own.

    Args:
        experiment: whose chart is of the kind ``heat``.
        heat: of the part.
        marked: place of the setting whose maps are shown.
        palette: of the page.
    """
    chart = experiment.chart
    places = {one.label: place for place, one in enumerate(experiment.settings)}
    known = [value for each in chart.heats for row in each.values for value in row if value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    stops = (palette.middle, *palette.better)
    before = (chart.reference or {}).get("mIoU", {}).get(heat.part)
    cells = go.Heatmap(
        x=list(range(len(heat.x))),
        y=list(range(len(heat.y))),
        z=[[None if value is None else 100 * value for value in row] for row in heat.values],
        zmin=100 * low,
        zmax=100 * max(high, low + 1e-9),
        colorscale=colour_scale(stops),
        showscale=False,
        xgap=2,
        ygap=2,
        hoverinfo="skip",
    )
    found = list(_cells(heat))
    strength = np.array([low if value is None else value for _, _, _, value in found], dtype=float)
    grounds = ramp(stops, (strength - low) / max(high - low, 1e-9))
    presses = go.Scatter(
        x=[column for _, column, _, _ in found],
        y=[row for row, _, _, _ in found],
        mode="markers+text" if len(heat.x) <= _NUMBERED else "markers",
        name="settings",
        text=["" if value is None else f"{100 * value:.1f}" for _, _, _, value in found],
        textfont={"size": 11, "color": readable(grounds)},
        marker=unseen_marks(16),
        customdata=[[places[key]] for _, _, key, _ in found],
        hovertext=[_hover(key, value, before, heat.part) for _, _, key, value in found],
        hoverinfo="text",
    )
    rings = [
        cell_frame(row, column, width, tint)
        for row, column, key, _ in found
        for is_so, width, tint in (
            (key == experiment.chosen, 3, palette.methods[1]),
            (places[key] == marked, 2.5, palette.text),
        )
        if is_so
    ]
    figure = go.Figure([cells, presses])
    row_height = int(np.clip(_TALLEST / max(len(heat.y), 1), _SMALLEST_ROW, _ROW))
    names = {"showgrid": False, "fixedrange": True, "tickfont": {"color": palette.text}}
    figure.update_layout(
        template=template(palette),
        height=row_height * len(heat.y) + _HEAD,
        margin={"t": 8, "r": 34, "b": 4},
        dragmode=False,  # the whole is in sight
        hoverdistance=-1,
        shapes=rings,
        xaxis={
            **names,
            "title": {"text": plain(chart.x_title)},
            "side": "top",
            "tickangle": -35,
            **names_axis(heat.x, _NAME),
            "range": [-0.5, len(heat.x) - 0.5],
        },
        yaxis={
            **names,
            "title": {"text": plain(chart.y_title)},
            **names_axis(heat.y, _NAME),
            "range": [len(heat.y) - 0.5, -0.5],
        },
    )
    return figure


def _cells(heat: Heat) -> Iterator[tuple[int, int, str, float | None]]:
    """Row, column, key and value of each."""
    for row, (values, keys) in enumerate(zip(heat.values, heat.keys, strict=True)):
        for column, (value, key) in enumerate(zip(values, keys, strict=True)):
            yield row, column, key, value


def _hover(key: str, value: float | None, before: float | None, part: str) -> str:
    lines = [f"<b>{plain(key)}</b>"]
    if value is None:
        lines.append("not measured")
    else:
        lines.append(plain(f"mIoU: {100 * value:.2f} %"))
        if before is not None:
            lines.append(plain(f"{100 * (value - before):+.2f} points to not retrained".replace("-", "−", 1)))
    lines.append(f"on the part that {PART_WORDS[part]}")
    return "<br>".join(lines)
