"""Pictures made from maps and masks."""

import itertools

import numpy as np
import pytest

from recam_core.data.sample import VOID
from recam_core.data.upload import fit_mask, fit_photo
from recam_core.views.colours import (
    COLOUR_MAPS,
    blend,
    class_colours,
    colour_bar,
    colour_table,
    colourise,
    heat_overlay,
    muted,
)
from recam_core.views.figure_cells import seed_overlay
from recam_core.views.marks import PATTERNS, draw_marks, outline, swatch
from recam_core.views.pictures import data_url, encode, enlarge_levels, enlarge_photo, screen_factor, thumbnail
from recam_core.views.pixel_kinds import (
    ALL_ERRORS,
    ALONE_CLAIMS,
    ALONE_LEAVES,
    BOTH_WRONG,
    CLASS_ERRORS,
    DISAGREEMENTS,
    DISPUTED,
    FALSE_ON_BACKGROUND,
    FALSE_ON_CLASS,
    LOST,
    LOST_TO_BACKGROUND,
    LOST_TO_CLASS,
    TAKEN_BACK,
    TAKEN_BACK_MARKS,
    TRUE_POSITIVE,
    UNSCORED,
    disagreement_codes,
    error_codes,
    error_marks,
)
from taken_back_reference import taken_back_codes


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", COLOUR_MAPS)
def test_colour_tables_have_a_colour_for_each_value(name: str) -> None:
    table = colour_table(name)
    assert table.shape == (256, 3)
    assert table.dtype == np.uint8
    assert not np.array_equal(table[0], table[255])
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(colourise(levels, name).reshape(256, 3), table)


def test_grey_is_the_value_itself() -> None:
    np.testing.assert_array_equal(colour_table("grey"), np.repeat(np.arange(256)[:, None], 3, axis=1))


def test_blend_ends_are_exact_and_the_middle_is_the_mean(picture: np.ndarray) -> None:
    other = picture[::-1].copy()
    np.testing.assert_array_equal(blend(picture, other, 0.0), picture)
    np.testing.assert_array_equal(blend(picture, other, 1.0), other)
    mean = (picture.astype(int) + other) / 2
    assert np.abs(blend(picture, other, 0.5) - mean).max() <= 0.5
    alpha = np.zeros(picture.shape[:2])
    alpha[3, 4] = 1.0
    mixed = blend(picture, other, alpha)
    np.testing.assert_array_equal(mixed[3, 4], other[3, 4])
    np.testing.assert_array_equal(mixed[0], picture[0])


def test_muted_is_quieter(picture: np.ndarray) -> None:
    assert muted(picture).std() < picture.std()
    np.testing.assert_array_equal(muted(picture, colour=1.0, light=0.0), picture)


def test_heat_overlay_shows_one_colour_for_one_activation(picture: np.ndarray) -> None:
    levels = np.full(picture.shape[:2], 77, dtype=np.uint8)
    heat = heat_overlay(picture, levels, "turbo", opacity=1.0)
    assert np.all(heat == colour_table("turbo")[77])
    np.testing.assert_array_equal(heat_overlay(picture, levels, "turbo", opacity=0.0), picture)
    np.testing.assert_array_equal(colour_bar("grey", 256, 2)[0, :, 0], np.arange(256))


def naive_error(seed: int, truth: int, k: int | None) -> int:
    """One pixel, by the words of the legend."""
    if k is None:
        if truth == VOID:
            return UNSCORED
        if truth == 0:
            return FALSE_ON_BACKGROUND if seed else 0
        if seed == truth:
            return TRUE_POSITIVE
        return FALSE_ON_CLASS if seed else LOST_TO_BACKGROUND
    own = k + 1
    if seed == own:
        if truth == VOID:
            return UNSCORED
        if truth == own:
            return TRUE_POSITIVE
        return FALSE_ON_CLASS if truth else FALSE_ON_BACKGROUND
    if truth == own:
        return LOST_TO_CLASS if seed else LOST_TO_BACKGROUND
    return 0


@pytest.mark.parametrize("k", [None, 0, 1, 2])
def test_error_codes_follow_the_definitions_pixel_by_pixel(k: int | None) -> None:
    pairs = list(itertools.product([0, 1, 2, 3], [0, 1, 2, 3, VOID]))
    seeds = np.array([[seed for seed, _ in pairs]], dtype=np.uint8)
    mask = np.array([[truth for _, truth in pairs]], dtype=np.uint8)
    expected = [naive_error(seed, truth, k) for seed, truth in pairs]
    assert error_codes(seeds, mask, k)[0].tolist() == expected


def test_every_error_has_its_own_colour_and_its_own_pattern() -> None:
    scored = [mark for mark in CLASS_ERRORS if mark.code != UNSCORED]
    assert len({mark.colour for mark in scored}) == len(scored)
    assert len({mark.pattern for mark in scored}) == len(scored)
    inks = [PATTERNS[mark.pattern]((48, 48)) for mark in scored]
    for one, other in itertools.combinations(inks, 2):
        assert np.mean(one != other) > 0.1
    # The overlay draws both legends by the codes of the longer one, so they must not contradict each other.
    by_code = {mark.code: mark for mark in CLASS_ERRORS}
    for mark in ALL_ERRORS:
        assert (mark.colour, mark.pattern) == (by_code[mark.code].colour, by_code[mark.code].pattern)


def test_what_is_taken_back_and_lost_is_told_from_errors_by_colour_and_pattern() -> None:
    wrong = [mark for mark in CLASS_ERRORS if mark.code not in (TRUE_POSITIVE, UNSCORED)]
    assert len({mark.colour for mark in (*wrong, *TAKEN_BACK_MARKS)}) == len(wrong) + len(TAKEN_BACK_MARKS)
    assert len({mark.pattern for mark in TAKEN_BACK_MARKS}) == len(TAKEN_BACK_MARKS)


def test_a_set_without_background_has_no_mark_for_it() -> None:
    assert FALSE_ON_BACKGROUND not in {mark.code for mark in error_marks(None, has_background=False)}
    assert FALSE_ON_BACKGROUND in {mark.code for mark in error_marks(3, has_background=True)}


def test_marks_leave_unmarked_pixels_alone_but_for_the_muting(picture: np.ndarray) -> None:
    codes = np.zeros(picture.shape[:2], dtype=np.uint8)
    plain = draw_marks(picture, codes, CLASS_ERRORS, 0.8)
    assert plain.std() < picture.std()
    np.testing.assert_array_equal(draw_marks(picture, codes, CLASS_ERRORS, 0.0), picture)
    codes[10:30, 10:50] = FALSE_ON_CLASS
    drawn = draw_marks(picture, codes, CLASS_ERRORS)
    changed = (drawn != plain).any(axis=2)
    assert not changed[codes == 0].any()
    assert changed[codes != 0].mean() > 0.95


@pytest.mark.parametrize("mark", [*CLASS_ERRORS, *DISAGREEMENTS], ids=lambda mark: mark.name)
def test_swatches_show_their_colour(mark) -> None:
    sample = swatch(mark)
    assert sample.shape == (24, 36, 3)
    assert (sample == mark.colour).all(axis=2).any()


def test_disagreement_tells_the_lone_method_from_the_others() -> None:
    #                  agree  A alone  all but A  B differs  all differ
    a = np.array([[1, 2, 0, 1, 1]], dtype=np.uint8)
    b = np.array([[1, 0, 1, 2, 2]], dtype=np.uint8)
    c = np.array([[1, 0, 1, 1, 0]], dtype=np.uint8)
    assert disagreement_codes([a, b, c], own=0)[0].tolist() == [0, ALONE_CLAIMS, ALONE_LEAVES, DISPUTED, ALONE_CLAIMS]
    assert disagreement_codes([a, b, c], own=2)[0].tolist() == [0, DISPUTED, DISPUTED, DISPUTED, ALONE_LEAVES]
    # Asked about class 0 alone, the second pixel's dispute over class 1 is none.
    assert disagreement_codes([a, b, c], own=0, class_index=0)[0].tolist()[:2] == [0, 0]


def test_one_method_alone_never_disagrees() -> None:
    seeds = np.array([[0, 1, 2]], dtype=np.uint8)
    assert not disagreement_codes([seeds], own=0).any()


def test_seed_overlay_colours_classes_and_can_show_one(picture: np.ndarray) -> None:
    seeds = np.zeros(picture.shape[:2], dtype=np.uint8)
    seeds[:20], seeds[20:30] = 1, 2
    both = seed_overlay(picture, seeds, 5, opacity=1.0)
    np.testing.assert_array_equal(both[10, 30], class_colours(5)[1])
    np.testing.assert_array_equal(both[25, 30], class_colours(5)[2])
    one = seed_overlay(picture, seeds, 5, opacity=1.0, class_index=0)
    np.testing.assert_array_equal(one[10, 30], class_colours(5)[1])
    assert not np.array_equal(one[25, 30], class_colours(5)[2])


@pytest.mark.parametrize("count", [1, 14, 80])
def test_class_colours_are_all_different(count: int) -> None:
    assert len(np.unique(class_colours(count), axis=0)) == count + 1


def test_outline_is_where_neighbours_differ() -> None:
    codes = np.zeros((6, 6), dtype=np.uint8)
    codes[2:4, 2:4] = 7
    edge = outline(codes)
    expected = np.zeros((6, 6), dtype=bool)
    expected[1:5, 2:4] = expected[2:4, 1:5] = True
    np.testing.assert_array_equal(edge, expected)
    assert not outline(np.ones((1, 1), dtype=np.uint8)).any()


def test_enlarging_keeps_codes_whole_and_pictures_smooth(picture: np.ndarray) -> None:
    factor = screen_factor(picture.shape[:2])
    assert factor == 12
    assert screen_factor((3000, 2000)) == 1
    codes = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert enlarge_photo(picture, 2).shape == (80, 120, 3)
    assert enlarge_levels(codes, 3).shape == (6, 9)
    assert enlarge_photo(picture, 1) is picture


def test_thumbnails_are_square(picture: np.ndarray) -> None:
    assert thumbnail(picture, 32).shape == (32, 32, 3)
    assert thumbnail(np.zeros((1, 9, 3), dtype=np.uint8), 8).shape == (8, 8, 3)


def test_encoded_pictures_can_be_read_back(picture: np.ndarray) -> None:
    from recam_core.data.image_io import read_photo

    np.testing.assert_array_equal(read_photo(encode(picture)).image, picture)
    assert read_photo(encode(picture, "jpeg")).image.shape == picture.shape
    assert data_url(picture).startswith("data:image/png;base64,")


def test_large_photos_and_their_masks_shrink_alike() -> None:
    photo = np.zeros((300, 401, 3), dtype=np.uint8)
    mask = np.zeros((300, 401), dtype=np.uint8)
    mask[:, 200:] = 9
    assert fit_photo(photo, 100).shape[:2] == fit_mask(mask, 100).shape == (75, 100)
    assert set(np.unique(fit_mask(mask, 100))) == {0, 9}
    assert fit_photo(photo, 401) is photo
    assert fit_mask(mask, 500) is mask


@pytest.mark.parametrize("has_background", [True, False])
def test_codes_of_what_is_taken_back_say_what_they_mean(has_background: bool) -> None:
    rng = np.random.default_rng(5)
    before, after = rng.integers(0, 4, (2, 12, 15), dtype=np.uint8)
    mask = rng.choice(np.array([0, 1, 2, 3, 255], dtype=np.uint8), (12, 15))
    for k in (None, 1):
        codes = taken_back_codes(before, after, mask, has_background, k)
        seen = set()
        for y, x in np.ndindex(mask.shape):
            truth = int(mask[y, x])
            scored = truth != 255 and (truth != 0 or has_background)
            was, now = (
                scored and (seeds[y, x] != truth if k is None else (seeds[y, x] == k + 1) != (truth == k + 1))
                for seeds in (before, after)
            )
            wanted = BOTH_WRONG if was and now else TAKEN_BACK if was else LOST if now else 0
            assert codes[y, x] == wanted
            seen.add(wanted)
        assert seen == {0, TAKEN_BACK, LOST, BOTH_WRONG}
