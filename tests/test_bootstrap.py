"""Intervals over pictures: they hold their own figure, the classes stay, and nothing is made certain by one picture."""

import numpy as np
import pytest

from analysis_data import counts_of, random_pictures
from recam_core.analysis.class_gain import class_gain
from recam_core.analysis.outcomes import outcomes_of_all
from recam_core.analysis.rate_gain import rate_gain
from recam_core.experiments import figures
from recam_core.experiments.noise import interval
from recam_core.scores.bootstrap import interval_ends, picture_weights
from recam_core.scores.scores import bootstrap_miou, score

MANY = tuple(f"class {number}" for number in range(12))


def tiny(seed: int, has_background: bool):
    """Two methods on 2 to 6 pictures of 12 classes, of which each shows a few: most are seen once or twice."""
    rng = np.random.default_rng(seed)
    first, second = [], []
    for _ in range(int(rng.integers(2, 7))):
        some = rng.choice(np.arange(0 if has_background else 1, 13), int(rng.integers(1, 4)), replace=False)
        mask = rng.choice(some, (6, 7)).astype(np.uint8)
        for made, wrong in ((first, rng.random()), (second, rng.random())):
            winner = np.where(rng.random(mask.shape) < wrong, rng.choice(some, mask.shape), mask).astype(np.uint8)
            made.append((winner, np.full(mask.shape, 200, np.uint8), mask))
    return {key: counts_of(each, has_background, MANY) for key, each in (("a", first), ("b", second))}


@pytest.mark.parametrize("has_background", [True, False])
@pytest.mark.parametrize("seed", range(40))
def test_every_interval_holds_its_own_figure(seed: int, has_background: bool) -> None:
    counts = tiny(seed, has_background)
    gain = class_gain(counts, dict.fromkeys(counts), resamples=200)
    rates = rate_gain(outcomes_of_all(counts, dict.fromkeys(counts)), resamples=200)
    told = 0
    for found, name, value in (
        *((gain, name, getattr(gain, name)) for name in ("iou", "gain", "miou", "miou_gain")),
        *((rates, name, getattr(rates, name)) for name in ("rate", "change")),
    ):
        low, high = getattr(found, f"{name}_low"), getattr(found, f"{name}_high")
        known = ~np.isnan(low)
        assert np.array_equal(known, ~np.isnan(high))
        assert np.all(low[known] <= value[known] + 1e-12), name
        assert np.all(value[known] <= high[known] + 1e-12), name
        assert np.all(low[known] >= (-1 if "gain" in name or name == "change" else 0))
        assert np.all(high[known] <= 1)
        told += known.sum()
    assert told
    assert not np.isnan(gain.iou_low[:, gain.seen > 1]).any()
    for each in counts.values():
        low, high = bootstrap_miou(each, None, 200)
        miou = score(each.total(), None, has_background).miou
        assert np.isnan(low) or low <= miou + 1e-12 <= high + 2e-12


def test_no_draw_misses_a_class() -> None:
    """A class that is perfect in 1 of 4 pictures, and one that is bad in all: the mean of each draw is over both."""
    right, wrong = np.ones((1, 8), np.uint8), np.full((1, 8), 2, np.uint8)
    level = np.full((1, 8), 255, np.uint8)
    bad = (np.array([[2, 0, 0, 0, 0, 0, 0, 0]], np.uint8), level, wrong)
    counts = counts_of([(right, level, right), bad, bad, bad], False, ("good", "bad"))
    low, high = bootstrap_miou(counts, None)
    # Drawn with replacement, a third of the draws would have the bad class alone: 12.5 %.
    assert (low, high) == pytest.approx(((1 + 1 / 8) / 2,) * 2)


def test_weights_spread_as_draws_with_replacement_do_and_are_whole() -> None:
    weights = picture_weights(np.random.default_rng(0), 50, 4000) / 1024
    assert weights.min() > 0
    assert np.all(weights * 1024 == np.round(weights * 1024))
    assert weights.mean() == pytest.approx(1, abs=0.01)
    assert weights.std() == pytest.approx(1, abs=0.02)
    rng = np.random.default_rng(1)
    values = rng.random(50)
    means = (weights * values[:, None]).sum(axis=0) / weights.sum(axis=0)
    assert means.std() == pytest.approx(values.std() / np.sqrt(50), rel=0.05)


def test_the_ends_are_moved_together_and_stay_possible() -> None:
    draws = np.linspace(0.2, 0.4, 1001)
    low, high = interval_ends(draws, 0.5)
    assert (low, high) == pytest.approx((0.405, 0.595))
    assert interval_ends(draws, 0.99)[1] == 1
    assert interval_ends(-draws, -0.99, least=-1)[0] == -1
    assert np.isnan(interval_ends(np.full(5, np.nan), 0.3)).all()
    assert np.isnan(interval_ends(draws, float("nan"))).all()
    gappy = np.concatenate([draws, [np.nan] * 7])
    assert interval_ends(gappy, 0.5) == pytest.approx((low, high))
    both = interval_ends(np.stack([draws, np.full(1001, np.nan)]), np.array([0.5, 0.5]))
    assert both[0] == pytest.approx([low, np.nan], nan_ok=True)
    assert interval(0.5, draws).low == pytest.approx(low)


def test_a_class_alone_has_no_false_positive_rate_in_any_draw() -> None:
    """Nothing but this class: what it could be wrongly given to is 0 in each draw, not nearly 0."""
    pictures = [(w, level, np.where(mask == 255, 255, 1).astype(np.uint8)) for w, level, mask in random_pictures(4, 9)]
    confusion = counts_of(pictures, False).total().sum(axis=2)
    weights = picture_weights(np.random.default_rng(0), 3, 50)
    stack = confusion[None] * weights.sum(axis=0)[:, None, None]
    assert np.isnan(figures.class_iou(stack)[:, 0]).all() or confusion[:, 0].any()
    assert np.array_equal(
        np.isnan(figures.false_positive_rate(stack, False)),
        np.full(50, np.isnan(figures.false_positive_rate(confusion, False))),
    )
