"""A confusion matrix, or the difference of two: a heat map, and over it marks that can be pressed."""

import numpy as np
import plotly.graph_objects as go

from recam_core.views.charts.matrix_cells import MatrixCells
from recam_core.views.charts.palette import Palette
from recam_core.views.charts.plain import plain
from recam_core.views.charts.ramp import end_to_end, readable
from recam_core.views.charts.template import template

#: With more rows than this there is no room for numbers in the cells.
NUMBERED = 25
_TALLEST, _SMALLEST_CELL, _LARGEST_CELL = 860, 9, 36
_LONGEST_NAME = 18


def matrix_chart(cells: MatrixCells, palette: Palette, *, pressable: bool = True) -> go.Figure:
    """The matrix, rows ground truth, columns prediction. It is as wide as its place; its rows have a fixed height.

    Args:
        cells: what :func:`matrix_cells` or :func:`difference_cells` made.
        palette: of the page.
        pressable: with a mark on each cell, whose ``customdata`` begins with the values of ground truth and
            prediction: Streamlit hears of presses on marks only. Without, a large matrix is drawn more quickly.
    """
    rows, columns = len(cells.rows), len(cells.columns)
    side = int(np.clip(_TALLEST // max(columns, 1), _SMALLEST_CELL, _LARGEST_CELL))
    wide = side > 14
    gap = 1.5 if wide else 0.5
    size = int(np.clip(side * 0.42, 7, 12))
    names = [plain(name, _LONGEST_NAME) for name in cells.names]
    letters = max((min(len(cells.names[value]), _LONGEST_NAME) for value in cells.columns.tolist()), default=1)
    label = round(letters * size * 0.56) + 8
    top = round(label * (0.78 if wide else 1)) + 26
    hover = _hover(cells)
    figure = go.Figure(
        go.Heatmap(
            z=cells.tone.astype(np.float32),
            zmin=0,
            zmax=len(cells.scales),
            colorscale=end_to_end(cells.scales),
            showscale=False,
            xgap=gap,
            ygap=gap,
            **({"hoverinfo": "skip"} if pressable else hover),
        )
    )
    if rows <= NUMBERED:
        figure.add_trace(_words(cells, min(11, side // 3)))
    if pressable:
        figure.add_trace(_marks(hover, rows, columns, side))
    figure.update_layout(
        template=template(palette),
        height=side * rows + top + 8,
        margin={"l": label + 26, "r": 8, "t": top, "b": 8},
        hoverdistance=side,
        showlegend=False,
        shapes=_frames(cells, palette, 2.5 if wide else 1.5),
    )
    common = {"showgrid": False, "tickfont": {"size": size, "color": palette.text}, "tickmode": "array"}
    figure.update_xaxes(
        side="top",
        title="taken for",
        range=[-0.5, columns - 0.5],
        tickvals=list(range(columns)),
        ticktext=[names[value] for value in cells.columns.tolist()],
        tickangle=-50 if wide else -90,
        **common,
    )
    figure.update_yaxes(
        title="ground truth",
        range=[rows - 0.5, -0.5],
        tickvals=list(range(rows)),
        ticktext=[names[value] for value in cells.rows.tolist()],
        **common,
    )
    return figure


def _words(cells: MatrixCells, size: int) -> go.Scatter:
    """The numbers in the cells, each in the ink that is read on its colour."""
    y, x = np.nonzero(cells.words != "")
    return go.Scatter(
        x=x.astype(np.int16),
        y=y.astype(np.int16),
        mode="text",
        text=cells.words[y, x].tolist(),
        textfont={"size": size, "color": readable(cells.colours[y, x].tolist())},
        # Without it, a press would fade them.
        selected={"textfont": {"color": "#888888"}},
        hoverinfo="skip",
    )


def _marks(hover: dict[str, object], rows: int, columns: int, side: int) -> go.Scatter:
    """A mark on each cell, which is not seen itself: the cell below it is.

    Plotly draws the first few only, and finds them all: thousands of elements that nobody sees cost half a second.
    """
    y, x = (place.ravel() for place in np.indices((rows, columns)))
    unseen = {"marker": {"opacity": 0}}
    return go.Scatter(
        x=x.astype(np.int16),
        y=y.astype(np.int16),
        mode="markers",
        marker={"symbol": "square", "size": side, "opacity": 0, "maxdisplayed": 1},
        selected=unseen,
        unselected=unseen,
        customdata=hover["customdata"].reshape(rows * columns, -1),
        hovertext=[text for row in hover["hovertext"] for text in row],
        hovertemplate=hover["hovertemplate"],
    )


def _hover(cells: MatrixCells) -> dict[str, object]:
    """What a cell says under the pointer: R x C texts and R x C x F values, the first two of which name the cell."""
    names = [plain(name) for name in cells.names]
    texts = [
        [f"{names[truth]}<br>taken for: {names[value]}" for value in cells.columns.tolist()]
        for truth in cells.rows.tolist()
    ]
    truth, predicted = np.meshgrid(cells.rows, cells.columns, indexing="ij")
    columns = [truth, predicted, cells.share, cells.pixels]
    words = "share of the class's pixels: %{customdata[2]:.2%}<br>pixels: %{customdata[3]:,d}"
    if cells.before is not None:
        columns += [cells.before, cells.change, cells.pixels_change]
        words = (
            "share before: %{customdata[4]:.2%}<br>share now: %{customdata[2]:.2%}<br>"
            "change: %{customdata[5]:+.2%}<br>pixels: %{customdata[6]:+,d}"
        )
    data = np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=-1)
    template = f"ground truth: %{{hovertext}}<br>{words}<extra></extra>"
    return {"customdata": data, "hovertext": texts, "hovertemplate": template}


def _frames(cells: MatrixCells, palette: Palette, width: float) -> list[dict[str, object]]:
    """One shape around all marked cells, neighbours in one frame."""
    boxes: dict[tuple[int, int], list[list[int]]] = {}
    for y, row in enumerate(cells.marked):
        places = np.flatnonzero(row)
        for run in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1) if len(places) else ():
            tall = boxes.setdefault((int(run[0]), int(run[-1])), [])
            if tall and tall[-1][1] == y - 1:
                tall[-1][1] = y
            else:
                tall.append([y, y])
    paths = [
        f"M{left - 0.5:g} {top - 0.5:g}H{right + 0.5:g}V{bottom + 0.5:g}H{left - 0.5:g}Z"
        for (left, right), tall in boxes.items()
        for top, bottom in tall
    ]
    return [{"type": "path", "path": "".join(paths), "line": {"color": palette.text, "width": width}}] if paths else []
