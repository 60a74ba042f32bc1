"""Intervals over pictures: how far a figure would move with another draw of the same number of pictures.

Pictures are drawn with replacement. A draw may miss a class that the pictures show; without it the draw's mean would be
over other classes, and better or worse for that alone. So the classes of a mean are always those of all pictures:

- In a mean, a class that a draw misses stays at its figure of all pictures: the draw tells nothing new of it.
- In a difference of two methods it counts as no difference. A gain that hangs on one or two pictures, which a good part
  of the draws misses, is therefore never beyond chance.
- A class that no picture shows, but that a method gives pixels to, stays at that method's figure (an IoU of 0).
- A class that one picture alone shows has no interval: one picture does not tell how pictures differ.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from recam_core.errors import UserError
from recam_core.progress import ProgressFn, silent
from recam_core.scores.metrics import mean_of_present

COVERAGE = 0.95
#: Of more pictures, so many groups are drawn.
MOST_DRAWN = 4096
#: Weights that are in memory at once (8 MB).
_WEIGHTS_AT_ONCE = 256 * MOST_DRAWN

#: ``statistic(weights)`` takes pictures x R, how often each is drawn, and gives figures of M methods and S classes,
#: M x S x R, and (broadcast to that) whether a draw tells the figure.
Statistic = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


class Interval(NamedTuple):
    """A figure (of all pictures) and the ends of its interval, which hold it; nan where there is none."""

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True, eq=False)
class Drawn:
    """Figures of M methods and S classes, of all pictures and of R draws, which all methods share.

    Attributes:
        value: M x S; nan where a method has no figure of a class.
        draws: M x S x R; nan where a draw does not tell.
        base: the method that gains are over.
        seen: S, in how many pictures the class is seen; None where a class is not seen more or less than others.
        coverage: share of the draws between the ends of an interval.
    """

    value: np.ndarray
    draws: np.ndarray
    base: int = 0
    seen: np.ndarray | None = None
    coverage: float = COVERAGE

    def figures(self) -> Interval:
        """M x S: of each class."""
        return self._interval(self.value, self._of_seen(self.draws))

    def gains(self) -> Interval:
        """M x S: of each class, less that of the base; nan where one of the two has no figure."""
        gain = self.value - self.value[self.base]
        none = np.where(np.isnan(gain), np.nan, 0.0)[..., None]
        draws = np.where(
            np.isnan(self.draws) | np.isnan(self.draws[self.base]), none, self.draws - self.draws[self.base]
        )
        return self._interval(gain, self._of_seen(draws))

    def means(self, classes: slice = slice(None)) -> Interval:
        """M: over the classes that a method has a figure of, some of them or all."""
        draws = self.mean_draws(None, classes)
        return self._interval(mean_of_present(self.value[:, classes], axis=1), self._of_any(draws, classes))

    def mean_gains(self, classes: slice = slice(None)) -> Interval:
        """M: the mean less that of the base."""
        mean = mean_of_present(self.value[:, classes], axis=1)
        draws = self.mean_draws(self.value[self.base], classes)
        return self._interval(mean - mean[self.base], self._of_any(draws - draws[self.base], classes))

    def mean_draws(self, missed: np.ndarray | None, classes: slice = slice(None)) -> np.ndarray:
        """M x R: the means of the draws, each over the classes that its method has a figure of in all pictures.

        Args:
            missed: S, what a class counts that a draw does not tell: its figure of one method where means are to be
                subtracted, so that it makes no difference; None for each method's own.
            classes: some of them.
        """
        stays, draws = self.value[:, classes], self.draws[:, classes]
        if missed is not None:
            stays = np.where(np.isnan(stays) | np.isnan(missed[classes]), stays, missed[classes])
        return mean_of_present(np.where(np.isnan(draws), stays[..., None], draws), axis=1)

    def _interval(self, value: np.ndarray, draws: np.ndarray) -> Interval:
        return Interval(value, *interval_ends(draws, value, self.coverage))

    def _of_seen(self, draws: np.ndarray) -> np.ndarray:
        return draws if self.seen is None else np.where((self.seen > 1)[:, None], draws, np.nan)

    def _of_any(self, draws: np.ndarray, classes: slice) -> np.ndarray:
        told = self.seen is None or self.seen[classes].max(initial=0) > 1
        return draws if told else np.full_like(draws, np.nan)


def paired_bootstrap(
    statistic: Statistic,
    weights: Iterable[np.ndarray],
    pictures: int,
    *,
    base: int = 0,
    seen: np.ndarray | None = None,
    coverage: float = COVERAGE,
) -> Drawn:
    """Figures of several methods under the same draws of pictures.

    Args:
        statistic: the figures of draws.
        weights: blocks of draws, pictures x R each: :func:`picture_weights` or :func:`weight_blocks`.
        pictures: how many there are (or groups of them).
        base: the method that gains are over.
        seen: S, in how many pictures each class is seen, where that differs.
        coverage: share of the draws between the ends of an interval.
    """
    value = statistic(np.ones((pictures, 1)))[0][..., 0]
    draws = [np.where(told, figures, np.nan) for figures, told in map(statistic, weights)]
    return Drawn(value, draws[0] if len(draws) == 1 else np.concatenate(draws, axis=-1), base, seen, coverage)


def picture_weights(generator: np.random.Generator, pictures: int, draws: int) -> np.ndarray:
    """pictures x draws, float64: how often each picture is drawn."""
    return generator.multinomial(pictures, np.full(pictures, 1 / pictures), size=draws).T.astype(np.float64)


def picture_groups(generator: np.random.Generator, pictures: int) -> tuple[np.ndarray, int]:
    """The group of each of very many pictures (int32, from 0), and how many groups there are; else each is its own.

    Up to :data:`MOST_DRAWN` pictures are drawn one by one. More are put into so many groups of equal size at random,
    and groups are drawn: the sums over a group spread as those of its pictures do, so the intervals are as wide on
    average, and by how much they differ from each other (1 % of their width, by another grouping) is small beside what
    1,000 draws leave open (4 %). The groups' sums fit into one dense product; 80,000 pictures take as long as 4,096.
    A class in few pictures has nearly each in a group of its own, which is drawing pictures. Groups of unequal size,
    by one picture, do no harm either: an IoU is a ratio.
    """
    if pictures <= MOST_DRAWN:
        return np.arange(pictures, dtype=np.int32), pictures
    return (generator.permutation(pictures) % MOST_DRAWN).astype(np.int32), MOST_DRAWN


def weight_blocks(
    generator: np.random.Generator, groups: int, draws: int, progress: ProgressFn = silent
) -> Iterator[np.ndarray]:
    """groups x R, float64: how often each is drawn; block after block, so that memory is bounded.

    Draws are others than those of :func:`picture_weights`, by the same seed: each is what kept intervals were made by.

    Args:
        generator: of the draws.
        groups: how many are drawn from.
        draws: how many in all.
        progress: called after each block; may raise Cancelled.
    """
    block = max(1, min(draws, _WEIGHTS_AT_ONCE // groups))
    for begin in range(0, draws, block):
        some = min(block, draws - begin)
        picks = generator.integers(0, groups, (some, groups), dtype=np.int32)
        place = picks + groups * np.arange(some)[:, None]
        yield np.bincount(place.ravel(), minlength=some * groups).reshape(some, groups).T.astype(np.float64)
        progress(begin + some, draws, "drawing pictures")


def check_draws(draws: int, coverage: float = COVERAGE) -> None:
    """Refuse an interval of nothing.

    Raises:
        UserError: no draw, or a coverage that is no share.
    """
    if draws < 1 or not 0 < coverage < 1:
        raise UserError("An interval by bootstrap needs at least one draw and a coverage between 0 and 1.")


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
