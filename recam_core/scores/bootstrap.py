"""Intervals over pictures: how far a figure would move with another draw of the same number of pictures.

Pictures are drawn with replacement. A draw may miss a class that the pictures show; without it the draw's mean would be
over other classes, and better or worse for that alone. So the classes are always those of all pictures:

- In a mean, a class that a draw misses stays at its figure of all pictures: the draw tells nothing new of it.
- In a difference of two methods it counts as no difference. A gain that hangs on one or two pictures, which a good part
  of the draws misses, is therefore never beyond chance.
- A class that one picture alone shows has no interval: one picture does not tell how pictures differ.
"""

import numpy as np

COVERAGE = 0.95


def picture_weights(generator: np.random.Generator, pictures: int, draws: int) -> np.ndarray:
    """pictures x draws, float64: how often each picture is drawn."""
    return generator.multinomial(pictures, np.full(pictures, 1 / pictures), size=draws).T.astype(np.float64)


def interval_ends(
    draws: np.ndarray, value: np.ndarray | float, coverage: float = COVERAGE
) -> tuple[np.ndarray, np.ndarray]:
    """The ends of intervals: quantiles of the draws, and the figure itself where these leave it out.

    A mean of ratios over few pictures can lie off its draws, since these are of fewer different pictures still.

    Args:
        draws: (..., R); nan where a draw does not tell.
        value: (...), the figure of all pictures.
        coverage: share of the draws between the ends.

    Returns:
        (low, high), each (...); nan where there is no figure or no draw.
    """
    draws, value = np.asarray(draws, dtype=np.float64), np.asarray(value, dtype=np.float64)
    empty = np.isnan(draws).all(axis=-1) | np.isnan(value)
    some = np.where(empty[..., None], 0.0, draws)
    ends = [(1 - coverage) / 2, (1 + coverage) / 2]
    # Classes that every draw has are by far the most, and nanquantile takes many times as long as quantile.
    gaps = np.isnan(some).any(axis=-1)
    found = np.empty((2, *value.shape))
    found[:, ~gaps] = np.quantile(some[~gaps], ends, axis=-1)
    if gaps.any():
        found[:, gaps] = np.nanquantile(some[gaps], ends, axis=-1)
    low, high = np.minimum(found[0], value), np.maximum(found[1], value)
    return np.where(empty, np.nan, low)[()], np.where(empty, np.nan, high)[()]
