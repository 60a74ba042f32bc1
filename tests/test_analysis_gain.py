"""IoU per class and gains: the same figures as scores, and intervals that tell a difference from noise."""

import numpy as np
import pytest

from analysis_data import NAMES, K, counts_of, naive_confusions, random_pictures
from recam_core.analysis.cell_index import CellIndex
from recam_core.analysis.gains import class_gain
from recam_core.errors import UserError
from recam_core.progress import Cancelled
from recam_core.scores import bootstrap
from recam_core.scores.scores import Scores, bootstrap_miou, score


def methods(count=40, has_background=True, help=0.0, seed=1):
    """Two methods on one ground truth; the second one is right on a further share ``help`` of the cats' pixels."""
    first = random_pictures(seed, count, has_background)
    rng = np.random.default_rng(seed + 100)
    second = []
    for winner, level, mask in first:
        put_right = (mask == 1) & (rng.random(mask.shape) < help)
        second.append(
            (np.where(put_right, 1, winner).astype(np.uint8), np.where(put_right, 255, level).astype(np.uint8), mask)
        )
    return {"bce": first, "recam": second}


def gains(pictures, thresholds=0.3, has_background=True, **options):
    counts = {key: CellIndex.build(counts_of(each, has_background)) for key, each in pictures.items()}
    return class_gain(counts, dict.fromkeys(counts, thresholds), **options)


@pytest.mark.parametrize("has_background", [True, False])
@pytest.mark.parametrize("threshold", [None, 0.3])
def test_figures_are_those_of_scores(has_background, threshold):
    pictures = methods(12, has_background, 0.5)
    result = gains(pictures, threshold, has_background, resamples=10)
    for place, each in enumerate(pictures.values()):
        expected = score(counts_of(each, has_background).total(), threshold, has_background)
        assert result.iou[place] == pytest.approx(expected.iou, nan_ok=True)
        assert result.miou[place] == pytest.approx(expected.miou)
    assert result.gain[1] == pytest.approx(result.iou[1] - result.iou[0], nan_ok=True)
    assert result.miou_gain[1] == result.miou[1] - result.miou[0]
    assert not result.gain[0].any()
    assert result.names == (("background", *NAMES) if has_background else NAMES)
    assert result.values.tolist() == list(range(0 if has_background else 1, K + 1))
    sorted_gains = result.gain[1][result.order]
    assert np.all(np.diff(sorted_gains[~np.isnan(sorted_gains)]) <= 0)


@pytest.mark.parametrize("has_background", [True, False])
def test_intervals_equal_a_bootstrap_by_loops(has_background, monkeypatch):
    pictures = methods(9, has_background, 0.4, seed=3)
    for each in pictures.values():
        for _, _, mask in each[2:]:
            mask[mask == 4] = 2  # a class in two pictures, which many draws miss
    resamples, thresholds = 25, {"bce": 0.3, "recam": None}
    matrices = {key: naive_confusions(each, thresholds[key]) for key, each in pictures.items()}
    chosen = np.array([True, True, True, False, True, True, True, True, False])
    picks = np.random.default_rng(7).integers(0, chosen.sum(), (resamples, chosen.sum()), dtype=np.int32)
    draws = {
        key: [Scores(None, each[chosen][picked].sum(axis=0), has_background) for picked in picks]
        for key, each in matrices.items()
    }
    monkeypatch.setattr(bootstrap, "_WEIGHTS_AT_ONCE", 8 * 7)  # more than one block
    counts = {key: counts_of(each, has_background) for key, each in pictures.items()}
    result = class_gain(counts, thresholds, resamples=resamples, seed=7, chosen=chosen, coverage=0.8)
    whole = np.array([Scores(None, each[chosen].sum(axis=0), has_background).iou for each in matrices.values()])
    truth = [np.array([draw.confusion.sum(axis=1) for draw in draws[key]]) for key in pictures]
    drawn = truth[0][:, 0 if has_background else 1 :] > 0
    assert not drawn.all()  # some draws miss a class
    iou = np.array([[draw.iou for draw in draws[key]] for key in pictures])
    change = np.where(drawn, iou - iou[0], 0)
    for values, figure, low, high in (
        (np.where(drawn, iou, np.nan), whole, result.iou_low, result.iou_high),
        (change, whole - whole[0], result.gain_low, result.gain_high),
        (np.where(drawn, iou, whole[:, None]).mean(axis=2), whole.mean(axis=1), result.miou_low, result.miou_high),
        (change.mean(axis=2), (whole - whole[0]).mean(axis=1), result.miou_gain_low, result.miou_gain_high),
    ):
        expected = np.nanquantile(values, [0.1, 0.9], axis=1)
        assert low == pytest.approx(np.minimum(expected[0], figure))
        assert high == pytest.approx(np.maximum(expected[1], figure))


@pytest.mark.parametrize("has_background", [True, False])
def test_groups_of_many_pictures_spread_as_their_pictures_do(has_background, monkeypatch):
    """Means over several drawings, as a single one is uncertain itself; a class in few pictures is among them."""
    pictures = methods(700, has_background, 0.1, seed=5)
    for each in pictures.values():
        for _, _, mask in each[6:]:
            mask[mask == 4] = 2
    one_by_one = [gains(pictures, None, has_background, resamples=400, seed=seed) for seed in range(6)]
    monkeypatch.setattr(bootstrap, "MOST_DRAWN", 200)
    in_groups = [gains(pictures, None, has_background, resamples=400, seed=seed) for seed in range(6)]

    def width(results, name):
        ends = [(getattr(result, f"{name}_low"), getattr(result, f"{name}_high")) for result in results]
        return np.mean([high - low for low, high in ends], axis=0)

    for name in ("iou", "gain", "miou", "miou_gain"):
        assert width(in_groups, name) == pytest.approx(width(one_by_one, name), rel=0.15, abs=1e-12)
    for result in in_groups:
        assert np.array_equal(result.iou, one_by_one[0].iou)
    some = np.arange(700) % 3 > 0
    kept = {key: [each[place] for place in np.flatnonzero(some)] for key, each in pictures.items()}
    chosen = gains(pictures, None, has_background, resamples=50, chosen=some)
    assert np.array_equal(chosen.iou_low, gains(kept, None, has_background, resamples=50).iou_low)


def test_noise_looks_like_noise_and_a_gain_like_a_gain():
    rng = np.random.default_rng(0)
    noisy = methods(60)
    noise = gains({"bce": noisy["bce"], "recam": _shuffled(noisy["bce"], rng)}, None, resamples=400)
    assert (noise.gain_low[1, 1:] < 0).all()
    assert (noise.gain_high[1, 1:] > 0).all()
    assert not noise.beyond_noise[1, 1:].any()
    helped = gains(methods(60, help=0.6), None, resamples=400)
    cat = 1
    assert helped.beyond_noise[1, cat]
    assert helped.gain_low[1, cat] > 0
    assert helped.order[0] == cat
    # Paired: the gain is known better than either figure.
    width = helped.gain_high[1, cat] - helped.gain_low[1, cat]
    assert width < (helped.iou_high - helped.iou_low)[:, cat].sum()


def _shuffled(pictures, rng):
    """Winners in another order within each picture: as good by chance alone."""
    return [(rng.permuted(w.ravel()).reshape(w.shape), level, mask) for w, level, mask in pictures]


def test_the_interval_of_the_mean_agrees_with_that_of_scores():
    pictures = methods(80)
    counts = counts_of(pictures["bce"])
    result = class_gain({"bce": counts}, {"bce": 0.3}, resamples=4000)
    low, high = bootstrap_miou(counts, 0.3, 4000)
    assert result.miou_low[0] == pytest.approx(low, abs=0.003)
    assert result.miou_high[0] == pytest.approx(high, abs=0.003)


def test_the_same_seed_gives_the_same_and_a_method_against_itself_gains_nothing():
    pictures = methods(20, help=0.3)
    one, again, other = (gains(pictures, resamples=50, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.gain_low, again.gain_low, equal_nan=True)
    assert not np.array_equal(one.gain_low, other.gain_low, equal_nan=True)
    still = gains({"a": pictures["bce"], "b": pictures["bce"]}, resamples=20)
    assert not np.nan_to_num(still.gain_low).any()
    assert not np.nan_to_num(still.gain_high).any()
    assert not still.beyond_noise.any()
    backwards = gains(pictures, reference="recam", resamples=5)
    assert backwards.gain[0] == pytest.approx(-one.gain[1], nan_ok=True)


def test_a_class_that_never_occurs_has_no_interval():
    names = (*NAMES, "unicorn")
    counts = counts_of(random_pictures(3, 10), names=names)
    result = class_gain({"a": counts, "b": counts}, {"a": 0.3, "b": 0.5}, resamples=10)
    assert result.names[-1] == "unicorn"
    for name in ("iou", "iou_low", "iou_high", "gain", "gain_low", "gain_high"):
        assert np.isnan(getattr(result, name)[:, -1]).all()
    assert result.order[-1] == len(names)
    assert not np.isnan(result.miou).any()
    assert not np.isnan(result.miou_low).any()


def test_a_class_seen_in_one_picture_has_no_interval_and_the_others_keep_theirs():
    pictures = methods(30, help=0.4)
    for each in pictures.values():
        for number, (_, _, mask) in enumerate(each):
            mask[(mask == 4) & (number != 5)] = 3
    result = gains(pictures, resamples=50)
    boat = 4
    assert (pictures["bce"][5][2] == boat).any()
    assert result.seen[boat] == 1
    assert result.seen_once.tolist() == [False, False, False, False, True]
    for name in ("iou", "gain"):
        assert not np.isnan(getattr(result, name)[:, boat]).any()
        assert np.isnan(getattr(result, f"{name}_low")[:, boat]).all()
        assert not np.isnan(getattr(result, f"{name}_low")[:, :boat]).any()
    assert not result.beyond_noise[:, boat].any()
    assert not np.isnan(result.miou_low).any()
    alone = gains(pictures, resamples=50, chosen=np.arange(30) == 5)
    assert np.isnan([alone.miou_low, alone.miou_high, alone.miou_gain_low]).all()


@pytest.mark.parametrize("which", ["a class of its own", "a class of all"])
def test_a_gain_in_one_picture_may_be_chance(which):
    value = 4 if which == "a class of its own" else 1
    masks = [np.full((2, 4), 1, np.uint8) for _ in range(8)]
    for mask in masks:
        mask[0] = 2
    masks[0][1] = value
    level = np.full((2, 4), 255, np.uint8)
    wrong = [(np.where(mask == 2, 2, 3).astype(np.uint8), level, mask) for mask in masks]
    better = [(masks[0], level, masks[0]), *wrong[1:]]
    result = gains({"bce": wrong, "recam": better}, None, False, resamples=400)
    assert result.miou_gain[1] > 0
    assert result.miou_gain_low[1] == 0
    assert not result.beyond_noise.any()


def test_bad_questions_are_answered_with_a_sentence():
    pictures = methods(5)
    with pytest.raises(UserError, match="not among the methods"):
        gains(pictures, reference="irn")
    with pytest.raises(UserError, match="at least one draw"):
        gains(pictures, resamples=0)
    with pytest.raises(UserError, match="loosen the filters"):
        gains(pictures, chosen=np.zeros(5, bool))

    def cancel(done, total, note):
        raise Cancelled

    with pytest.raises(Cancelled):
        gains(pictures, resamples=5, progress=cancel)
