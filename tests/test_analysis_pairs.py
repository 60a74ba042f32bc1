"""Confused pairs with their co-occurrence, the order of a matrix, and where pixels flow."""

import csv
import io

import numpy as np
import pytest

from analysis_data import K, counts_of, naive_confusions, random_pictures
from recam_core.analysis.confusions import OTHERS, class_flows, class_order, top_pairs
from recam_core.analysis.csv_tables import flow_csv
from recam_core.analysis.outcomes import outcomes_at
from recam_core.data.sample import ClassList
from recam_core.errors import UserError

THRESHOLDS = {"bce": 0.2, "recam": None}


def two_methods(seed, has_background=True, count=30):
    """Pictures of two methods that share their ground truth."""
    bce = random_pictures(seed, count, has_background)
    rng = np.random.default_rng(seed)
    recam = [(np.where(rng.random(m.shape) < 0.5, w, w[::-1, ::-1]), level, m) for w, level, m in bce]
    return {"bce": bce, "recam": recam}


def found_pairs(pictures, has_background=True, **options):
    counts = {key: counts_of(each, has_background) for key, each in pictures.items()}
    chosen = options.get("chosen")
    outcomes = {key: outcomes_at(each, THRESHOLDS[key]) for key, each in counts.items()}
    confusions = {key: (each if chosen is None else each.where(chosen)).confusion() for key, each in outcomes.items()}
    return top_pairs(confusions, counts, THRESHOLDS, **options)


@pytest.mark.parametrize("with_background", [True, False])
@pytest.mark.parametrize("has_background", [True, False])
@pytest.mark.parametrize("some", [False, True])
def test_pairs_equal_counting_by_hand(with_background, has_background, some):
    pictures = two_methods(1, has_background)
    chosen = np.arange(30) % 2 == 0 if some else None
    pairs = found_pairs(pictures, has_background, most=None, with_background=with_background, chosen=chosen)
    matrices = {key: naive_confusions(each, THRESHOLDS[key]) for key, each in pictures.items()}
    if some:
        matrices = {key: each[chosen] for key, each in matrices.items()}
    present = matrices["bce"].sum(axis=2) > 0
    expected = set()
    for truth in range(0 if with_background else 1, K + 1):
        for predicted in range(0 if with_background else 1, K + 1):
            if truth != predicted and any(each[:, truth, predicted].any() for each in matrices.values()):
                expected.add((truth, predicted))
    assert {(pair.truth, pair.predicted) for pair in pairs} == expected
    totals = [sum(pair.pixels.values()) for pair in pairs]
    assert totals == sorted(totals, reverse=True)
    for pair in pairs:
        both = present[:, pair.truth] & present[:, pair.predicted]
        assert pair.together == both.sum()
        assert pair.together_share == pytest.approx(both.sum() / present[:, pair.truth].sum())
        for key, each in matrices.items():
            cell, row = each[:, pair.truth, pair.predicted], each[:, pair.truth].sum(axis=1)
            assert pair.pixels[key] == cell.sum()
            assert pair.pictures[key] == (cell > 0).sum()
            assert pair.share[key] == pytest.approx(cell.sum() / row.sum())
            within = cell[both].sum() / row[both].sum() if both.any() else float("nan")
            assert pair.share_where_together[key] == pytest.approx(within, nan_ok=True)


def test_pairs_may_be_sorted_by_one_method_and_cut():
    pictures = two_methods(2)
    # The first pair of the one method is not that of the other, nor of their sum.
    pictures["recam"][:5] = [
        (np.full(mask.shape, 4, np.uint8), level, np.full(mask.shape, 3, np.uint8))
        for _, level, mask in pictures["recam"][:5]
    ]
    pictures["bce"][:5] = [(np.full_like(w, 1), np.full_like(w, 255), m) for w, _, m in pictures["recam"][:5]]
    pairs = found_pairs(pictures, by="recam", most=None)
    pixels = [pair.pixels["recam"] for pair in pairs]
    assert pixels == sorted(pixels, reverse=True)
    assert found_pairs(pictures, by="recam", most=3) == pairs[:3]
    (first,) = found_pairs(pictures, by="bce", most=1)
    assert first.pixels["bce"] == max(pair.pixels["bce"] for pair in pairs)
    assert (first.truth, first.predicted) == (3, 1)
    assert (pairs[0].truth, pairs[0].predicted) == (3, 4)


def test_company_is_told_apart_from_confusion():
    """Cats and dogs meet rarely but are always confused; cats and cows meet always and never are."""
    cat, dog, cow = 1, 2, 3
    half = np.zeros((2, 4), np.uint8)
    half[:, 2:] = 1
    full = np.full((2, 4), 255, np.uint8)
    met = (np.full((2, 4), dog, np.uint8), full, np.where(half, cat, dog).astype(np.uint8))
    apart = [(np.where(half, cat, cow).astype(np.uint8), full, np.where(half, cat, cow).astype(np.uint8))] * 9
    (pair,) = found_pairs({"bce": [met, *apart], "recam": [met, *apart]})
    assert (pair.truth, pair.predicted) == (cat, dog)
    assert pair.together_share == pytest.approx(0.1)
    assert pair.share == {"bce": pytest.approx(0.1), "recam": pytest.approx(0.1)}
    assert pair.share_where_together == {"bce": 1.0, "recam": 1.0}


def test_confused_classes_become_neighbours():
    values = 9
    confusion = np.full((values, values), 2)
    np.fill_diagonal(confusion, 1000)
    confusion[:, 0] = 500  # everything loses pixels to the background; that makes nobody alike
    for one, other in ((1, 8), (2, 7), (3, 5)):
        confusion[one, other] = confusion[other, one] = 300
    confusion[4] = confusion[:, 4] = 0  # a class that does not occur
    permutation = class_order(confusion)
    assert sorted(permutation.tolist()) == list(range(values))
    assert permutation[0] == 0
    assert permutation[-1] == 4
    place = np.argsort(permutation)
    for one, other in ((1, 8), (2, 7), (3, 5)):
        assert abs(place[one] - place[other]) == 1
    shuffled = np.array([0, 3, 8, 1, 5, 2, 7, 6, 4])
    again = class_order(confusion[np.ix_(shuffled, shuffled)])
    place = np.argsort(shuffled[again])
    for one, other in ((1, 8), (2, 7), (3, 5)):
        assert abs(place[one] - place[other]) == 1


def test_classes_that_blend_into_each_other_come_in_a_row():
    steps = np.abs(np.subtract.outer(np.arange(8), np.arange(8)))
    confusion = np.zeros((9, 9))
    confusion[1:, 1:] = 1000 / (1 + steps) ** 2
    for seed in range(5):
        shuffled = np.concatenate([[0], np.random.default_rng(seed).permutation(8) + 1])
        row = shuffled[class_order(confusion[np.ix_(shuffled, shuffled)])][1:]
        assert np.abs(np.diff(row)).sum() == 7, row


@pytest.mark.parametrize("values", [2, 3, 4, 81])
def test_any_matrix_has_an_order(values):
    rng = np.random.default_rng(0)
    for confusion in (
        np.zeros((values, values), np.int64),
        np.eye(values, dtype=np.int64),
        rng.integers(0, 5, (values, values)),
        np.full((values, values), 2**40),
    ):
        assert sorted(class_order(confusion).tolist()) == list(range(values))


def test_shares_of_a_class_add_up():
    confusion = naive_confusions(random_pictures(5, 20), 0.3).sum(axis=0)
    confusion[2] = 0
    classes = ClassList(tuple(f"c{k}" for k in range(K)), True)
    for truth, line in enumerate(csv.reader(io.StringIO(flow_csv(confusion, classes)))):
        if truth == 0:
            continue
        name, pixels, right, *shares = line
        row = confusion[truth - 1]
        assert (name, int(pixels)) == (("background", *classes.names)[truth - 1], row.sum())
        assert shares[truth - 1] == ""  # its own share is the one that is right
        if row.any():
            assert float(right) == pytest.approx(row[truth - 1] / row.sum(), abs=1e-5)
            assert float(right) + sum(float(share) for share in shares if share) == pytest.approx(1, abs=1e-4)
        else:
            assert not any((right, *shares))


def test_flows_hold_every_pixel_of_their_rows():
    rng = np.random.default_rng(3)
    confusion = rng.integers(1, 100, (8, 8)) + np.diag(np.full(8, 400))
    rows = [3, 1, 0, 5]
    flows = class_flows(confusion, rows, most=2)
    assert list(dict.fromkeys(flow.truth for flow in flows)) == rows
    for row in rows:
        mine = [flow for flow in flows if flow.truth == row]
        # The rows' own in their order, two more by size, the background, and the rest together.
        assert [flow.predicted for flow in mine][:3] == [3, 1, 5]
        assert [flow.predicted for flow in mine][-2:] == [0, OTHERS]
        assert len(mine) == 3 + 2 + 2
        assert sum(flow.pixels for flow in mine) == confusion[row].sum()
        assert sum(flow.share for flow in mine) == pytest.approx(1)
        named = [flow.predicted for flow in mine[:-1]]
        assert mine[-1].pixels == np.delete(confusion[row], named).sum()
    for flow in flows:
        if flow.predicted != OTHERS:
            assert flow.pixels == confusion[flow.truth, flow.predicted]
    arrived = confusion[rows].sum(axis=0)
    others = [flow.predicted for flow in flows[3:5]]
    assert others == sorted(set(range(1, 8)) - set(rows), key=lambda value: -arrived[value])[:2]


def test_flows_of_little_or_nothing():
    confusion = np.zeros((4, 4), dtype=np.int64)
    for rows in ([0, 1, 2], []):
        assert class_flows(confusion, rows) == ()
    confusion[2, 2] = 7
    (flow,) = class_flows(confusion, [1, 2, 2, 3], most=0)
    assert (flow.truth, flow.predicted, flow.pixels, flow.share) == (2, 2, 7, 1.0)
    assert len(class_flows(np.ones((81, 81), np.int64), range(81), most=0)) == 81 * 81
    with pytest.raises(UserError, match="no class"):
        class_flows(confusion, [4])
