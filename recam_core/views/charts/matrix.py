"""The confusion matrix: what each cell says, its colour and its words, and a heat map whose cells can be pressed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from recam_core.scores.metrics import ratio
from recam_core.views.charts.style import Palette, end_to_end, plain, ramp, readable, template, tones

#: A share below this is left without a number: a matrix full of zeros cannot be read.
_WORTH_A_NUMBER = 0.005


@dataclass(frozen=True, eq=False)
class MatrixCells:
    """R x C cells: rows ground truth, columns prediction, those that occur, in the order in which they are shown.

    Attributes:
        names: K + 1 names by value: 0 the background (or unlabelled), k + 1 class k.
        rows: R values.
        columns: C values.
        pixels: R x C, int64.
        share: R x C: of the row's pixels, 0..1; nan in a row without pixels.
        tone: R x C: place on the ``scales``, end to end: see :mod:`recam_core.views.charts.style`.
        scales: colour scales, weakest colour first.
        words: R x C texts for the cells; "" where a number would say nothing.
        marked: R x C bool: cells with a frame.
        before: R x C: of a difference, the share that it is to; None of a matrix on its own.
        pixels_before: R x C, int64: likewise the pixels.
    """

    names: tuple[str, ...]
    rows: np.ndarray
    columns: np.ndarray
    pixels: np.ndarray
    share: np.ndarray
    tone: np.ndarray
    scales: tuple[tuple[str, ...], ...]
    words: np.ndarray
    marked: np.ndarray
    before: np.ndarray | None = None
    pixels_before: np.ndarray | None = None

    @property
    def change(self) -> np.ndarray:
        """R x C: share less that before, of a difference."""
        return self.share - self.before

    @property
    def pixels_change(self) -> np.ndarray:
        """R x C, int64: pixels less those before, of a difference."""
        return self.pixels - self.pixels_before

    @property
    def colours(self) -> np.ndarray:
        """R x C CSS colours."""
        number, strength = np.divmod(self.tone, 1)
        found = np.empty(self.tone.shape, dtype=object)
        for place, scale in enumerate(self.scales):
            found[number == place] = ramp(scale, strength[number == place])
        return found


def matrix_cells(
    confusion: np.ndarray,
    names: Sequence[str],
    order: np.ndarray,
    palette: Palette,
    *,
    normalised: bool = True,
    marked: np.ndarray | None = None,
) -> MatrixCells:
    """One method's matrix.

    Args:
        confusion: (K+1) x (K+1) pixels, rows ground truth.
        names: K + 1 names.
        order: the values in the order in which they are shown.
        palette: of the page.
        normalised: colour and number by the share of the row; else by pixels.
        marked: (K+1) x (K+1), bool: cells with a frame; None for none.
    """
    share = ratio(confusion, confusion.sum(axis=1, keepdims=True))
    shown = share if normalised else confusion.astype(np.float64)
    right = np.eye(len(confusion), dtype=bool)
    among = _among_classes(len(confusion))
    # Three scales: what is lost to the background is far more than what is confused, and would outshine it. The root
    # shows small confusions beside large ones.
    strength = np.where(
        right,
        _upto(shown, right),
        np.sqrt(np.where(among, _upto(shown, among), _upto(shown, ~right & ~among))),
    )
    scales = ((palette.middle, *palette.better), palette.confused, (palette.middle, *palette.given))
    words = _percent(share) if normalised else _thousands(confusion)
    words = np.where(np.isnan(shown) | (share < _WORTH_A_NUMBER), "", words)
    tone = tones(np.where(right, 0, np.where(among, 1, 2)), strength)
    return _cells(confusion, names, order, scales, marked, pixels=confusion, share=share, tone=tone, words=words)


def difference_cells(
    before: np.ndarray,
    now: np.ndarray,
    names: Sequence[str],
    order: np.ndarray,
    palette: Palette,
    *,
    normalised: bool = True,
    marked: np.ndarray | None = None,
) -> MatrixCells:
    """``now`` less ``before``; colours say better or worse, not more or less.

    More right pixels are better, and so are fewer confused ones; arguments as in :func:`matrix_cells`.
    """
    share_before = ratio(before, before.sum(axis=1, keepdims=True))
    share = ratio(now, now.sum(axis=1, keepdims=True))
    change, pixels_change = share - share_before, now - before
    shown = change if normalised else pixels_change.astype(np.float64)
    right = np.eye(len(now), dtype=bool)
    worse = np.where(right, -shown, shown) > 0
    among = _among_classes(len(now))
    # Strong is another thing between classes, and for right pixels and those of the background: see above.
    strength = np.sqrt(np.where(among, _upto(np.abs(shown), among), _upto(np.abs(shown), ~among)))
    words = _signed(100 * change, _short) if normalised else _signed(pixels_change, _compact)
    words = np.where(np.isnan(shown) | (np.abs(change) < _WORTH_A_NUMBER), "", words)
    return _cells(
        np.maximum(before, now),
        names,
        order,
        ((palette.middle, *palette.better), (palette.middle, *palette.worse)),
        marked,
        pixels=now,
        share=share,
        tone=tones(worse.astype(int), strength),
        words=words,
        before=share_before,
        pixels_before=before,
    )


def _cells(
    occurring: np.ndarray,
    names: Sequence[str],
    order: np.ndarray,
    scales: tuple[tuple[str, ...], ...],
    marked: np.ndarray | None,
    **tables: np.ndarray,
) -> MatrixCells:
    """The rows and columns that occur, in the order shown."""
    rows = np.array([value for value in order.tolist() if occurring[value].any()], dtype=np.int64)
    occurs = np.logical_or(occurring.any(axis=1), occurring.any(axis=0))
    columns = np.array([value for value in order.tolist() if occurs[value]], dtype=np.int64)
    here = np.ix_(rows, columns)
    marked = np.zeros(occurring.shape, dtype=bool) if marked is None else marked
    chosen = {name: table[here] for name, table in tables.items()}
    return MatrixCells(tuple(names), rows, columns, scales=scales, marked=marked[here], **chosen)


def _among_classes(values: int) -> np.ndarray:
    """values x values, bool: cells in which one class is taken for another one, the background aside."""
    among = ~np.eye(values, dtype=bool)
    among[0], among[:, 0] = False, False
    return among


def _upto(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Values as a share, 0..1, of the largest of some."""
    known = np.nan_to_num(values)
    most = known[among].max(initial=0)
    return np.clip(known / most, 0, 1) if most > 0 else np.zeros_like(known)


def _percent(share: np.ndarray) -> np.ndarray:
    return np.array([[_short(100 * value) for value in row] for row in np.nan_to_num(share).tolist()], dtype=object)


def _thousands(pixels: np.ndarray) -> np.ndarray:
    return np.array([[_compact(value) for value in row] for row in pixels.tolist()], dtype=object)


def _signed(values: np.ndarray, words: Callable[[Any], str]) -> np.ndarray:
    return np.array(
        [[_sign(value) + words(abs(value)) for value in row] for row in np.nan_to_num(values).tolist()], dtype=object
    )


def _sign(value: float) -> str:
    return "+" if value > 0 else "−" if value < 0 else ""


def _short(percent: float) -> str:
    """Two digits that fit into a cell."""
    return f"{percent:.0f}" if percent >= 9.95 else f"{percent:.1f}"


def _compact(pixels: int) -> str:
    for unit, word in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if pixels >= unit:
            number = pixels / unit
            return f"{number:.0f}{word}" if number >= 9.95 else f"{number:.1f}{word}"
    return str(pixels)


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
    """The numbers in the cells, each in the colour that is read on its cell."""
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


def _marks(hover: dict[str, Any], rows: int, columns: int, side: int) -> go.Scatter:
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


def _hover(cells: MatrixCells) -> dict[str, Any]:
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
