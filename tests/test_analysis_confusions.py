"""Confusions at any threshold, and the pictures behind each cell, against loops over pixels."""

import numpy as np
import pytest

from analysis_data import K, counts_of, naive_confusions, random_pictures
from recam_core.analysis import cell_arrays, cell_index
from recam_core.analysis.cell_index import CellIndex
from recam_core.analysis.outcomes import check_same_pictures, outcomes_at, outcomes_of_all
from recam_core.errors import UserError
from recam_core.scores.pixel_counts import PixelCounts
from recam_core.scores.scores import CumulativeConfusion, score

THRESHOLDS = (None, 0.0, 0.1, 0.5, 0.503, 1.0)


def ranked(pixels):
    """Positions and pixels, most first, equal ones by position: what a gallery shows, written out."""
    found = sorted(((-int(count), place) for place, count in enumerate(pixels) if count), key=lambda pair: pair)
    return [place for _, place in found], [-count for count, _ in found]


def listed(result):
    return result[0].tolist(), result[1].tolist()


@pytest.mark.parametrize("has_background", [True, False])
def test_cumulative_confusion_is_the_sum_above_every_level(has_background):
    counts = counts_of(random_pictures(1, 20, has_background), has_background)
    histogram = counts.total()
    for source in (counts, CellIndex.build(counts)):
        cumulative = CumulativeConfusion.build(source)
        for threshold in [None, *(level / 255 for level in range(256)), *np.linspace(0, 1, 101).tolist()]:
            first = 0 if threshold is None else round(threshold * 255) + 1
            expected = histogram[:, :, first:].sum(axis=2)
            expected[:, 0] += histogram[:, :, :first].sum(axis=(1, 2))
            assert np.array_equal(cumulative.at(threshold), expected)
            assert cumulative.at(threshold).dtype == np.int64
            cumulative.at(threshold).fill(-1)  # the caller's own copy
            assert np.array_equal(cumulative.at(threshold), expected)
    scores = CumulativeConfusion.build(counts).scores(0.3)
    assert scores.has_background == has_background
    assert scores.miou == score(histogram, 0.3, has_background).miou


@pytest.mark.parametrize("threshold", THRESHOLDS)
@pytest.mark.parametrize("has_background", [True, False])
def test_confusions_equal_loops_over_pixels(threshold, has_background):
    pictures = random_pictures(2, 15, has_background)
    matrices = naive_confusions(pictures, threshold)
    counts = counts_of(pictures, has_background)
    assert np.array_equal(CumulativeConfusion.build(counts).at(threshold), matrices.sum(axis=0))
    outcomes = outcomes_at(counts, threshold)
    assert np.array_equal(outcomes.confusion(), matrices.sum(axis=0))
    assert np.array_equal(outcomes.pictures_touched(), (matrices > 0).sum(axis=0))
    rebuilt = np.zeros_like(matrices)
    rebuilt[outcomes.image, outcomes.truth, outcomes.predicted] = outcomes.pixels
    assert np.array_equal(rebuilt, matrices)
    assert len(outcomes.pixels) == np.count_nonzero(matrices)
    key = [*zip(outcomes.truth.tolist(), outcomes.predicted.tolist(), outcomes.image.tolist(), strict=True)]
    assert key == sorted(key)


@pytest.mark.parametrize("threshold", THRESHOLDS)
@pytest.mark.parametrize("has_background", [True, False])
def test_pictures_of_cells_rows_and_columns_are_the_worst_first(threshold, has_background):
    pictures = random_pictures(3, 25, has_background)
    matrices = naive_confusions(pictures, threshold)
    index = CellIndex.build(counts_of(pictures, has_background))
    some = np.random.default_rng(0).random(len(pictures)) < 0.5
    for truth in range(K + 1):
        row, column = matrices[:, truth].sum(axis=1), matrices[:, :, truth].sum(axis=1)
        right = matrices[:, truth, truth]
        assert listed(index.false_negatives(truth - 1, threshold)) == ranked(row - right)
        assert listed(index.false_positives(truth - 1, threshold)) == ranked(column - right)
        assert listed(index.false_positives(truth - 1, threshold, some)) == ranked((column - right) * some)
        for predicted in range(K + 1):
            cell = matrices[:, truth, predicted]
            assert listed(index.pictures(truth, predicted, threshold)) == ranked(cell)
            assert listed(index.pictures(truth, predicted, threshold, some)) == ranked(cell * some)


@pytest.mark.parametrize("threshold", [None, 0.4])
def test_some_of_the_pictures_are_counted_alone(threshold):
    pictures = random_pictures(4, 30)
    matrices = naive_confusions(pictures, threshold)
    index = CellIndex.build(counts_of(pictures))
    for chosen in (np.arange(30) % 3 == 0, np.zeros(30, bool), np.ones(30, bool), np.arange(30) == 2):
        expected = matrices[chosen].sum(axis=0)
        assert np.array_equal(outcomes_at(index, threshold).where(chosen).confusion(), expected)


def test_an_index_may_be_made_and_searched_in_small_blocks(monkeypatch):
    pictures = random_pictures(5, 30)
    whole = CellIndex.build(counts_of(pictures))
    for rows in (1, 7, 100):
        monkeypatch.setattr(cell_arrays, "ROWS_AT_ONCE", rows)
        monkeypatch.setattr(cell_index, "GROUPS_AT_ONCE", rows)
        pieces = CellIndex.build(counts_of(pictures))
        for name in cell_arrays.ARRAYS:
            assert np.array_equal(getattr(pieces, name), getattr(whole, name)), name
        assert np.array_equal(outcomes_at(pieces, 0.3).confusion(), naive_confusions(pictures, 0.3).sum(axis=0))


def test_rows_in_any_order_and_twice_are_summed():
    counts = counts_of(random_pictures(6, 8))
    rng = np.random.default_rng(0)
    twice = np.concatenate([np.arange(len(counts.count)), rng.integers(0, len(counts.count), 40)])
    rng.shuffle(twice)
    twice = twice[np.argsort(counts.image[twice], kind="stable")]
    columns = {name: getattr(counts, name)[twice] for name in ("image", "truth", "argmax", "activation", "count")}
    shuffled = PixelCounts(counts.ids, counts.classes, **columns)
    index = CellIndex.build(shuffled)
    assert np.array_equal(index.total(), shuffled.total())
    for threshold in THRESHOLDS:
        assert np.array_equal(outcomes_at(index, threshold).confusion(), score(shuffled.total(), threshold).confusion)


def test_present_values_are_those_of_the_ground_truth():
    pictures = random_pictures(7, 10)
    index = CellIndex.build(counts_of(pictures))
    expected = naive_confusions(pictures, None).sum(axis=2) > 0
    assert np.array_equal(index.present, expected)
    with pytest.raises(ValueError):
        index.present[0, 0] = True


def test_no_pictures_and_no_pixels_are_no_error():
    void = [(np.ones((2, 2), np.uint8), np.ones((2, 2), np.uint8), np.full((2, 2), 255, np.uint8))]
    for counts in (counts_of([]), counts_of(void)):
        index = CellIndex.build(counts)
        assert outcomes_at(index, 0.5).confusion().sum() == 0
        assert CumulativeConfusion.build(index).at(0.5).sum() == 0
        assert listed(index.pictures(1, 2, 0.5)) == listed(index.false_positives(-1, 0.5)) == ([], [])


def test_bad_questions_are_answered_with_a_sentence():
    counts = counts_of(random_pictures(8, 4))
    index = CellIndex.build(counts)
    for call in (
        lambda: index.pictures(K + 1, 0, 0.5),
        lambda: index.pictures(0, -1, 0.5),
        lambda: index.false_positives(K, 0.5),
        lambda: index.false_negatives(-2, 0.5),
    ):
        with pytest.raises(UserError, match="no class number"):
            call()
    for call in (
        lambda: index.pictures(1, 2, 1.5),
        lambda: CumulativeConfusion.build(index).at(-0.1),
        lambda: outcomes_at(index, float("nan")),
    ):
        with pytest.raises(UserError, match="between 0 and 1"):
            call()
    damaged = PixelCounts(
        counts.ids,
        counts.classes,
        counts.image,
        counts.truth + np.uint8(9),
        counts.argmax,
        counts.activation,
        counts.count,
    )
    with pytest.raises(UserError, match="damaged"):
        CellIndex.build(damaged)


def test_methods_are_compared_on_the_same_pictures_only():
    pictures = random_pictures(9, 4)
    ours = counts_of(pictures)
    with pytest.raises(UserError, match="different pictures"):
        check_same_pictures({"a": ours, "b": counts_of(pictures, ids=["a", "b", "c", "d"])})
    with pytest.raises(UserError, match="different classes"):
        check_same_pictures({"a": ours, "b": counts_of(pictures, names=("a", "b", "c", "d"))})
    with pytest.raises(UserError, match="at least one"):
        check_same_pictures({})
    with pytest.raises(UserError, match="no threshold"):
        outcomes_of_all({"a": ours}, {})
    both = outcomes_of_all({"a": ours, "b": CellIndex.build(ours)}, {"a": 0.2, "b": None})
    assert np.array_equal(both["a"].confusion(), score(ours.total(), 0.2).confusion)
    assert np.array_equal(both["b"].confusion(), score(ours.total(), None).confusion)
