"""How far a difference between settings would move with other pictures and other seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recam_core.analysis.outcomes import Outcomes
from recam_core.errors import UserError
from recam_core.experiments.figures import Figure
from recam_core.experiments.part_score import PartScore
from recam_core.scores.bootstrap import Drawn, interval_ends, paired_bootstrap, picture_weights

RESAMPLES = 1000


@dataclass(frozen=True)
class Difference:
    """A difference of shares with the interval that 95 % of the draws fall into.

    Attributes:
        value: as measured, one setting less the other.
        low, high: ends of the interval.
    """

    value: float
    low: float
    high: float

    @property
    def within_noise(self) -> bool:
        """Whether the interval holds 0 (or cannot be told)."""
        return not (self.low > 0 or self.high < 0)


class Draws:
    """Differences of settings under the same draws of pictures and seeds.

    All settings share the draws, so what they have in common drops out of a difference. Where a setting was run with
    several seeds, its figure is the mean over them, and seeds are drawn as pictures are. What a draw counts that misses
    a class is told in :mod:`recam_core.scores.bootstrap`: no difference.

    Args:
        pictures: how many there are.
        seeds: how many seeds a setting has at most.
        resamples: number of draws.
        seed: of the draws.
    """

    def __init__(self, pictures: int, seeds: int = 1, resamples: int = RESAMPLES, seed: int = 0):
        if pictures < 1 or seeds < 1 or resamples < 1:
            raise UserError("An interval by bootstrap needs at least one picture, one seed and one draw.")
        generator = np.random.default_rng(seed)
        self._weights = picture_weights(generator, pictures, resamples)
        self._seeds = generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples).T / seeds
        # Many settings are compared with the same one. Scores and figures are kept, so that their ids stay theirs.
        self._drawn: dict[tuple[int, int], tuple[PartScore, Figure, Drawn]] = {}

    def difference(self, one: Sequence[PartScore], other: Sequence[PartScore], figure: Figure) -> Difference:
        """A figure of one setting (a score a seed) less that of another; without an interval where there is one picture
        alone, all of whose draws are that picture.
        """
        for scores in (one, other):
            if len(scores) not in (1, len(self._seeds)):
                raise ValueError(f"a setting of {len(scores)} seeds among draws of {len(self._seeds)}")
        value = measured(one, figure) - measured(other, figure)
        if len(self._weights) == 1:
            return Difference(value, float("nan"), float("nan"))
        # What a class counts that a draw misses, for both.
        missed = self._figure(other[0], figure).value[0]
        return interval(value, self._mean(one, figure, missed) - self._mean(other, figure, missed))

    def _mean(self, scores: Sequence[PartScore], figure: Figure, missed: np.ndarray) -> np.ndarray:
        """R: the figure of a setting in each draw."""
        each = [self._figure(one, figure).mean_draws(missed)[0] for one in scores]
        return each[0] if len(each) == 1 else (np.stack(each) * self._seeds).sum(axis=0)

    def _figure(self, score: PartScore, figure: Figure) -> Drawn:
        key = id(score), id(figure)
        if key not in self._drawn:
            has_background = score.scores.has_background

            def of_draws(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
                confusions = _confusions(score.outcomes, weights)
                found = figure.each(confusions, has_background)
                told = ~np.isnan(found) if figure.truth is None else figure.truth(confusions, has_background) > 0
                return found.T[None], told.T[None]

            drawn = paired_bootstrap(of_draws, [self._weights], len(self._weights))
            self._drawn[key] = score, figure, drawn
        return self._drawn[key][2]


def _confusions(outcomes: Outcomes, weights: np.ndarray) -> np.ndarray:
    """R x (K+1) x (K+1): the confusion matrix of each draw."""
    from scipy.sparse import csr_array  # here: every command would wait for it

    values = outcomes.values
    cell = outcomes.truth.astype(np.int64) * values + outcomes.predicted
    shape = (values * values, outcomes.pictures)
    sums = csr_array((outcomes.pixels.astype(float), (cell, outcomes.image)), shape=shape) @ weights
    return sums.T.reshape(-1, values, values)


def measured(scores: Sequence[PartScore], figure: Figure) -> float:
    """A figure of a setting as measured: the mean over its seeds."""
    each = [float(figure(one.scores.confusion, one.scores.has_background)) for one in scores]
    return float(np.mean(each))


def interval(value: float, draws: np.ndarray) -> Difference:
    """A value with the interval that its draws give."""
    low, high = interval_ends(draws, value)
    return Difference(value, float(low), float(high))


def points(difference: Difference) -> str:
    """A difference of shares with its interval, such as ``+1.2 points (95 %: +0.3 to +2.1)``."""
    if math.isnan(difference.value):
        return "an unknown number of points"
    if math.isnan(difference.low):
        return f"{100 * difference.value:+.1f} points (no interval from one picture)"
    # Rates of about a per cent differ by tenths of a point.
    digits = 1 if max(abs(difference.low), abs(difference.high)) >= 0.01 else 2
    value, low, high = (f"{100 * each:+.{digits}f}" for each in (difference.value, difference.low, difference.high))
    return f"{value} points (95 %: {low} to {high})"


def capital(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]
