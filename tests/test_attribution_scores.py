"""Scores of attributions, on a network and masks whose answers can be worked out by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from recam_core.attribution.map_scores import FaithfulnessSettings, faithfulness, localisation, mean_scores
from recam_core.attribution.subject import Subject
from recam_core.data.sample import ClassList
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps
from recam_core.progress import Cancelled

SIDE = 32
#: Cells of the grid, of stride 4, on which the network looks at the picture.
LOOKS_AT = (slice(0, 4), slice(0, 4))


class LooksAtACorner(nn.Module):
    """A classifier of two classes: the logit of the first is the brightness of a corner; the other's is always 0."""

    def subject(self) -> Subject:
        lower = nn.Identity()
        return Subject(self, lower, _Corner(), lower, None, lambda image: _tensor(image), 2)


class _Corner(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        seen = x[:, 0, :16, :16].mean(dim=(1, 2))
        return torch.stack([10 * seen, torch.zeros_like(seen)], dim=1)


def _tensor(image: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float() / 255


@pytest.fixture
def image() -> np.ndarray:
    """White where the network looks, black elsewhere."""
    made = np.zeros((SIDE, SIDE, 3), np.uint8)
    made[:16, :16] = 255
    return made


def maps_of(*planes: np.ndarray) -> ActivationMaps:
    return ActivationMaps("x", (SIDE, SIDE), np.arange(len(planes)), np.stack(planes).astype(np.uint8))


def corner(value: int = 255, elsewhere: int = 0) -> np.ndarray:
    plane = np.full((8, 8), elsewhere)
    plane[LOOKS_AT] = value
    return plane


SETTINGS = FaithfulnessSettings(steps=4, masks=64, shakes=2, baseline="mean")


def sigmoid(x: float) -> float:
    return 1 / (1 + np.exp(-x))


def test_curves_of_a_network_whose_answer_is_known(image: np.ndarray) -> None:
    # The corner is a quarter of the picture and as bright as can be; the mean colour is a quarter as bright.
    found = faithfulness(LooksAtACorner(), image, maps_of(corner()), settings=SETTINGS)
    full, blank = sigmoid(10), sigmoid(2.5)
    np.testing.assert_allclose(found.shares, [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(found.deletion[0], [full, blank, blank, blank, blank], rtol=1e-6)
    np.testing.assert_allclose(found.insertion[0], [blank, full, full, full, full], rtol=1e-6)
    np.testing.assert_allclose(found.deletion_area, [(full - blank) / 8 + blank], rtol=1e-6)
    np.testing.assert_allclose(found.insertion_area, [full - (full - blank) / 8], rtol=1e-6)


def test_a_map_that_points_elsewhere_is_worse_by_all_scores(image: np.ndarray) -> None:
    right, wrong = (
        faithfulness(LooksAtACorner(), image, maps_of(plane), settings=SETTINGS) for plane in (corner(), corner(0, 255))
    )
    assert wrong.deletion_area[0] > right.deletion_area[0]
    assert wrong.insertion_area[0] < right.insertion_area[0]
    # The logit changes by the number of hidden cells of the corner, which is what the map says: nothing is left over.
    assert right.infidelity[0] == pytest.approx(0, abs=1e-5)
    assert 0.7 < wrong.infidelity[0] <= 1


def test_infidelity_is_the_share_that_the_best_scale_leaves(image: np.ndarray) -> None:
    plane = np.random.default_rng(3).integers(0, 256, (8, 8))
    found = faithfulness(LooksAtACorner(), image, maps_of(plane), settings=SETTINGS).infidelity[0]
    # By hand: squares of two cells are hidden, and the logit falls by 7.5 / 16 with each cell of the corner.
    generator = np.random.default_rng(0)
    rows, columns = generator.integers(0, 7, 64), generator.integers(0, 7, 64)
    hidden = np.zeros((64, 8, 8))
    for square, row, column in zip(hidden, rows, columns, strict=True):
        square[row : row + 2, column : column + 2] = 1
    change = hidden[:, :4, :4].sum(axis=(1, 2)) * 7.5 / 16
    foretold = (hidden * plane / 255).sum(axis=(1, 2))
    left = 1 - (change @ foretold) ** 2 / ((change @ change) * (foretold @ foretold))
    assert found == pytest.approx(left, rel=1e-3)


def test_a_class_that_never_changes_has_no_infidelity(image: np.ndarray) -> None:
    found = faithfulness(LooksAtACorner(), image, maps_of(corner(), corner()), settings=SETTINGS)
    assert not np.isnan(found.infidelity[0])
    assert np.isnan(found.infidelity[1])
    assert mean_scores([found])["infidelity"][0] == found.infidelity[0]


def test_softmax_tells_other_probabilities(image: np.ndarray) -> None:
    settings = FaithfulnessSettings(steps=2, masks=2, softmax=True)
    found = faithfulness(LooksAtACorner(), image, maps_of(corner(), corner()), settings=settings)
    np.testing.assert_allclose(found.deletion.sum(axis=0), 1, rtol=1e-6)


def test_equal_cells_are_hidden_in_an_order_that_is_drawn(image: np.ndarray) -> None:
    found = faithfulness(LooksAtACorner(), image, maps_of(np.zeros((8, 8))), settings=SETTINGS)
    # By rows from the top, half of the picture would take the whole corner with it.
    assert found.deletion[0, 2] > sigmoid(4)


def test_sensitivity_is_the_largest_change(image: np.ndarray) -> None:
    made: list[np.ndarray] = []

    def explain(picture: np.ndarray) -> ActivationMaps:
        made.append(picture)
        return maps_of(corner(255 - 51 * len(made)))

    found = faithfulness(LooksAtACorner(), image, maps_of(corner()), explain=explain, settings=SETTINGS)
    assert found.sensitivity == pytest.approx(2 * 51 / 255)
    assert len(made) == 2
    assert not np.array_equal(made[0], made[1])
    change = np.abs(made[0].astype(int) - image)
    assert 1 <= change.max() <= np.ceil(0.02 * 255)


def test_progress_ends_with_the_work_and_it_can_be_stopped(image: np.ndarray) -> None:
    seen: list[tuple[int, int]] = []
    faithfulness(
        LooksAtACorner(),
        image,
        maps_of(corner()),
        explain=lambda picture: maps_of(corner()),
        settings=SETTINGS,
        progress=lambda done, total, note: seen.append((done, total)),
    )
    assert seen[-1][0] == seen[-1][1]
    with pytest.raises(Cancelled):
        faithfulness(LooksAtACorner(), image, maps_of(corner()), settings=SETTINGS, cancelled=lambda: len(seen) > 0)


@pytest.mark.parametrize(
    "wrong",
    [{"steps": 1}, {"masks": 0}, {"radius": 0}, {"baseline": "black"}, {"shakes": -1}, {"radius": float("nan")}],
)
def test_settings_out_of_range_are_refused(wrong: dict) -> None:
    with pytest.raises(UserError):
        FaithfulnessSettings(**wrong)


def test_maps_of_another_picture_are_refused(image: np.ndarray) -> None:
    with pytest.raises(UserError, match="maps are of a picture"):
        faithfulness(LooksAtACorner(), image[:20], maps_of(corner()))
    with pytest.raises(UserError, match="no class 2"):
        faithfulness(LooksAtACorner(), image, maps_of(corner(), corner(), corner()))


CLASSES = ClassList(("a", "b"), True)


def test_localisation_by_hand() -> None:
    # A map that is flat over the left half: half of it is the class, and so is half of its maximum.
    plane = np.zeros((8, 8))
    plane[:, :4] = 255
    plane[:, 3] = 100
    maps = maps_of(plane, corner(0, 0))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[:16, :16] = 1
    found = localisation(maps, mask, CLASSES, threshold=0.9)
    assert found.pointing[0] == pytest.approx(0.5)
    # Upsampling lets a little spill beyond the fourth column of cells.
    assert found.energy[0] == pytest.approx(0.5, abs=0.01)
    assert found.energy[0] < 0.5
    assert found.share[0] == pytest.approx(0.25)
    flat = localisation(maps_of(np.full((8, 8), 255)), mask, CLASSES)
    assert flat.energy[0] == flat.pointing[0] == flat.best_iou[0] == 0.25
    # Nothing but a threshold that keeps columns 0 to 15 whole reaches one half: 256 of 512 pixels.
    assert found.best_iou[0] == pytest.approx(0.5)
    columns = (np.asarray([found.best_threshold[0], 0.9]) < 1).all()
    assert columns
    assert found.iou[0] < found.best_iou[0]
    # The second class is not there.
    assert np.isnan([found.pointing[1], found.energy[1], found.best_iou[1], found.iou[1], found.share[1]]).all()


def test_void_does_not_count_and_an_empty_map_points_nowhere() -> None:
    mask = np.full((SIDE, SIDE), 255, np.uint8)
    mask[:16, :8] = 1
    mask[:16, 8:16] = 2
    found = localisation(maps_of(corner(), np.zeros((8, 8))), mask, ClassList(("a", "b"), False))
    assert found.energy[0] == pytest.approx(0.5, abs=0.02)
    assert found.share.tolist() == [0.5, 0.5]
    assert np.isnan(found.pointing[1])
    assert np.isnan(found.energy[1])
    assert found.best_iou[1] == 0
    assert np.isnan(found.iou).all()


def test_masks_of_other_sizes_are_refused() -> None:
    with pytest.raises(UserError, match="x: the maps are of"):
        localisation(maps_of(corner()), np.zeros((4, 4), np.uint8), CLASSES)
