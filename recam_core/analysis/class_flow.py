"""Where the pixels of classes go: to the right class, to the background, to each other class; and bands to draw it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recam_core.analysis.ratio import ratio
from recam_core.errors import UserError

#: Stands for all other classes together in :class:`Band` and :class:`Bar`.
OTHERS = -1
#: Points along either edge of a band.
_POINTS = 24


@dataclass(frozen=True, eq=False)
class ClassFlow:
    """Where the pixels of one class go.

    Attributes:
        truth: the class: 0 background, k + 1 class k.
        pixels: of the class, in all.
        right: share that stays, 0..1; nan (as the others) if the class has no pixels.
        background: share given to the background (or left unlabelled); nan for the background itself.
        others: K + 1 float64: share given to each other class; 0 for itself and for the background.
    """

    truth: int
    pixels: int
    right: float
    background: float
    others: np.ndarray


def class_flow(confusion: np.ndarray, truth: int) -> ClassFlow:
    """Read one row of a confusion matrix.

    Args:
        confusion: (K+1) x (K+1) pixels, rows ground truth, index 0 the background.
        truth: the row.

    Raises:
        UserError: no such row.
    """
    if not 0 <= truth < len(confusion):
        raise UserError(f"There is no class value {truth}; this data set has 0 to {len(confusion) - 1}.")
    shares = ratio(confusion[truth], confusion[truth].sum())
    others = shares.copy()
    others[[0, truth]] = 0
    background = float(shares[0]) if truth else float("nan")
    return ClassFlow(truth, int(confusion[truth].sum()), float(shares[truth]), background, others)


@dataclass(frozen=True, eq=False)
class Bar:
    """One end of bands.

    Attributes:
        value: 0 background, k + 1 class k, or :data:`OTHERS`.
        side: "truth" (left) or "predicted" (right).
        pixels: that begin or end here.
        share: of all pixels drawn, 0..1.
        left, right, top, bottom: edges in 0..1; y grows downwards.
    """

    value: int
    side: str
    pixels: int
    share: float
    left: float
    right: float
    top: float
    bottom: float


@dataclass(frozen=True, eq=False)
class Band:
    """The pixels of one ground truth that go to one prediction.

    Attributes:
        truth: 0 background, k + 1 class k.
        predicted: in the same numbers, or :data:`OTHERS`.
        pixels: how many.
        share: of the truth's pixels, 0..1.
        right: whether they went where they belong.
        outline: P x 2 float64: (x, y) of a closed polygon in 0..1; y grows downwards.
        top, bottom: P / 2 x 2 each: its upper and lower edge from left to right, for area marks.
    """

    truth: int
    predicted: int
    pixels: int
    share: float
    right: bool
    outline: np.ndarray
    top: np.ndarray
    bottom: np.ndarray


@dataclass(frozen=True, eq=False)
class Sankey:
    """Bars on both sides and the bands between them, widest first, so that thin ones are drawn on top."""

    bars: tuple[Bar, ...]
    bands: tuple[Band, ...]


def sankey_bands(
    confusion: np.ndarray,
    truths: Sequence[int],
    *,
    most: int = 8,
    bar_width: float = 0.03,
    gap: float = 0.02,
) -> Sankey:
    """The geometry of a Sankey diagram of some rows of a confusion matrix, in a unit square.

    Args:
        confusion: (K+1) x (K+1) pixels, rows ground truth, index 0 the background.
        truths: the rows to draw, from top to bottom: 0 background, k + 1 class k. Rows without pixels are left out.
        most: predictions on the right that get a bar of their own besides those of ``truths`` and the background;
            the rest become :data:`OTHERS`.
        bar_width: of a bar, in 0..1.
        gap: between neighbouring bars, in 0..1; made smaller where there are many.

    Raises:
        UserError: no such row.
    """
    wrong = [truth for truth in truths if not 0 <= truth < len(confusion)]
    if wrong:
        raise UserError(f"There is no class value {wrong[0]}; this data set has 0 to {len(confusion) - 1}.")
    rows = [truth for truth in dict.fromkeys(truths) if confusion[truth].sum() > 0]
    if not rows:
        return Sankey((), ())
    table = confusion[rows].astype(np.int64)
    columns = _columns(table, rows, most)
    others = np.setdiff1d(np.arange(len(confusion)), columns)
    flows = table[:, columns]
    if table[:, others].any():
        flows = np.concatenate([flows, table[:, others].sum(axis=1, keepdims=True)], axis=1)
        columns = [*columns, OTHERS]
    whole = int(flows.sum())
    left = _stack(flows.sum(axis=1), whole, gap)
    right = _stack(flows.sum(axis=0), whole, gap)
    bars = [
        Bar(value, "truth", int(pixels), pixels / whole, 0.0, bar_width, *edges)
        for value, pixels, edges in zip(rows, flows.sum(axis=1).tolist(), left, strict=True)
    ]
    bars += [
        Bar(value, "predicted", int(pixels), pixels / whole, 1 - bar_width, 1.0, *edges)
        for value, pixels, edges in zip(columns, flows.sum(axis=0).tolist(), right, strict=True)
    ]
    bands = []
    leave = [top for top, _ in left]
    arrive = [top for top, _ in right]
    heights_left = [(bottom - top) / pixels for (top, bottom), pixels in zip(left, flows.sum(axis=1), strict=True)]
    heights_right = [(bottom - top) / pixels for (top, bottom), pixels in zip(right, flows.sum(axis=0), strict=True)]
    for row, truth in enumerate(rows):
        for column, predicted in enumerate(columns):
            pixels = int(flows[row, column])
            if not pixels:
                continue
            out, into = pixels * heights_left[row], pixels * heights_right[column]
            top = _edge(leave[row], arrive[column], bar_width)
            bottom = _edge(leave[row] + out, arrive[column] + into, bar_width)
            leave[row] += out
            arrive[column] += into
            outline = np.concatenate([top, bottom[::-1]])
            share = pixels / int(table[row].sum())
            bands.append(Band(truth, predicted, pixels, share, truth == predicted, outline, top, bottom))
    bands.sort(key=lambda band: -band.pixels)
    return Sankey(tuple(bars), tuple(bands))


def _columns(table: np.ndarray, rows: list[int], most: int) -> list[int]:
    """Predictions with a bar of their own: the rows' in their order, then others by size, the background last."""
    arrived = table.sum(axis=0)
    own = [value for value in rows if value and arrived[value]]
    rest = [value for value in np.argsort(-arrived, kind="stable").tolist() if value and value not in rows]
    own += [value for value in rest if arrived[value]][: max(most, 0)]
    return [*own, 0] if arrived[0] else own


def _stack(pixels: np.ndarray, whole: int, gap: float) -> list[tuple[float, float]]:
    """(top, bottom) of bars one below the other over the whole height."""
    count = len(pixels)
    gap = min(gap, 0.5 / count)
    heights = pixels / whole * (1 - gap * (count - 1))
    tops = np.cumsum(heights) - heights + gap * np.arange(count)
    return [(float(top), float(top + height)) for top, height in zip(tops, heights, strict=True)]


def _edge(start: float, end: float, bar_width: float) -> np.ndarray:
    """_POINTS x 2: a curve that leaves and arrives level."""
    step = np.linspace(0.0, 1.0, _POINTS)
    ease = step * step * (3 - 2 * step)
    return np.stack([bar_width + step * (1 - 2 * bar_width), start + (end - start) * ease], axis=1)
