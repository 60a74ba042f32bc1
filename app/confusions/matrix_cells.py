"""The cells of a confusion matrix as rows for a chart: what each says, its colour, and the words in it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from app.confusions.colour_ramp import ramp, readable
from app.confusions.ink import Ink
from recam_core.analysis.ratio import ratio

#: A share below this is left without a number: a matrix full of zeros cannot be read.
_WORTH_A_NUMBER = 0.005


def matrix_cells(
    confusion: np.ndarray,
    names: Sequence[str],
    order: np.ndarray,
    marked: np.ndarray,
    normalised: bool,
    ink: Ink,
) -> pd.DataFrame:
    """One row a cell of one method's matrix.

    Args:
        confusion: (K+1) x (K+1) pixels, rows ground truth.
        names: K + 1 names.
        order: the values in the order in which they are shown.
        marked: (K+1) x (K+1), bool: cells with a frame.
        normalised: colour and number by the share of the row; else by pixels.
        ink: colours of the page.

    Returns:
        truth_value, predicted_value, truth, predicted, pixels, share, colour, ink, words, marked.
    """
    share = ratio(confusion, confusion.sum(axis=1, keepdims=True))
    shown = share if normalised else confusion.astype(np.float64)
    right = np.eye(len(confusion), dtype=bool)
    among = _among_classes(len(confusion))
    # Three scales: what is lost to the background is far more than what is confused, and would outshine it. The root
    # shows small confusions beside large ones.
    colours = np.where(
        right,
        ramp((ink.middle, *ink.better), _upto(shown, right)),
        np.where(
            among,
            ramp(ink.confused, np.sqrt(_upto(shown, among))),
            ramp((ink.middle, *ink.given), np.sqrt(_upto(shown, ~right & ~among))),
        ),
    )
    words = _percent(share) if normalised else _thousands(confusion)
    words = np.where(np.isnan(shown) | (share < _WORTH_A_NUMBER), "", words)
    return _frame(
        confusion, names, order, {"pixels": confusion, "share": share, "colour": colours, "words": words}, marked
    )


def difference_cells(
    before: np.ndarray,
    now: np.ndarray,
    names: Sequence[str],
    order: np.ndarray,
    marked: np.ndarray,
    normalised: bool,
    ink: Ink,
) -> pd.DataFrame:
    """One row a cell of ``now`` less ``before``; colours say better or worse, not more or less.

    More right pixels are better, and so are fewer confused ones; arguments as in :func:`matrix_cells`.

    Returns:
        the columns of :func:`matrix_cells` (pixels and share are those of ``now``), before, change, pixels_change.
    """
    share_before = ratio(before, before.sum(axis=1, keepdims=True))
    share = ratio(now, now.sum(axis=1, keepdims=True))
    change, pixels_change = share - share_before, now - before
    shown = change if normalised else pixels_change.astype(np.float64)
    right = np.eye(len(now), dtype=bool)
    worse = np.where(right, -shown, shown)
    among = _among_classes(len(now))
    # Two scales, for the reason given above: between classes, and for right pixels and those of the background.
    strength = np.sqrt(np.where(among, _upto(np.abs(shown), among), _upto(np.abs(shown), ~among)))
    colours = np.where(worse > 0, ramp((ink.middle, *ink.worse), strength), ramp((ink.middle, *ink.better), strength))
    words = _signed_percent(change) if normalised else _signed_thousands(pixels_change)
    words = np.where(np.isnan(shown) | (np.abs(change) < _WORTH_A_NUMBER), "", words)
    columns = {
        "pixels": now,
        "share": share,
        "before": share_before,
        "change": change,
        "pixels_change": pixels_change,
        "colour": colours,
        "words": words,
    }
    return _frame(np.maximum(before, now), names, order, columns, marked)


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


def _frame(
    occurring: np.ndarray, names: Sequence[str], order: np.ndarray, columns: dict[str, np.ndarray], marked: np.ndarray
) -> pd.DataFrame:
    """Cells of the rows and columns that occur, in the order shown."""
    rows = [value for value in order.tolist() if occurring[value].any()]
    tops = [value for value in order.tolist() if occurring[value].any() or occurring[:, value].any()]
    truth, predicted = (grid.ravel() for grid in np.meshgrid(rows, tops, indexing="ij"))
    labels = np.array(names, dtype=object)
    frame = pd.DataFrame(
        {
            "truth_value": truth,
            "predicted_value": predicted,
            "truth": labels[truth],
            "predicted": labels[predicted],
            **{name: column[truth, predicted] for name, column in columns.items()},
            "marked": marked[truth, predicted],
        }
    )
    frame["ink"] = readable(frame["colour"])
    return frame


def _percent(share: np.ndarray) -> np.ndarray:
    return np.array([[_short(100 * value) for value in row] for row in np.nan_to_num(share)], dtype=object)


def _signed_percent(change: np.ndarray) -> np.ndarray:
    return np.array(
        [[_sign(value) + _short(100 * abs(value)) for value in row] for row in np.nan_to_num(change)], dtype=object
    )


def _thousands(pixels: np.ndarray) -> np.ndarray:
    return np.array([[_compact(value) for value in row] for row in pixels.tolist()], dtype=object)


def _signed_thousands(pixels: np.ndarray) -> np.ndarray:
    return np.array([[_sign(value) + _compact(abs(value)) for value in row] for row in pixels.tolist()], dtype=object)


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
