"""How far a difference between settings would move with other pictures and other seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from recam_core.analysis.outcomes import Outcomes
from recam_core.errors import UserError
from recam_core.experiments.figures import FigureFn
from recam_core.experiments.part_score import PartScore
from recam_core.scores.bootstrap import interval_ends, picture_weights

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
    """Figures of settings under the same draws of pictures and seeds.

    All settings share the draws, so what they have in common drops out of a difference. Where a setting was run with
    several seeds, its figure is the mean over them, and seeds are drawn as pictures are.

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

    def figure(self, scores: Sequence[PartScore], figure: FigureFn) -> np.ndarray:
        """R: the figure of a setting (one score a seed) in each draw, to be compared with that of another setting.

        A draw may miss a class that the pictures show. Its pixels count there as right, for every setting: the mean
        is over the same classes in each draw, and no difference comes from a class that was not drawn. Nan where there
        is one picture alone.
        """
        if len(self._weights) == 1:
            # All draws of one picture are that picture: an interval without width would call any difference certain.
            return np.full(self._weights.shape[1], np.nan)
        if len(scores) not in (1, len(self._seeds)):
            raise ValueError(f"a setting of {len(scores)} seeds among draws of {len(self._seeds)}")
        each = [figure(self._confusions(one.outcomes), one.scores.has_background) for one in scores]
        return each[0] if len(each) == 1 else (np.stack(each) * self._seeds).sum(axis=0)

    def difference(self, one: Sequence[PartScore], other: Sequence[PartScore], figure: FigureFn) -> Difference:
        """A figure of one setting less that of another."""
        draws = self.figure(one, figure) - self.figure(other, figure)
        return interval(measured(one, figure) - measured(other, figure), draws)

    def _confusions(self, outcomes: Outcomes) -> np.ndarray:
        """R x (K+1) x (K+1): the confusion matrix of each draw."""
        values = outcomes.values
        cell = outcomes.truth.astype(np.int64) * values + outcomes.predicted
        shape = (values * values, outcomes.pictures)
        sums = csr_array((outcomes.pixels.astype(float), (cell, outcomes.image)), shape=shape) @ self._weights
        confusions = sums.T.reshape(-1, values, values)
        truth = outcomes.confusion().sum(axis=1)
        draw, value = np.nonzero((confusions.sum(axis=2) == 0) & (truth > 0))
        confusions[draw, value, value] = truth[value]
        return confusions


def measured(scores: Sequence[PartScore], figure: FigureFn) -> float:
    """A figure of a setting as measured: the mean over its seeds."""
    each = [float(figure(one.scores.confusion, one.scores.has_background)) for one in scores]
    return float(np.mean(each))


def interval(value: float, draws: np.ndarray) -> Difference:
    """A value with the interval that its draws give."""
    low, high = interval_ends(draws, value)
    return Difference(value, float(low), float(high))
