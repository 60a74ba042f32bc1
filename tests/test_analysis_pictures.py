"""The table of pictures against scores and loops, and filters that combine and travel in links."""

import json

import numpy as np
import pytest

from analysis_data import K, counts_of, naive_confusions, random_pictures
from recam_core.analysis.cell_index import CellIndex
from recam_core.analysis.picture_filter import PictureFilter
from recam_core.analysis.picture_table import picture_table
from recam_core.errors import UserError
from recam_core.scores.scores import Scores

THRESHOLDS = {"bce": 0.2, "recam": 0.6}


def table_of(has_background=True, seed=1, count=40, reference=None):
    counts = counts_of(random_pictures(seed, count, has_background), has_background)
    return picture_table({"bce": counts, "recam": CellIndex.build(counts)}, THRESHOLDS, reference)


@pytest.mark.parametrize("has_background", [True, False])
def test_scores_are_those_of_each_picture_alone(has_background):
    pictures = random_pictures(1, 40, has_background)
    table = table_of(has_background)
    assert table.ids == counts_of(pictures, has_background).ids
    assert table.keys == ("bce", "recam")
    for key in table.keys:
        each = [Scores(None, one, has_background) for one in naive_confusions(pictures, THRESHOLDS[key])]
        for ours, name in (
            (table.miou, "miou"),
            (table.wrong_class, "wrong_class"),
            (table.lost, "lost_to_background"),
        ):
            theirs = [getattr(one, name) for one in each]
            assert np.allclose(ours[key], theirs, rtol=0, atol=1e-12, equal_nan=True)
        assert np.array_equal(table.difference[key], table.miou[key] - table.miou["bce"], equal_nan=True)
    assert np.isnan(table.miou["bce"][2])  # all void
    other = table_of(has_background, reference="recam")
    assert np.array_equal(other.difference["bce"], -table.difference["recam"], equal_nan=True)


@pytest.mark.parametrize("has_background", [True, False])
def test_objects_are_those_of_the_ground_truth(has_background):
    pictures = random_pictures(1, 40, has_background)
    table = table_of(has_background)
    rows = naive_confusions(pictures, None).sum(axis=2)
    for number in range(40):
        scored = rows[number].sum()
        for k in range(K):
            share = rows[number, k + 1] / scored if scored else 0
            assert table.object_share[number, k] == pytest.approx(share, abs=1e-7)
            assert table.present[number, k] == (rows[number, k + 1] > 0)
        assert table.number[number] == np.count_nonzero(rows[number, 1:])
        assert table.largest[number] == table.object_share[number].max()


def test_filters_are_what_they_say():
    table = table_of()
    with np.errstate(invalid="ignore"):
        cases = {
            PictureFilter(): np.ones(40, bool),
            PictureFilter(classes=(0, 2)): table.present[:, 0] & table.present[:, 2],
            PictureFilter(classes=(0, 2), class_mode="any"): table.present[:, 0] | table.present[:, 2],
            PictureFilter(number=(2, 3)): (table.number == 2) | (table.number == 3),
            PictureFilter(number=(0, 0)): table.number == 0,
            PictureFilter(size=(0.3, 1.0)): (table.object_share >= 0.3).any(axis=1),
            PictureFilter(size=(0.0, 0.2)): ((table.object_share > 0) & (table.object_share <= 0.2)).any(axis=1),
            PictureFilter(classes=(1,), size=(0.1, 0.25)): (table.object_share[:, 1] >= 0.1)
            & (table.object_share[:, 1] <= 0.25),
            PictureFilter(score=(0.1, 0.3), score_of="recam"): (table.miou["recam"] >= 0.1)
            & (table.miou["recam"] <= 0.3),
            PictureFilter(score=(0.0, 1.0)): ~np.isnan(table.miou["bce"]),
            PictureFilter(worse=("recam", "bce")): table.miou["recam"] < table.miou["bce"],
            PictureFilter(worse=("recam", "bce"), margin=0.05): table.miou["bce"] - table.miou["recam"] >= 0.05,
        }
    for wanted, expected in cases.items():
        assert np.array_equal(wanted.apply(table), expected), wanted
        assert wanted.is_empty == (wanted == PictureFilter())
    assert 0 < cases[PictureFilter(worse=("recam", "bce"))].sum() < 40
    both = PictureFilter(classes=(0,), number=(2, 4), size=(0.05, 0.9), score=(0, 0.4), worse=("recam", "bce"))
    expected = np.ones(40, bool)
    for part in (
        PictureFilter(classes=(0,), size=(0.05, 0.9)),
        PictureFilter(number=(2, 4)),
        PictureFilter(score=(0, 0.4)),
        PictureFilter(worse=("recam", "bce")),
    ):
        expected &= part.apply(table)
    assert np.array_equal(both.apply(table), expected)
    assert 0 < expected.sum() < 40


@pytest.mark.parametrize(
    "wanted",
    [
        PictureFilter(),
        PictureFilter(classes=(3, 0), class_mode="any"),
        PictureFilter(number=(1, 3), size=(0.0, 0.25)),
        PictureFilter(score=(0.25, 1.0), score_of="run/mine:w * w'"),
        PictureFilter(worse=("a", "b"), margin=0.1, classes=(1,)),
    ],
)
def test_a_filter_survives_a_link(wanted):
    assert PictureFilter.from_dict(json.loads(json.dumps(wanted.to_dict()))) == wanted
    assert bool(wanted.to_dict()) != wanted.is_empty


@pytest.mark.parametrize(
    "content",
    [
        *(None, [], "c", {"x": 1}, {"c": 3}, {"c": ["0"]}, {"c": [-1]}, {"c": [True]}, {"c": [1.5]}, {"c": [0] * 300}),
        *({"n": [1]}, {"n": [1, 2, 3]}, {"n": [1, 1e99]}, {"s": [0, 2]}, {"s": [float("nan"), 1]}, {"s": ["0", "1"]}),
        *({"m": 3}, {"m": "none"}, {"w": ["a"]}, {"w": [1, 2]}, {"w": ["a", "b"], "d": -1}, {"r": [0, 1], "of": []}),
        {"w": ["a", "b" * 1000]},
    ],
)
def test_a_foreign_link_is_refused(content):
    with pytest.raises(UserError, match="cannot be read"):
        PictureFilter.from_dict(content)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (PictureFilter(classes=(K,)), "no class"),
        (PictureFilter(classes=(-1,)), "no class"),
        (PictureFilter(class_mode="some"), "all or any"),
        (PictureFilter(number=(3, 1)), "first must be the smaller"),
        (PictureFilter(size=(0.5, 0.1)), "first must be the smaller"),
        (PictureFilter(score=(0, 1), score_of="irn"), "no method"),
        (PictureFilter(worse=("recam", "irn")), "no method"),
    ],
)
def test_a_filter_that_does_not_fit_the_table_is_refused(wanted, words):
    with pytest.raises(UserError, match=words):
        wanted.apply(table_of())


def test_an_unknown_reference_and_an_empty_set():
    with pytest.raises(UserError, match="not among"):
        table_of(reference="irn")
    empty = counts_of([])
    table = picture_table({"a": empty}, {"a": None})
    assert len(table) == 0
    assert PictureFilter(number=(1, 2), size=(0, 1)).apply(table).shape == (0,)
