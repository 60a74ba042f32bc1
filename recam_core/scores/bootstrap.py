"""Intervals over pictures: how far a figure would move with as many other pictures.

By the Bayesian bootstrap: a draw gives every picture a weight at random. As in a draw with replacement the weights
spread by about 1 around their mean of 1, but none is 0. So no draw misses a class that the pictures show, and a mean
over classes is over the same ones in each draw. With replacement, a draw that misses a hard class would look better.
"""

import numpy as np

COVERAGE = 0.95
#: Weights are whole multiples of 1 / 1024: sums of pixels stay exact in float64, so that what is 0 stays 0.
_STEPS = 1024


def picture_weights(generator: np.random.Generator, pictures: int, draws: int) -> np.ndarray:
    """pictures x draws, float64, whole numbers from 1: what each picture (or group of pictures) counts in each draw."""
    return (np.floor(_STEPS * generator.standard_exponential((draws, pictures))) + 1).T


def interval_ends(
    draws: np.ndarray,
    value: np.ndarray | float,
    coverage: float = COVERAGE,
    *,
    least: float = 0.0,
    most: float = 1.0,
) -> tuple[np.ndarray, np.ndarray]:
    """The ends of intervals: quantiles of the draws, moved together so that their median is the figure itself.

    A mean of ratios over few pictures lies off the middle of its draws. Of many pictures it hardly does; of few, the
    quantiles as they are could leave out the very figure that they belong to.

    Args:
        draws: (..., R); nan where a draw does not tell.
        value: (...), the figure of all pictures.
        coverage: share of the draws between the ends.
        least, most: what the figure can be at all; -1 and 1 for a difference of shares.

    Returns:
        (low, high), each (...); nan where there is no figure or no draw.
    """
    draws, value = np.asarray(draws, dtype=np.float64), np.asarray(value, dtype=np.float64)
    empty = np.isnan(draws).all(axis=-1) | np.isnan(value)
    some = np.where(empty[..., None], 0.0, draws)
    quantiles = [(1 - coverage) / 2, 0.5, (1 + coverage) / 2]
    # Gaps are rare, and nanquantile takes many times as long as quantile.
    gaps = np.isnan(some).any(axis=-1)
    found = np.empty((3, *value.shape))
    found[:, ~gaps] = np.quantile(some[~gaps], quantiles, axis=-1)
    if gaps.any():
        found[:, gaps] = np.nanquantile(some[gaps], quantiles, axis=-1)
    low, middle, high = found
    ends = (np.clip(np.where(empty, np.nan, value + end - middle), least, most) for end in (low, high))
    return tuple(end[()] for end in ends)
