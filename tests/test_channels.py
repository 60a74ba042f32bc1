"""Which channels speak for a class: by hand on tiny tensors, and against the maps that they are a part of."""

import numpy as np
import pytest
import torch

from recam_core.analysis.why import (
    Answer,
    channel_map,
    contributions,
    difference_map,
    features_at,
    map_rows,
    one_pixel,
    place_weights,
    proposed_classes,
    table_rows,
    why_sentence,
)
from recam_core.analysis.wrong_regions import wrong_regions
from recam_core.data.sample import VOID, ClassList
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps, full_size, grid_size
from recam_core.maps.inference import PictureFeatures, maps_from_features
from recam_core.method.extraction import map_weights

SIZE = (24, 32)
CLASSES = ClassList(("rails", "car", "sky"), has_background=False)


def features(views: int = 2, scales: int = 2, channels: int = 5, seed: int = 0) -> PictureFeatures:
    """Features that are not negative, as those behind a ReLU."""
    random = torch.Generator().manual_seed(seed)
    sizes = ((3, 4), (6, 8))[:scales]
    found = tuple(torch.rand(views, channels, *size, generator=random) for size in sizes)
    return PictureFeatures(SIZE, found, torch.zeros(3))


def rows(channels: int = 5, seed: int = 1, low: float = -1.0) -> torch.Tensor:
    return torch.rand(3, channels, generator=torch.Generator().manual_seed(seed)) * (1 - low) + low


def pixel(column: int, row: int) -> np.ndarray:
    return place_weights(SIZE, one_pixel(SIZE, column, row))


def test_the_summands_by_hand() -> None:
    # One view of one cell: f = (1, 2, 0), so the summands are (w_A - w_B) f.
    found = PictureFeatures((4, 4), (torch.tensor([1.0, 2.0, 0.0]).reshape(1, 3, 1, 1),), torch.zeros(2))
    weights = torch.tensor([[3.0, 1.0, 9.0], [1.0, 2.0, -9.0]])
    place = place_weights((4, 4), one_pixel((4, 4), 1, 2))
    one = contributions(found, weights, 0, 1, place)
    assert one.values.tolist() == [2.0, -2.0, 0.0]
    assert (one.of_a, one.of_b, one.difference) == (5.0, 5.0, 0.0)
    assert one.strongest(3).tolist() == [0]
    assert one.strongest(3, for_b=True).tolist() == [1]
    assert one.share_of(np.array([0])) == 1.0
    # Each class divided by the maximum of its map, 5 here for both.
    halves = contributions(found, weights, 0, 1, place, divided=True)
    np.testing.assert_allclose(halves.values, np.array([2.0, -2.0, 0.0]) / 5)
    assert table_rows([("FC1", one)], [1]) == [[1, 2.0, 1.0, 2.0, -2.0]]


@pytest.mark.parametrize("divided", [False, True])
@pytest.mark.parametrize("views", [1, 2])
def test_contributions_sum_to_the_difference_of_the_maps(divided: bool, views: int) -> None:
    """With weights above 0 no ReLU cuts anything, so the maps are linear and their values must come out exactly."""
    found, weights = features(views), rows(low=0.05)
    maps = maps_from_features(found, weights, [0, 1, 2])
    for column, row in ((0, 0), (13, 7), (31, 23)):
        place = pixel(column, row)
        one = contributions(found, weights, 2, 0, place, divided=divided)
        assert one.difference == pytest.approx(one.of_a - one.of_b)
        assert (difference_map(found, one) * place).sum() == pytest.approx(one.difference, abs=1e-5)
        if divided:
            shown = full_size(maps)[[2, 0], row, column] / 255
            np.testing.assert_allclose([one.of_a, one.of_b], shown, atol=1.5 / 255)


def test_a_class_without_any_activation_is_not_divided() -> None:
    weights = torch.stack([-torch.ones(5), torch.ones(5)])
    one = contributions(features(), weights, 0, 1, pixel(5, 5), divided=True)
    assert one.maximum_a == 1
    assert one.of_a == pytest.approx(-one.activation.sum())


def test_a_place_is_the_mean_of_its_pixels() -> None:
    pixels = np.zeros(SIZE, dtype=bool)
    pixels[3:9, 10:17] = True
    place = place_weights(SIZE, pixels)
    assert place.sum() == pytest.approx(1)
    maps = ActivationMaps(
        "x", SIZE, np.array([0]), np.random.default_rng(0).integers(0, 256, (1, *grid_size(SIZE)), np.uint8)
    )
    assert (maps.activations[0] * place).sum() == pytest.approx(full_size(maps)[0][pixels].mean(), abs=0.5)
    # Of the features, too: the mean of those of its pixels.
    found = features()
    each = [features_at(found, pixel(x, y)) for y, x in np.argwhere(pixels).tolist()]
    np.testing.assert_allclose(features_at(found, place), np.mean(each, axis=0), atol=1e-6)


def test_the_mirror_image_is_turned_back() -> None:
    """A channel that fires at the left alone fires there alone, with its mirror image along."""
    plain = torch.zeros(1, 1, 6, 8)
    plain[..., 0] = 1
    found = PictureFeatures(SIZE, (torch.cat([plain, plain.flip(-1)]),), torch.zeros(1))
    assert features_at(found, pixel(0, 5))[0] == pytest.approx(1)
    assert features_at(found, pixel(31, 5))[0] == pytest.approx(0)
    shown = full_size(channel_map(found, 0))[0]
    assert shown[:, 0].min() == 255
    assert shown[:, -1].max() == 0


def test_rules_of_probabilities_compare_logits_of_fc2() -> None:
    fc1, fc2 = rows(), torch.cat([rows(seed=2), rows(seed=3)[:1]])
    weights, divided = map_rows(map_weights("softmax", fc1, fc2))
    assert not divided
    torch.testing.assert_close(weights, fc2[:3])
    weights, divided = map_rows(map_weights("sum", fc1, fc2))
    assert divided
    torch.testing.assert_close(weights, fc1 + fc2[:3])


def test_bad_questions_get_sentences() -> None:
    found = features()
    with pytest.raises(UserError, match="outside this picture"):
        one_pixel(SIZE, 32, 0)
    with pytest.raises(UserError, match="no pixel"):
        place_weights(SIZE, np.zeros(SIZE, dtype=bool))
    with pytest.raises(UserError, match="24"):
        place_weights(SIZE, np.ones((3, 3), dtype=bool))
    for a, b in ((1, 1), (0, 3), (-1, 0)):
        with pytest.raises(UserError, match="two different classes"):
            contributions(found, rows(), a, b, pixel(0, 0))
    with pytest.raises(UserError, match="no channel 5"):
        channel_map(found, 5)


# The words -----------------------------------------------------------------------------------------------------------


def answer(title: str, given: int, difference: float) -> Answer:
    """Two channels: one for A, one for B, and so much more for A than for B."""
    found = PictureFeatures((4, 4), (torch.tensor([1.0, 1.0]).reshape(1, 2, 1, 1),), torch.zeros(2))
    weights = torch.tensor([[0.5 + difference, 0.0], [0.0, 0.5]])
    return Answer(title, given, contributions(found, weights, 0, 1, place_weights((4, 4), one_pixel((4, 4), 0, 0))))


def test_the_sentence_names_classes_numbers_and_channels() -> None:
    words = why_sentence([answer("BCE-CAM", 1, 0.25), answer("ReCAM", 2, -0.25)], 0, 1, 2, CLASSES)
    assert words == (
        "BCE-CAM calls this “rails” (it is car): rails has 0.75 of its map's maximum here, car 0.50, since channel 0 "
        "speaks most for it (100% of all that does). ReCAM calls this “car” (right): car has 0.50 of its map's maximum "
        "here, rails 0.25, since channel 1 speaks most for it (100% of all that does)."
    )
    assert "as well" in why_sentence([answer("BCE-CAM", 1, 0.2), answer("ReCAM", 1, 0.1)], 0, 1, 2, CLASSES)
    # Without ground truth nobody says what is right.
    assert "right" not in why_sentence([answer("BCE-CAM", 1, 0.2)], 0, 1, None, CLASSES)


def test_the_question_that_a_pixel_asks() -> None:
    levels = np.array([10, 90, 200], dtype=np.uint8)[:, None, None] * np.ones((1, 6, 8), dtype=np.uint8)
    maps = ActivationMaps("x", SIZE, np.arange(3), levels)
    assert proposed_classes(maps, 3, 1, 4, 4, CLASSES) == (2, 0)
    # Right, or unknown: against the next one.
    assert proposed_classes(maps, 3, 3, 4, 4, CLASSES) == (2, 1)
    assert proposed_classes(maps, 3, None, 4, 4, CLASSES) == (2, 1)
    assert proposed_classes(maps, 3, VOID, 4, 4, CLASSES) == (2, 1)
    # Given to the background: the class that came nearest.
    assert proposed_classes(maps, 0, 0, 4, 4, CLASSES) == (2, 1)
    # A single class in the picture: any other one.
    single = ActivationMaps("x", SIZE, np.array([0]), levels[:1])
    assert proposed_classes(single, 1, 1, 4, 4, CLASSES) == (0, 1)


# Where to ask ---------------------------------------------------------------------------------------------------------


def test_wrong_regions_hang_together_and_come_by_size() -> None:
    mask = np.ones((20, 20), dtype=np.uint8)
    mask[:, 10:] = 2
    mask[19] = VOID
    seeds = mask.copy()
    seeds[2:8, 2:8] = 3  # 36 pixels of 1 taken for 3
    seeds[12:14, 2:6] = 3  # 8 more, apart
    seeds[0:5, 12:20] = 1  # 40 pixels of 2 taken for 1
    seeds[19] = 3  # void counts for nothing
    found = wrong_regions(seeds, mask, has_background=False)
    assert [(one.truth, one.taken_for, one.pixels) for one in found] == [(2, 1, 40), (1, 3, 36)]
    assert 3 <= found[1].column <= 6
    assert 3 <= found[1].row <= 6
    assert all(seeds[one.row, one.column] == one.taken_for != mask[one.row, one.column] for one in found)
    small = wrong_regions(seeds, mask, has_background=False, least=1)
    assert [one.pixels for one in small] == [40, 36, 8]
    assert [one.pixels for one in wrong_regions(seeds, mask, False, truth=1)] == [36]
    assert wrong_regions(seeds, mask, False, truth=1, taken_for=2) == []
    # What a second method has right comes first.
    after = seeds.copy()
    after[2:8, 2:8] = 1
    first = wrong_regions(seeds, mask, has_background=False, after=after)[0]
    assert (first.pixels, first.right_after) == (36, 36)


def test_wrong_regions_find_small_ones_where_there_are_no_others() -> None:
    mask = np.ones((6, 6), dtype=np.uint8)
    seeds = mask.copy()
    seeds[0, 0] = 2
    assert [one.pixels for one in wrong_regions(seeds, mask, has_background=True)] == [1]
    assert wrong_regions(mask, mask, has_background=True) == []
    # A region that reaches the edge has its deepest pixel inside the picture.
    seeds[:] = 2
    (whole,) = wrong_regions(seeds, mask, has_background=True)
    assert {whole.column, whole.row} <= {2, 3}
    with pytest.raises(UserError, match="another size"):
        wrong_regions(seeds, mask[1:], has_background=True)
