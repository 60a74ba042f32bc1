"""Cosine similarities between classes as a matrix whose squares can be pressed."""

import numpy as np
import plotly.graph_objects as go

from recam_core.analysis.csv_tables import csv_text
from recam_core.theory.weights import TITLES, ClassCosines
from recam_core.views.charts.style import (
    Palette,
    cell_frame,
    colour_bar,
    colour_scale,
    names_axis,
    plain,
    template,
    unseen_marks,
)

#: Pixels of the whole matrix, and of its names.
_SIDE, _AROUND, _LEAST, _MOST = 400, 120, 4, 34


def cosine_chart(
    found: ClassCosines,
    key: str,
    title: str,
    palette: Palette,
    pressed: tuple[int, int] | None = None,
    reach: float | None = None,
) -> go.Figure:
    """Each cell's ``customdata`` is the pair of classes, by number.

    Args:
        found: of a run.
        key: which rows, a key of its matrices.
        title: of the chart.
        palette: of the page.
        pressed: the pair that is looked at, which is outlined.
        reach: similarity at the ends of the colours, so that two charts can share them; by default the largest.
    """
    count, matrix = len(found.names), found.matrices[key]
    row, column = np.nonzero(~np.eye(count, dtype=bool))
    values = matrix[row, column]
    size = min(max(_SIDE / count - 1, _LEAST), _MOST)
    stops = (*palette.better[::-1], palette.middle, *palette.worse)
    known = np.abs(values[np.isfinite(values)])
    most = reach or max(float(known.max()) if len(known) else 0.0, 0.05)
    names = [plain(name) for name in found.names]
    shown = np.where(np.eye(count, dtype=bool), np.nan, matrix)
    figure = go.Figure(
        go.Heatmap(
            x=list(range(count)),
            y=list(range(count)),
            z=shown,
            zmin=-most,
            zmax=most,
            colorscale=colour_scale(stops),
            colorbar=colour_bar(palette, nticks=5),
            xgap=1 if count <= 30 else 0,
            ygap=1 if count <= 30 else 0,
            hoverinfo="skip",
            hoverongaps=False,
        )
    )
    figure.add_trace(
        go.Scatter(
            x=column,
            y=row,
            mode="markers",
            marker=unseen_marks(size),
            customdata=np.stack([row, column], axis=1),
            text=[f"{names[r]} and {names[c]}: {v:+.3f}" for r, c, v in zip(row, column, values, strict=True)],
            hovertemplate="%{text}<extra></extra>",
            showlegend=False,
        )
    )
    for y, x in (pressed, pressed[::-1]) if pressed is not None else ():
        figure.add_shape(cell_frame(y, x, 2.5, palette.text))
    ticks = names_axis(found.names, 12, showgrid=False, **({"tickfont": {"size": 8}} if count > 30 else {}))
    figure.update_layout(
        template=template(palette),
        height=max(int(count * (size + 1)), 160) + _AROUND,
        margin={"t": 40},
        title={"text": plain(title, 60), "font": {"size": 14}, "x": 0, "y": 0.99, "yanchor": "top"},
        xaxis={**ticks, "range": [-0.6, count - 0.4], "tickangle": -60},
        yaxis={**ticks, "range": [count - 0.4, -0.6]},
    )
    return figure


def cosines_csv(found: ClassCosines) -> str:
    """One line a pair of different classes, a column a set of rows."""
    first, second = np.triu_indices(len(found.names), 1)
    return csv_text(
        ["class", "other class", *(TITLES[key] for key in found.matrices)],
        (
            (found.names[one], found.names[other], *(float(matrix[one, other]) for matrix in found.matrices.values()))
            for one, other in zip(first.tolist(), second.tolist(), strict=True)
        ),
    )
