"""The viewer draws and counts in the browser what recam_core computes: compared to the pixel."""

import itertools

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from contour_reference import contour_overlay
from recam_core.maps.activation_maps import argmax_and_activation, full_size, seed_mask
from recam_core.scores.scores import picture_scores
from recam_core.views.colours import heat_overlay
from recam_core.views.figure_cells import seed_overlay
from recam_core.views.marks import draw_marks
from recam_core.views.pixel_kinds import (
    BOTH_WRONG,
    DISAGREEMENTS,
    LOST,
    TAKEN_BACK,
    disagreement_codes,
    error_codes,
    error_marks,
)
from recam_core.views.viewer_payload import FILLED
from taken_back_reference import taken_back_codes, taken_back_overlay
from viewer_browser import drawn, exact, open_viewer, set_view
from viewer_cases import METHODS, PHOTOS, Case, case

KEYS = [key for key, _, _ in METHODS]
CASES = [
    "scene0",
    pytest.param("photo", marks=pytest.mark.skipif(not PHOTOS.is_dir(), reason="needs the photographs")),
]


def seeds_of(shown: Case, thresholds: list[float | None]) -> list[np.ndarray]:
    return [
        seed_mask(*argmax_and_activation(maps), threshold)
        for maps, threshold in zip(shown.maps, thresholds, strict=True)
    ]


def thresholds_of(shown: Case, cut: str, threshold: float) -> list[float | None]:
    return {"own": list(shown.thresholds), "all": [threshold] * 3, "none": [None] * 3}[cut]


def expected(
    shown: Case, overlay: str, k: int | None, thresholds: list[float | None], opacity: float, colours: str
) -> dict[str, np.ndarray]:
    """What recam_core draws in each pane."""
    seeds, pictures = seeds_of(shown, thresholds), {}
    for place, (key, maps) in enumerate(zip(KEYS, shown.maps, strict=True)):
        level = argmax_and_activation(maps)[1] if k is None else full_size(maps)[maps.classes.tolist().index(k)]
        if overlay == "errors":
            codes = error_codes(seeds[place], shown.mask, k)
            picture = draw_marks(shown.image, codes, error_marks(k, shown.classes.has_background), opacity)
        elif overlay == "taken" and place == 0:
            # The reference shows its own errors, and nothing of what it has right.
            marks = [mark for mark in error_marks(k, shown.classes.has_background) if 2 <= mark.code <= 5]
            picture = draw_marks(shown.image, error_codes(seeds[0], shown.mask, k), marks, opacity)
        elif overlay == "taken":
            codes = taken_back_codes(seeds[0], seeds[place], shown.mask, shown.classes.has_background, k)
            picture = taken_back_overlay(shown.image, codes, opacity)
        elif overlay == "disagreement":
            picture = draw_marks(shown.image, disagreement_codes(seeds, place, k), DISAGREEMENTS, opacity)
        elif overlay == "seeds":
            picture = seed_overlay(shown.image, seeds[place], len(shown.classes), opacity * FILLED, k)
        elif overlay == "heat":
            picture = heat_overlay(shown.image, level, colours, opacity * FILLED)
        else:
            picture = contour_overlay(shown.image, level, thresholds[place], colours, opacity)
        pictures[key] = picture
    return pictures


def same(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray], what: str) -> None:
    assert list(found) == list(wanted), what
    for key, picture in wanted.items():
        assert found[key].shape == picture.shape, what
        wrong = (found[key] != picture).any(axis=2)
        assert not wrong.any(), f"{what}, {key}: {wrong.sum()} pixels differ, the first at {np.argwhere(wrong)[0]}"


@pytest.fixture(params=CASES)
def opened(request: pytest.FixtureRequest, page: Page, viewer_url: str) -> tuple[Case, Locator]:
    """A picture, and the viewer that shows it with canvases of its size."""
    root = open_viewer(page, viewer_url, request.param)
    exact(root)
    return case(request.param), root


def test_every_overlay_is_drawn_as_recam_core_draws_it(opened: tuple[Case, Locator]) -> None:
    shown, root = opened
    present = shown.maps[0].classes.tolist()
    for overlay, k in itertools.product(
        ("errors", "taken", "heat", "contour", "seeds", "disagreement"), (None, present[0], present[-1])
    ):
        for cut, threshold, opacity, colours in (
            ("own", 0.25, 0.8, "viridis"),
            ("all", 0.5, 1.0, "turbo"),
            ("none", 0.5, 0.35, "grey"),
        ):
            set_view(
                root,
                overlay=overlay,
                classes=[] if k is None else [k],
                cut=cut,
                threshold=threshold,
                opacity=opacity,
                colours=colours,
            )
            wanted = expected(shown, overlay, k, thresholds_of(shown, cut, threshold), opacity, colours)
            same(drawn(root), wanted, f"{overlay} of {k} with {cut} at opacity {opacity}")


def test_small_steps_of_the_threshold_leave_nothing_behind(opened: tuple[Case, Locator]) -> None:
    """What little changes is drawn around the change; it must add up to the whole picture."""
    shown, root = opened
    k = shown.maps[0].classes.tolist()[0]
    for overlay, chosen in (("errors", k), ("taken", None), ("seeds", None), ("disagreement", None)):
        set_view(root, overlay=overlay, classes=[] if chosen is None else [chosen], cut="all", opacity=0.8)
        for threshold in (0.4, 0.41, 0.42, 0.43, 0.7, 0.69, 0.2):
            set_view(root, threshold=threshold)
            wanted = expected(shown, overlay, chosen, [threshold] * 3, 0.8, "viridis")
            same(drawn(root), wanted, f"{overlay} stepped to {threshold}")


def test_ground_truth_and_photo_are_panes_too(opened: tuple[Case, Locator]) -> None:
    shown, root = opened
    set_view(root, hidden=KEYS[1:], extra=["truth", "photo"], overlay="heat", opacity=0.8)
    panes = drawn(root)
    assert list(panes) == ["bce", "truth", "photo"]
    assert np.array_equal(panes["photo"], shown.image)
    truth = seed_overlay(shown.image, shown.mask, len(shown.classes), 0.8 * FILLED)
    same({"truth": panes["truth"]}, {"truth": truth}, "ground truth")


def test_a_legend_entry_takes_its_kind_out(opened: tuple[Case, Locator]) -> None:
    shown, root = opened
    k = shown.maps[0].classes.tolist()[0]
    set_view(root, overlay="errors", classes=[k], cut="all", threshold=0.4, opacity=0.8)
    entry = root.locator(".legend button", has_text="lost to another class")
    entry.click()
    expect(entry).to_have_attribute("aria-pressed", "false")
    root.evaluate("root => root.viewer.draw()")
    marks = [mark for mark in error_marks(k, shown.classes.has_background) if mark.name != "lost to another class"]
    seeds = seeds_of(shown, [0.4] * 3)
    wanted = {
        key: draw_marks(shown.image, error_codes(seeds[place], shown.mask, k), marks, 0.8)
        for place, key in enumerate(KEYS)
    }
    same(drawn(root), wanted, "without what is lost to another class")
    entry.press("Enter")
    expect(entry).to_have_attribute("aria-pressed", "true")


def test_scores_are_those_of_recam_core_at_every_threshold(opened: tuple[Case, Locator]) -> None:
    shown, root = opened
    for k in (None, *shown.maps[0].classes.tolist()):
        for threshold in (None, *np.linspace(0, 1, 26).round(2).tolist()):
            cut = "none" if threshold is None else "all"
            found = root.evaluate(
                """(root, fields) => {
                  const { viewer } = root;
                  viewer.change(fields);
                  return viewer.panes.filter((pane) => pane.method).map((pane) =>
                    Object.values(pane.scores(fields.classes)).map((value) => Number.isNaN(value) ? null : value));
                }""",
                {"cut": cut, "threshold": threshold or 0, "classes": [] if k is None else [k]},
            )
            for seeds, figures in zip(seeds_of(shown, [threshold] * 3), found, strict=True):
                scores = picture_scores(seeds, shown.mask, shown.classes, k)
                wanted = [scores.iou, scores.precision, scores.recall, scores.wrong_class]
                got = [np.nan if figure is None else figure for figure in figures]
                np.testing.assert_allclose(got, wanted, rtol=1e-12, err_msg=f"class {k} at {threshold}")


def test_what_is_taken_back_and_lost_is_counted_at_every_threshold(opened: tuple[Case, Locator]) -> None:
    """The figures below the panes, against the codes that are drawn, and those against a loop over pixels."""
    shown, root = opened
    mask, has_background = shown.mask, shown.classes.has_background
    scored = int(((mask != 255) & (has_background | (mask != 0))).sum())
    for k in (None, *shown.maps[0].classes.tolist()):
        for threshold in (0.1, 0.35, 0.6):
            set_view(root, overlay="taken", cut="all", threshold=threshold, classes=[] if k is None else [k])
            before, *others = seeds_of(shown, [threshold] * 3)
            for key, after in zip(KEYS[1:], others, strict=True):
                codes = taken_back_codes(before, after, mask, has_background, k)
                pane = root.locator(f'[data-pane="{key}"] .scores > div')
                for place, code, name in (
                    (1, TAKEN_BACK, "Taken back"),
                    (2, LOST, "Lost"),
                    (3, BOTH_WRONG, "Both wrong"),
                ):
                    pixels = int((codes == code).sum())
                    assert pane.nth(place).locator("dt").inner_text() == name
                    assert pane.nth(place).locator(".change").inner_text() == f"{pixels:,} px"
                    share = float(pane.nth(place).locator(".figure").inner_text().removesuffix("%"))
                    assert share == pytest.approx(100 * pixels / scored, abs=0.051)
            wrong = error_codes(before, mask, k)
            wrong = (wrong >= 2) & (wrong <= 5) & (has_background | (mask != 0))
            own = root.locator('[data-pane="bce"] .scores > div').nth(1)
            assert own.locator("dt").inner_text() == "Wrong"
            assert own.locator(".change").inner_text() == f"{int(wrong.sum()):,} px"


def test_grids_are_enlarged_to_the_last_bit(opened: tuple[Case, Locator]) -> None:
    shown, root = opened
    for place, maps in enumerate(shown.maps):
        for plane, k in zip(full_size(maps), maps.classes.tolist(), strict=True):
            found = root.evaluate(
                "(root, [place, k]) => Array.from(root.viewer.panes[place].activations(k))", [place, k]
            )
            assert np.array_equal(np.array(found, dtype=np.uint8).reshape(plane.shape), plane)


def test_several_classes_are_those_classes_and_no_others(opened: tuple[Case, Locator]) -> None:
    """Two classes picked: their pixels and what is given to them is marked, and nothing else."""
    shown, root = opened
    pair = shown.maps[0].classes.tolist()[:2]
    set_view(root, overlay="errors", classes=pair, cut="all", threshold=0.4, opacity=0.8)
    wanted, values = {}, [k + 1 for k in pair]
    for key, seeds in zip(KEYS, seeds_of(shown, [0.4] * 3), strict=True):
        codes = error_codes(seeds, shown.mask)
        codes[~(np.isin(seeds, values) | np.isin(shown.mask, values))] = 0
        wanted[key] = draw_marks(shown.image, codes, error_marks(None, shown.classes.has_background), 0.8)
    same(drawn(root), wanted, "two classes")


def test_a_zoomed_pane_shows_whole_pixels_of_the_right_place(page: Page, viewer_url: str) -> None:
    """At eight times its size, a pane is the enlarged part of the picture under marks of screen size."""
    shown = case("scene0")
    root = open_viewer(page, viewer_url, "scene0", {"cut": "all", "threshold": 0.4, "opacity": 0.8})
    set_view(root, zoom=[8, 0.4, 0.6])
    columns, rows = root.evaluate("({ viewer: { port } }) => [Array.from(port.columns), Array.from(port.rows)]")
    part = np.ix_(rows, columns)
    seen = len(set(columns))
    assert abs(seen - shown.image.shape[1] / 8) <= 1
    assert abs((columns[0] + columns[-1]) / 2 - 0.4 * shown.image.shape[1]) <= 1
    assert abs((rows[0] + rows[-1]) / 2 - 0.6 * shown.image.shape[0]) <= 1
    for overlay in ("seeds", "errors"):
        set_view(root, overlay=overlay)
        seeds = seeds_of(shown, [0.4] * 3)
        for place, key in enumerate(KEYS):
            if overlay == "seeds":
                wanted = seed_overlay(shown.image[part], seeds[place][part], len(shown.classes), 0.8 * FILLED)
            else:
                codes = error_codes(seeds[place], shown.mask)[part]
                wanted = draw_marks(shown.image[part], codes, error_marks(None, True), 0.8)
            same({key: drawn(root)[key]}, {key: wanted}, f"zoomed {overlay}")
