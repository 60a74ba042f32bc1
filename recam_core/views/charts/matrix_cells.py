"""The cells of a confusion matrix as a chart shows them: what each says, its colour, and the words in it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from recam_core.scores.metrics import ratio
from recam_core.views.charts.palette import Palette
from recam_core.views.charts.ramp import ramp, tones

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
        tone: R x C: place on the ``scales``, end to end: see :mod:`recam_core.views.charts.ramp`.
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
    occurs = occurring.any(axis=1) | occurring.any(axis=0)
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


def _signed(values: np.ndarray, words: Callable[[float], str]) -> np.ndarray:
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
