"""The analysis of the shipped maps against the pixels themselves: masks drawn again, seeds read off the maps."""

import numpy as np
import pytest

from recam_core.analysis.analysed import find_analysed, settings_of
from recam_core.analysis.cell_index import CellIndex
from recam_core.checkpoint.run_folder import read_info
from recam_core.data.sample import VOID
from recam_core.data.spec import open_dataset
from recam_core.folders import shipped_folder
from recam_core.maps.activation_maps import argmax_and_activation, seed_mask
from recam_core.scores.scores import CumulativeConfusion, score, sweep


@pytest.fixture(scope="module")
def scenes():
    return open_dataset("scenes@val")


@pytest.fixture(scope="module", params=["bce", "recam"])
def method(request, scenes):
    info = read_info(shipped_folder() / "scenes" / request.param)
    found = find_analysed(info, info.rule, scenes, settings_of(info))
    if found is None:
        pytest.skip("the maps of the scenes do not ship with this copy")
    return found


def test_every_threshold_of_the_shipped_counts(method):
    histogram = method.counts.total()
    cumulative = CumulativeConfusion.build(method.counts)
    curve = sweep(histogram, 101)
    for place, threshold in enumerate(curve.thresholds.tolist()):
        assert np.array_equal(cumulative.at(threshold), curve.confusions[place])
    assert np.array_equal(cumulative.at(None), score(histogram, None).confusion)


def test_the_first_picture_of_a_gallery_is_the_worst_by_its_pixels(method, scenes):
    values, threshold = len(scenes.classes) + 1, method.threshold
    assert threshold is not None
    pixels = np.zeros((len(scenes), values, values), dtype=np.int64)
    for number, id in enumerate(scenes.ids):
        seeds = seed_mask(*argmax_and_activation(method.store[id]), threshold)
        mask = scenes.mask(number)
        scored = mask != VOID
        cells = mask[scored].astype(np.int64) * values + seeds[scored]
        pixels[number] = np.bincount(cells, minlength=values**2).reshape(values, values)
    index = CellIndex.build(method.counts)
    assert index.ids == tuple(scenes.ids)
    assert np.array_equal(CumulativeConfusion.build(index).at(threshold), pixels.sum(axis=0))
    for truth in range(values):
        positions, found = index.false_negatives(truth - 1, threshold)
        lost = pixels[:, truth].sum(axis=1) - pixels[:, truth, truth]
        assert found[0] == lost.max() == lost[positions[0]]
        positions, found = index.false_positives(truth - 1, threshold)
        claimed = pixels[:, :, truth].sum(axis=1) - pixels[:, truth, truth]
        assert found[0] == claimed.max() == claimed[positions[0]]
        for predicted in range(values):
            positions, found = index.pictures(truth, predicted, threshold)
            assert np.array_equal(pixels[positions, truth, predicted], found)
            assert found.sum() == pixels[:, truth, predicted].sum()
            assert np.all(np.diff(found) <= 0)
