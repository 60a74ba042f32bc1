"""CSV of every table: it reads back as what was put in, and no cell is a formula."""

import csv
import io

import numpy as np
import pytest

from analysis_data import K, counts_of, random_pictures
from recam_core.analysis.confusions import top_pairs
from recam_core.analysis.csv_tables import (
    cell_csv,
    confusion_csv,
    csv_text,
    flow_csv,
    gain_csv,
    pairs_csv,
    pictures_csv,
    tags_csv,
)
from recam_core.analysis.gains import class_gain
from recam_core.analysis.picture_table import picture_table
from recam_core.analysis.tags import Tagged
from recam_core.scores.metrics import value_names
from recam_core.scores.scores import CumulativeConfusion

NAMES = ("cat", '=HYPERLINK("x")', "a, b", "boat")
TITLES = {"bce": "BCE-CAM", "recam": "+ReCAM"}
THRESHOLDS = {"bce": 0.2, "recam": None}


def read(text):
    return [*csv.reader(io.StringIO(text, newline=""))]


@pytest.fixture(params=[True, False])
def counts(request):
    first = counts_of(random_pictures(1, 20, request.param), request.param, NAMES, ids=[f"@{i}" for i in range(20)])
    return {"bce": first, "recam": first}


def confusion_of(counts, key="bce"):
    return CumulativeConfusion.build(counts[key]).at(THRESHOLDS[key])


def test_words_are_no_formulas_and_numbers_stay_numbers():
    rows = [["=1+1", "+a", "-b", "@c", "\tx", "\ry"], [-1.5, -2, np.float32(-0.25), np.int64(-3), float("nan"), None]]
    header, words, numbers = read(csv_text(["=a", "b", "c", "d", "e", "f"], rows))
    assert header == ["'=a", "b", "c", "d", "e", "f"]
    assert words == ["'=1+1", "'+a", "'-b", "'@c", "'\tx", "'\ry"]
    assert numbers == ["-1.5", "-2", "-0.25", "-3", "", ""]
    assert read(csv_text(["a"], [['say "x", then\nstop']]))[1] == ['say "x", then\nstop']


def test_a_confusion_matrix_reads_back(counts):
    classes = counts["bce"].classes
    confusion = confusion_of(counts)
    order = [0, 3, 1, 4, 2]
    rows = [place for place in order if place or classes.has_background]
    lines = read(confusion_csv(confusion, classes, order))
    names = ["'" + name if name.startswith("=") else name for name in value_names(classes)]
    assert lines[0] == ["ground truth", *(names[place] for place in order)]
    assert [line[0] for line in lines[1:]] == [names[place] for place in rows]
    assert np.array_equal(np.array([line[1:] for line in lines[1:]], dtype=int), confusion[np.ix_(rows, order)])
    shares = read(confusion_csv(confusion, classes, normalised=True))
    for line in shares[1:]:
        assert sum(map(float, line[1:])) == pytest.approx(1, abs=1e-5)
    difference = read(confusion_csv(confusion - confusion.T, classes))
    assert difference[1][1 if classes.has_background else 2] == "0"
    empty = read(confusion_csv(np.zeros((K + 1, K + 1), int), classes, normalised=True))
    assert set(empty[1][1:]) == {""}


def test_pairs_flow_and_gain_read_back(counts):
    classes = counts["bce"].classes
    confusions = {key: confusion_of(counts, key) for key in counts}
    pairs = top_pairs(confusions, counts, THRESHOLDS)
    lines = read(pairs_csv(pairs, classes, TITLES))
    assert len(lines) == 1 + len(pairs)
    column = lines[0].index("'+ReCAM: pixels")
    assert [int(line[column]) for line in lines[1:]] == [pair.pixels["recam"] for pair in pairs]
    assert {len(line) for line in lines} == {4 + 2 * 4}
    lines = read(flow_csv(confusions["bce"], classes))
    assert len(lines) == 1 + K + classes.has_background
    for line in lines[1:]:
        shares = [float(cell) for cell in line[2:] if cell]
        assert sum(shares) == pytest.approx(1, abs=1e-4)
    gain = class_gain(counts, THRESHOLDS, resamples=20)
    lines = read(gain_csv(gain, TITLES))
    assert [line[0].lstrip("'") for line in lines[1:-1]] == [gain.names[row] for row in gain.order]
    assert lines[0][:5] == ["class", "BCE-CAM: IoU", "BCE-CAM: IoU low", "BCE-CAM: IoU high", "'+ReCAM: IoU"]
    assert lines[0][-1] == "'+ReCAM: gain high"
    assert lines[-1][0] == "mean"
    assert float(lines[-1][1]) == pytest.approx(gain.miou[0], abs=1e-5)
    assert float(lines[-1][-1]) == pytest.approx(gain.miou_gain_high[1], abs=1e-5)
    assert {len(line) for line in lines} == {1 + 3 + 6}


def test_pictures_and_cells_read_back(counts):
    table = picture_table(counts, THRESHOLDS)
    lines = read(pictures_csv(table, TITLES))
    assert len(lines) == 21
    assert lines[1][0] == "'@0"
    for line, miou in zip(lines[1:], table.miou["bce"].tolist(), strict=True):
        assert line[4] == "" if np.isnan(miou) else float(line[4]) == pytest.approx(miou, abs=1e-5)
    some = table.number > 2
    assert [line[0] for line in read(pictures_csv(table, TITLES, some))[1:]] == [f"'@{i}" for i in np.flatnonzero(some)]
    assert [line[0] for line in read(pictures_csv(table, TITLES, np.array([5, 3])))[1:]] == ["'@5", "'@3"]
    assert read(cell_csv(table.ids, np.array([3, 1]), np.array([9, 4]))) == [
        ["id", "pixels"],
        ["'@3", "9"],
        ["'@1", "4"],
    ]


def test_tags_read_back():
    lines = read(tags_csv([Tagged("d", "-p", "=t", "a\nb, c", "cat", "dog", "2026-01-01T00:00:00+00:00")]))
    assert lines[1] == ["d", "'-p", "'=t", "a\nb, c", "cat", "dog", "2026-01-01T00:00:00+00:00"]
