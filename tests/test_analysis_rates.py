"""Error rates and their changes: the figures of scores, and intervals by the same draws as those of gains."""

import numpy as np
import pytest

from analysis_data import counts_of, naive_confusions, random_pictures
from recam_core.analysis.gains import RATES, rate_gain
from recam_core.analysis.outcomes import outcomes_at
from recam_core.errors import UserError
from recam_core.scores.scores import Scores, score


@pytest.mark.parametrize("has_background", [True, False])
@pytest.mark.parametrize("threshold", [None, 0.3])
def test_rates_are_those_of_scores(has_background: bool, threshold: float | None) -> None:
    pictures = {key: random_pictures(seed, 9, has_background) for key, seed in (("a", 1), ("b", 1))}
    pictures["b"] = [(np.roll(winner, 1), level, mask) for winner, level, mask in pictures["b"]]
    counts = {key: counts_of(each, has_background) for key, each in pictures.items()}
    found = rate_gain({key: outcomes_at(each, threshold) for key, each in counts.items()}, resamples=5)
    for place, each in enumerate(counts.values()):
        expected = score(each.total(), threshold, has_background)
        assert found.rate[:, place] == pytest.approx([getattr(expected, name) for name in RATES])
    assert found.change[:, 1] == pytest.approx(found.rate[:, 1] - found.rate[:, 0])
    assert not found.change[:, 0].any()


def test_intervals_equal_a_bootstrap_by_loops() -> None:
    first = random_pictures(3, 8)
    second = [(np.where(mask == 1, 1, winner).astype(np.uint8), level, mask) for winner, level, mask in first]
    pictures, count, resamples = {"a": first, "b": second}, 8, 30
    found = rate_gain(
        {key: outcomes_at(counts_of(each), 0.3) for key, each in pictures.items()}, "a", resamples=resamples, seed=4
    )
    picks = np.random.default_rng(4).integers(0, count, (resamples, count), dtype=np.int32)
    draws = {
        key: [Scores(None, naive_confusions(each, 0.3)[picked].sum(axis=0)) for picked in picks]
        for key, each in pictures.items()
    }
    for place, name in enumerate(RATES):
        one, other = (np.array([getattr(scores, name) for scores in draws[key]]) for key in "ab")
        ends = [0.025, 0.975]
        assert (found.rate_low[place, 1], found.rate_high[place, 1]) == pytest.approx(tuple(np.quantile(other, ends)))
        change = tuple(np.quantile(other - one, ends))
        assert (found.change_low[place, 1], found.change_high[place, 1]) == pytest.approx(change)


def test_what_cannot_be_drawn_is_refused() -> None:
    outcomes = {"a": outcomes_at(counts_of(random_pictures(1, 3)), 0.3)}
    with pytest.raises(UserError, match="not among"):
        rate_gain(outcomes, "b")
    with pytest.raises(UserError, match="at least one draw"):
        rate_gain(outcomes, resamples=0)
