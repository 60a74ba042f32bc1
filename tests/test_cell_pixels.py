"""Pixels that galleries outline are those that the index counts; and how they are outlined."""

import numpy as np
import pytest

from recam_core.analysis.cell_index import CellIndex
from recam_core.analysis.wrong_regions import cell_pixels
from recam_core.data.sample import VOID, ClassList
from recam_core.maps.activation_maps import seed_mask
from recam_core.scores.pixel_counts import count_pixels, join
from recam_core.views.pictures import outlined

THRESHOLD = 0.4


@pytest.mark.parametrize("has_background", [True, False])
def test_as_many_as_the_index_counts(has_background: bool) -> None:
    generator = np.random.default_rng(3)
    classes = ClassList(("a", "b", "c"), has_background)
    winner = generator.integers(1, 4, (20, 30), dtype=np.uint8)
    level = generator.integers(0, 256, (20, 30), dtype=np.uint8)
    mask = generator.choice(np.array([0, 1, 2, 3, VOID], dtype=np.uint8), (20, 30))
    index = CellIndex.build(join(["p"], [count_pixels(winner, level, mask, classes)], classes))
    seeds = seed_mask(winner, level, THRESHOLD)

    def count(truth: int | None, predicted: int | None) -> int:
        return int(cell_pixels(seeds, mask, truth, predicted, has_background).sum())

    wrong = 0
    for value in range(4):
        assert count(None, value) == index.false_positives(value - 1, THRESHOLD)[1].sum()
        assert count(value, None) == index.false_negatives(value - 1, THRESHOLD)[1].sum()
        wrong += count(value, None)
        for predicted in range(4):
            assert count(value, predicted) == index.pictures(value, predicted, THRESHOLD)[1].sum()
    assert count(None, None) == wrong


def test_outlines_keep_proportions_and_mark_what_is_chosen() -> None:
    image = np.full((60, 90, 3), 120, dtype=np.uint8)
    chosen = np.zeros((60, 90), dtype=bool)
    chosen[20:40, 30:60] = True
    picture = outlined(image, chosen, side=180)
    assert picture.shape == (120, 180, 3)
    assert picture.dtype == np.uint8
    white = (picture == 255).all(axis=2)
    rows, columns = np.flatnonzero(white.any(axis=1)), np.flatnonzero(white.any(axis=0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (40, 79, 60, 119)
    assert not white[45:75, 65:115].any()
    assert (outlined(image, np.zeros_like(chosen)) != 255).all()


def test_a_single_pixel_of_a_large_picture_is_seen() -> None:
    chosen = np.zeros((900, 900), dtype=bool)
    chosen[300, 500] = True
    assert (outlined(np.zeros((900, 900, 3), dtype=np.uint8), chosen) == 255).any()
