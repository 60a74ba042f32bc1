"""Intervals over pictures: they hold their own figure, the classes stay, and nothing is made certain by one picture."""

import numpy as np
import pytest

from analysis_data import counts_of, random_pictures
from recam_core.analysis.gains import class_gain, rate_gain
from recam_core.analysis.outcomes import outcomes_of_all
from recam_core.experiments.noise import interval
from recam_core.scores.bootstrap import interval_ends, picture_weights
from recam_core.scores.scores import bootstrap_miou, image_parts, score

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
    # A third of the draws has the bad class alone, and a mean of 12.5 % if the good one did not stay.
    assert bootstrap_miou(counts, None) == pytest.approx(((1 + 1 / 8) / 2,) * 2)
    gain = class_gain({"a": counts}, {"a": None})
    assert (gain.miou_low[0], gain.miou_high[0]) == pytest.approx(((1 + 1 / 8) / 2,) * 2)


def test_a_class_that_no_mask_shows_lowers_the_mean_of_every_draw() -> None:
    """One method gives pixels of one picture to such a class: its mean is over one more class, whatever is drawn."""
    right, level = np.repeat(np.array([[1, 2]], np.uint8), 50, axis=1), np.full((1, 100), 255, np.uint8)
    odd = right.copy()
    odd[0, 0] = 3
    names = ("shown", "too", "nowhere")
    first = counts_of([(right, level, right)] * 5, False, names)
    second = counts_of([(odd, level, right), *[(right, level, right)] * 4], False, names)
    gain = class_gain({"a": first, "b": second}, {"a": None, "b": None})
    assert gain.miou_gain[1] == pytest.approx(-1 / 3, abs=0.01)
    assert (gain.miou_gain_low[1], gain.miou_gain_high[1]) == pytest.approx((-1 / 3, -1 / 3), abs=0.01)


def test_where_no_draw_misses_a_class_an_interval_is_made_of_plain_quantiles() -> None:
    counts = counts_of(random_pictures(2, 60))
    weights = picture_weights(np.random.default_rng(0), 60, 300).T
    right, truth, predicted = (weights @ part for part in image_parts(counts, 0.3))
    assert truth.all()
    miou = (right / (truth + predicted - right)).mean(axis=1)
    assert bootstrap_miou(counts, 0.3, 300) == pytest.approx(tuple(np.quantile(miou, [0.025, 0.975])))


def test_the_ends_hold_the_figure_and_gaps_are_passed_over() -> None:
    draws = np.linspace(0.2, 0.4, 1001)
    low, high = interval_ends(draws, 0.3)
    assert (low, high) == pytest.approx((0.205, 0.395))
    assert interval_ends(draws, 0.5) == pytest.approx((0.205, 0.5))
    assert interval_ends(draws, 0.1) == pytest.approx((0.1, 0.395))
    assert np.isnan(interval_ends(np.full(5, np.nan), 0.3)).all()
    assert np.isnan(interval_ends(draws, float("nan"))).all()
    gappy = np.concatenate([draws, [np.nan] * 7])
    assert interval_ends(gappy, 0.3) == pytest.approx((low, high))
    both = interval_ends(np.stack([draws, np.full(1001, np.nan)]), np.array([0.3, 0.5]))
    assert both[0] == pytest.approx([low, np.nan], nan_ok=True)
    assert interval(0.3, draws).low == pytest.approx(low)
