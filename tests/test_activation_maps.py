"""The one reading of activation maps: upsampling, arg-max, ties, seeds."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from recam_core.errors import UserError
from recam_core.maps.activation_maps import (
    ActivationMaps,
    argmax_and_activation,
    full_size,
    grid_size,
    seed_mask,
    threshold_level,
)


def random_maps(rng, size, classes, id="picture"):
    shape = (len(classes), *grid_size(size))
    return ActivationMaps(id, size, np.array(classes, dtype=np.int64), rng.integers(0, 256, shape, dtype=np.uint8))


@pytest.mark.parametrize("size", [(37, 50), (1, 1), (2, 9), (64, 64), (5, 3)])
def test_upsampling_is_bilinear_without_aligned_corners(size):
    maps = random_maps(np.random.default_rng(0), size, [0, 3, 7])
    grid = torch.from_numpy(maps.activations.astype(np.float64))[None]
    expected = functional.interpolate(grid, size=size, mode="bilinear", align_corners=False)[0].numpy()
    assert np.abs(full_size(maps) - expected).max() <= 0.5 + 1e-3


def test_argmax_and_activation_agree_with_every_single_map():
    maps = random_maps(np.random.default_rng(1), (41, 30), [2, 5, 19])
    winner, level = argmax_and_activation(maps)
    planes = full_size(maps)
    assert winner.dtype == level.dtype == np.uint8
    assert np.array_equal(level, planes.max(axis=0))
    order = np.searchsorted(maps.classes, winner.astype(int) - 1)
    assert np.array_equal(np.take_along_axis(planes, order[None], axis=0)[0], level)


def test_ties_and_zeros_go_to_the_first_present_class():
    grid = np.zeros((2, 2, 2), dtype=np.uint8)
    grid[:, 0] = 200
    winner, level = argmax_and_activation(ActivationMaps("tie", (8, 8), np.array([4, 6]), grid))
    assert set(np.unique(winner)) == {5}
    assert level[0, 0] == 200
    assert level[7, 7] == 0


def test_a_plateau_at_the_maximum_stays_at_the_maximum():
    grid = np.full((1, 25, 13), 255, dtype=np.uint8)
    _, level = argmax_and_activation(ActivationMaps("flat", (99, 51), np.array([0]), grid))
    assert level.min() == 255


def test_a_picture_without_classes_is_all_background():
    maps = ActivationMaps("none", (6, 9), np.zeros(0, dtype=np.int64), np.zeros((0, 2, 3), dtype=np.uint8))
    winner, level = argmax_and_activation(maps)
    assert winner.shape == level.shape == (6, 9)
    assert not winner.any()
    assert not level.any()
    assert not seed_mask(winner, level, None).any()


def test_the_background_wins_ties_in_seeds():
    winner = np.array([[1, 2, 3]], dtype=np.uint8)
    level = np.array([[50, 51, 52]], dtype=np.uint8)
    assert threshold_level(0.2) == 51
    assert seed_mask(winner, level, 0.2).tolist() == [[0, 0, 3]]
    assert seed_mask(winner, level, None).tolist() == [[1, 2, 3]]
    assert not seed_mask(winner, np.full_like(level, 255), 1.0).any()


@pytest.mark.parametrize("threshold", [-0.1, 1.01, float("nan")])
def test_a_threshold_outside_its_range_is_refused(threshold):
    with pytest.raises(UserError, match="between 0 and 1"):
        seed_mask(np.zeros((1, 1), np.uint8), np.zeros((1, 1), np.uint8), threshold)


def test_maps_of_another_shape_or_order_are_refused():
    with pytest.raises(ValueError, match="must be uint8"):
        ActivationMaps("bad", (8, 8), np.array([0]), np.zeros((1, 3, 2), dtype=np.uint8))
    with pytest.raises(ValueError, match="must ascend"):
        ActivationMaps("bad", (8, 8), np.array([1, 0]), np.zeros((2, 2, 2), dtype=np.uint8))
