"""Random views of a picture: what happens to the photo happens to its mask, and padding belongs to no class."""

import dataclasses

import numpy as np
import pytest

from recam_core.data.sample import VOID
from recam_core.train.recipe import Recipe
from recam_core.train.views import AugmentedViews, augment
from tiny_data import TinyDataset

#: The ground, and two classes whose numbers lie apart, so that a mask that was interpolated shows others between them.
COLOURS = {0: (128, 128, 128), 2: (250, 10, 10), 9: (10, 10, 250)}
FILL = (124, 250, 104)
CALM = Recipe("bce", crop=48, jitter=(0.0, 0.0, 0.0, 0.0), resize_long=(30, 80))


def banded() -> tuple[np.ndarray, np.ndarray]:
    """36 x 54: class 2 on the left, class 9 at the top right, the ground elsewhere."""
    mask = np.zeros((36, 54), dtype=np.uint8)
    mask[:, :18], mask[:12, 36:] = 2, 9
    return painted(mask), mask


def painted(mask: np.ndarray) -> np.ndarray:
    image = np.zeros((*mask.shape, 3), dtype=np.uint8)
    for value, colour in COLOURS.items():
        image[mask == value] = colour
    return image


def ramp(height: int, width: int) -> np.ndarray:
    """A photo that says of each pixel where it was: its row and its column."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, np.zeros_like(rows)], axis=2).astype(np.uint8)


def views(image: np.ndarray, mask: np.ndarray | None, recipe: Recipe, count: int):
    return [augment(image, mask, recipe, FILL, np.random.default_rng(seed)) for seed in range(count)]


def test_the_mask_goes_where_its_photo_goes_and_padding_is_void() -> None:
    image, mask = banded()
    sides, padded, cut = set(), 0, 0
    for view, truth in views(image, mask, CALM, 60):
        assert view.shape == (48, 48, 3)
        assert set(np.unique(truth)) <= {*COLOURS, VOID}
        assert np.array_equal(truth == VOID, (view == FILL).all(axis=2)), "void is the padding, and nothing else"
        # Each pixel is of the class whose colour it has, but where interpolation mixes two colours.
        distance = np.stack([np.abs(view.astype(int) - colour).sum(axis=2) for colour in COLOURS.values()])
        nearest = np.array([*COLOURS])[distance.argmin(axis=0)]
        sharp = (distance.min(axis=0) < 30) & (truth != VOID)
        assert (nearest[sharp] == truth[sharp]).mean() > 0.97
        padded, cut = padded + (truth == VOID).any(), cut + (truth != VOID).all()
        columns = [np.flatnonzero((truth == value).any(axis=0)) for value in (2, 9)]
        if all(len(each) for each in columns):
            sides.add(bool(columns[0].mean() < columns[1].mean()))
    assert sides == {True, False}, "some views are mirrored, and some are not"
    assert padded
    assert cut


def test_the_long_side_is_what_is_resized() -> None:
    mask = np.full((20, 80), 2, dtype=np.uint8)
    for turned in (mask, mask.T):
        sides = set()
        for _, truth in views(painted(turned), turned, dataclasses.replace(CALM, resize_long=(40, 44)), 30):
            there = truth != VOID
            long, short = sorted([there.any(axis=0).sum(), there.any(axis=1).sum()], reverse=True)
            assert short == round(20 * long / 80)
            sides.add(int(long))
        assert sides == {40, 41, 42, 43, 44}


@pytest.mark.parametrize("side", [40, 80])
def test_a_crop_may_begin_anywhere_and_a_small_picture_may_lie_anywhere(side: int) -> None:
    recipe = dataclasses.replace(CALM, crop=64, resize_long=(side, side))
    corners = set()
    for view, _ in views(ramp(side, side), None, recipe, 300):
        there = ~(view == FILL).all(axis=2)
        rows, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
        first = view[rows[0], columns[0]].astype(int)
        mirrored = view[rows[0], columns[-1], 1] < first[1]
        column = side - 1 - first[1] if mirrored else first[1]
        corners |= {("row", int(rows[0] - first[0])), ("column", int(columns[0] - column))}
        assert len(rows) == len(columns) == min(side, 64)
    low, high = min(0, 64 - side), max(0, 64 - side)
    for name in ("row", "column"):
        found = sorted(place for axis, place in corners if axis == name)
        assert found == list(range(low, high + 1))


def test_colours_change_by_no_more_than_their_strength_and_padding_not_at_all() -> None:
    grey = np.full((40, 40, 3), 100, dtype=np.uint8)
    same = dataclasses.replace(CALM, resize_long=(40, 40))
    assert all((view[(view != FILL).any(axis=2)] == 100).all() for view, _ in views(grey, None, same, 5))
    brighter = dataclasses.replace(same, jitter=(0.3, 0.0, 0.0, 0.0))
    found = [view for view, _ in views(grey, None, brighter, 200)]
    levels = [float(view[(view != FILL).any(axis=2)].mean()) for view in found]
    assert 69 <= min(levels) < 75
    assert 125 < max(levels) <= 131
    assert all((view == FILL).all(axis=2).sum() == 48 * 48 - 40 * 40 for view in found)


def test_a_view_follows_from_seed_epoch_and_picture() -> None:
    recipe = dataclasses.replace(CALM, seed=3)
    data = TinyDataset(4)
    data.load = lambda index, load=data.load: dataclasses.replace(load(0), id=str(index))  # all pictures are alike

    def view(seed: int, epoch: int, index: int) -> bytes:
        some = AugmentedViews(data, dataclasses.replace(recipe, seed=seed), FILL, with_masks=True)
        photo, _, mask = some[epoch, index]
        return photo.tobytes() + mask.tobytes()

    keys = [(seed, epoch, index) for seed in (0, 3) for epoch in (0, 1) for index in (0, 1)]
    assert len({view(*key) for key in keys}) == len(keys)
    assert view(3, 1, 1) == view(3, 1, 1)
