"""From a number of the confusion matrix to the picture behind it, in a real browser."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from recam_core.analysis.cell_index import CellIndex
from recam_core.analysis.tags import TagBook
from recam_core.checkpoint.places import shipped_folder, shipped_maps_folder
from recam_core.checkpoint.run_folder import read_info
from recam_core.maps.store import MapStore
from recam_core.scores.pixel_counts import load_counts
from streamlit_page import no_exception, open_app, wait_until_finished

pytestmark = pytest.mark.skipif(
    not (shipped_folder() / "scenes" / "recam" / "run.json").is_file() or not shipped_maps_folder().is_dir(),
    reason="needs the shipped checkpoints and maps",
)


def open_confusions(page: Page, app_url: str, console_errors: list[str], address: str = "") -> None:
    """Open the page of the drawn scenes by a link, and wait for its gallery."""
    open_app(page, f"{app_url}/confusions?family=scenes&{address}", seconds=180)
    expect(first_picture(page)).to_be_visible()
    wait_until_finished(page)
    # Streamlit asks for its own files below the address of the page first, where they are not.
    console_errors[:] = [error for error in console_errors if "404" not in error]


def cell(page: Page, truth: str, predicted: str) -> Locator:
    """A cell of the matrix, by what a screen reader is told of it."""
    return page.locator(
        f'.st-key-confusions_matrix [aria-label^="taken for: {predicted}; ground truth: {truth};"]'
    ).first


def heading(page: Page, words: str) -> None:
    expect(page.get_by_role("heading", name=words)).to_be_visible()
    wait_until_finished(page)


def first_picture(page: Page) -> Locator:
    # Streamlit draws a button with a hint twice, for fingers and for mice.
    return page.locator(".st-key-confusions_gallery_0 button").locator("visible=true").first


def worst(method: str, truth: str, predicted: str) -> tuple[str, int]:
    """The picture with most such pixels at the method's own threshold, and how many: from the shipped counts."""
    info = read_info(shipped_folder() / "scenes" / method)
    for folder in shipped_maps_folder().iterdir():
        store = MapStore(folder / "maps").info
        if store.weights_sha256 == info.weights_sha256 and store.rule == info.rule:
            counts = load_counts(folder / "counts.npz")
            values = [info.classes.index(name) + 1 for name in (truth, predicted)]
            positions, pixels = CellIndex.build(counts).pictures(*values, info.threshold)
            return counts.ids[positions[0]], int(pixels[0])
    pytest.skip(f"no maps of {method} are shipped")


def test_from_a_cell_to_the_picture_behind_it(
    app_url: str, app_runs: Path, page: Page, console_errors: list[str]
) -> None:
    open_confusions(page, app_url, console_errors)
    for title in ("BCE-CAM", "ReCAM"):
        expect(page.locator(".method-card").get_by_text(title)).to_be_visible()
    expect(page.get_by_text("Press a cell")).to_be_visible()

    # A press on a cell of the matrix shows its pictures, the worst one first, with the pixels outlined.
    cell(page, "cat", "dog").click()
    heading(page, "Cat taken for dog")
    picture, pixels = worst("recam", "cat", "dog")
    expect(first_picture(page)).to_contain_text(f"{pixels:,} px")
    assert "data:image/jpeg" in first_picture(page).evaluate("e => getComputedStyle(e).backgroundImage")
    expect(page).to_have_url(re.compile("cell="))

    # A second press on the same cell counts, after something else was chosen in the lists.
    page.locator(".st-key-confusions_wider_row button").first.click()
    heading(page, "False negatives of cat")
    cell(page, "cat", "dog").click()
    heading(page, "Cat taken for dog")

    # Another method, and what changed between two.
    page.get_by_role("radio", name="BCE-CAM").or_(page.get_by_role("button", name="BCE-CAM", exact=True)).click()
    heading(page, "Cat taken for dog")
    expect(first_picture(page)).to_contain_text(f"{worst('bce', 'cat', 'dog')[1]:,} px")
    page.get_by_role("radio", name="ReCAM").or_(page.get_by_role("button", name="ReCAM", exact=True)).click()
    wait_until_finished(page)

    # Tags are kept where the runs are.
    page.locator(".st-key-confusions_tag_cell button").first.click()
    page.get_by_role("textbox", name="Tag").fill("heads swapped")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("lists all tags")).to_be_visible()
    entries = TagBook(app_runs / "tags.sqlite").entries("scenes@val")
    assert picture in [entry.picture for entry in entries]
    assert {(entry.truth, entry.predicted) for entry in entries} == {("cat", "dog")}
    page.keyboard.press("Escape")

    # A picture opens in Explore with its two classes.
    first_picture(page).click()
    page.wait_for_url(re.compile("picture="))
    wait_until_finished(page, 180)
    expect(page).to_have_url(re.compile(f"picture={picture}"))
    expect(page).to_have_url(re.compile(r"classes=cat(,|%2C)dog"))
    no_exception(page)


def test_every_section_answers_to_a_press(app_url: str, page: Page, console_errors: list[str]) -> None:
    open_confusions(page, app_url, console_errors)

    def section(name: str) -> None:
        choice = page.locator(".st-key-confusions_section")
        choice.get_by_role("radio", name=name).or_(choice.get_by_role("button", name=name)).first.click()
        wait_until_finished(page)
        no_exception(page)

    section("Pairs")
    points = page.locator(".st-key-confusions_pairs_chart g.mark-symbol path")
    expect(points.first).to_be_attached()
    title = page.get_by_role("heading", name="taken for").inner_text()
    points.nth(3).click(force=True)
    expect(page.get_by_role("heading", name="taken for")).not_to_have_text(title)
    wait_until_finished(page)

    section("Classes")
    page.locator(".st-key-confusions_gain_chart g.mark-symbol path").nth(2).click(force=True)
    expect(page.get_by_role("heading", name="False negatives of")).to_be_visible()
    wait_until_finished(page)
    bands = page.locator(".st-key-confusions_flow_0 g.mark-area path")
    expect(bands.first).to_be_visible()
    page.locator('.st-key-confusions_flow_0 [aria-label*="kind: right"]').first.click()
    expect(page.get_by_role("heading", name="rightly found")).to_be_visible()

    section("Pictures")
    expect(first_picture(page)).to_contain_text("mIoU")


def test_a_link_restores_the_view(app_url: str, page: Page, console_errors: list[str]) -> None:
    address = "section=pairs&cell=9.7&method=scenes%2Fbce&threshold=0.5&runs=scenes%2Fbce,scenes%2Frecam"
    open_confusions(page, app_url, console_errors, address)
    heading(page, "Dog taken for cat")
    expect(page.locator(".method-card")).to_have_count(2)
    expect(page.get_by_text("threshold 0.50")).to_have_count(2)
    expect(page.get_by_text("Choose a pair")).to_be_visible()
    no_exception(page)


@pytest.mark.parametrize(
    ("name", "width", "scheme"), [("", 1400, "light"), ("-dark", 1400, "dark"), (None, 420, "light")]
)
def test_fits_the_window_in_both_lights(
    app_url: str,
    new_page: Callable[..., Page],
    console_errors: list[str],
    repo_root: Path,
    tmp_path: Path,
    name: str | None,
    width: int,
    scheme: str,
) -> None:
    page = new_page(width=width, height=1250, color_scheme=scheme)
    open_confusions(page, app_url, console_errors)
    if width < 640:
        expect(page.locator(".st-key-confusions_matrix_lists").get_by_role("button").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        return
    expect(page.locator(".st-key-confusions_matrix g.mark-rect path").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    ground = (
        page.locator(".st-key-confusions_matrix g.mark-rect path").nth(20).evaluate("e => e.getAttribute('stroke')")
    )
    assert ground == {"light": "#fcfcfa", "dark": "#12181b"}[scheme]
    if name is not None:
        _keep_screenshot(page, repo_root, tmp_path, f"confusions{name}.png")


def _keep_screenshot(page: Page, repo_root: Path, tmp_path: Path, name: str) -> None:
    """A picture of the page; ``RECAM_SCREENSHOTS=1`` puts it in place of the one in docs."""
    page.wait_for_timeout(1000)
    page.screenshot(path=tmp_path / name)
    assert (tmp_path / name).stat().st_size > 100_000
    kept = repo_root / "docs" / name
    if os.environ.get("RECAM_SCREENSHOTS") or not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        shutil.copy(tmp_path / name, kept)


def test_on_a_phone_lines_stand_in_the_place_of_cells(app_url: str, page: Page, console_errors: list[str]) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    open_confusions(page, app_url, console_errors, "less=scenes/bce")
    expect(page.locator(".st-key-confusions_matrix")).to_be_hidden()
    lists = page.locator(".st-key-confusions_matrix_lists")
    expect(lists).to_be_visible()
    line = lists.get_by_role("button").nth(1)
    assert line.bounding_box()["height"] >= 40
    truth, predicted = line.inner_text().split("points")[-1].split("→")
    line.click()
    heading(page, f"{truth.strip().capitalize()} taken for {predicted.strip()}")
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(page.locator(".st-key-confusions_matrix")).to_be_visible()
    expect(lists).to_be_hidden()
    no_exception(page)
