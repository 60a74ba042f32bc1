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
from recam_core.checkpoint.run_folder import read_info
from recam_core.folders import shipped_folder, shipped_maps_folder
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


def marks(page: Page, chart: str) -> Locator:
    """The marks of a chart that can be pressed: one a point, in the order of its data."""
    return page.locator(f".st-key-confusions_{chart} .points path.point")


def still(page: Page, mark: Locator) -> dict[str, float]:
    """Where a mark is, in the middle of the window, once the page no longer moves."""
    mark.evaluate("mark => mark.scrollIntoView({ block: 'center', behavior: 'instant' })")
    box, before = mark.bounding_box(), None
    while box != before:
        page.wait_for_timeout(400)
        box, before = mark.bounding_box(), box
    return box


def press(page: Page, mark: Locator) -> None:
    """Press a mark where it is drawn: what hears it is a layer over all marks."""
    box = still(page, mark)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def press_cell(page: Page, truth: str, predicted: str) -> None:
    """Press a cell of the matrix where the names beside its row and above its column meet."""
    chart = page.locator(".st-key-confusions_matrix .js-plotly-plot")
    still(page, chart)
    across, down = chart.evaluate(
        """(chart, [truth, predicted]) => {
          const { xaxis, yaxis } = chart._fullLayout, box = chart.getBoundingClientRect();
          const middle = (axis, name) => axis._offset + axis.d2p(axis.ticktext.indexOf(name));
          return [box.left + middle(xaxis, predicted), box.top + middle(yaxis, truth)];
        }""",
        [truth, predicted],
    )
    page.mouse.move(across, down)
    page.wait_for_timeout(200)  # Plotly looks at what is under the pointer ten times a second
    page.mouse.click(across, down)


def zoom_to(page: Page, names: list[str]) -> None:
    """Drag a box over the cells of the matrix between two classes, and wait until no more than they are seen."""
    chart = page.locator(".st-key-confusions_matrix .js-plotly-plot")
    still(page, chart)
    begin, end, columns = chart.evaluate(
        """(chart, names) => {
          const { xaxis, yaxis } = chart._fullLayout, box = chart.getBoundingClientRect();
          const ends = (axis) => names.map((name) => axis.ticktext.indexOf(name)).sort((a, b) => a - b);
          const [left, right] = ends(xaxis), [top, bottom] = ends(yaxis);
          const at = (x, y) => [box.left + xaxis._offset + xaxis.d2p(x), box.top + yaxis._offset + yaxis.d2p(y)];
          return [at(left - 0.4, top - 0.4), at(right + 0.4, bottom + 0.4), right - left + 1];
        }""",
        names,
    )
    page.mouse.move(*begin)
    page.mouse.down()
    page.mouse.move(*end, steps=4)
    page.mouse.up()
    expect(chart.locator(".xtick")).to_have_count(columns)


def seen_part(page: Page) -> list[list[float]]:
    """From where to where the matrix is seen, across and down."""
    chart = page.locator(".st-key-confusions_matrix .js-plotly-plot")
    return chart.evaluate("({ _fullLayout: { xaxis, yaxis } }) => [xaxis.range, yaxis.range]")


def take_lasso(page: Page, chart: str) -> None:
    """Choose the lasso in the bar of a chart, which shows under the pointer."""
    whole = page.locator(f".st-key-confusions_{chart} .stPlotlyChart")
    still(page, whole)
    whole.hover()
    whole.locator(".modebar-btn[data-title*='Lasso']").click()


def draw_around(page: Page, chart: str, points: list[Locator]) -> None:
    """Draw a lasso around points of a chart, a little wider than they are."""
    still(page, page.locator(f".st-key-confusions_{chart}"))
    boxes = [point.bounding_box() for point in points]
    left, top = (min(box[side] for box in boxes) - 12 for side in ("x", "y"))
    right = max(box["x"] + box["width"] for box in boxes) + 12
    bottom = max(box["y"] + box["height"] for box in boxes) + 12
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top)):
        page.mouse.move(x, y, steps=8)
    page.mouse.up()


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
    press_cell(page, "cat", "dog")
    heading(page, "Cat taken for dog")
    picture, pixels = worst("recam", "cat", "dog")
    expect(first_picture(page)).to_contain_text(f"{pixels:,} px")
    assert "data:image/jpeg" in first_picture(page).evaluate("e => getComputedStyle(e).backgroundImage")
    expect(page).to_have_url(re.compile("cell="))

    # A second press on the same cell counts, after something else was chosen in the lists.
    page.locator(".st-key-confusions_wider_row button").first.click()
    heading(page, "False negatives of cat")
    press_cell(page, "cat", "dog")
    heading(page, "Cat taken for dog")

    # The matrix, which is drawn anew with each press, keeps its zoom.
    whole = seen_part(page)
    zoom_to(page, ["cat", "dog"])
    part = seen_part(page)
    chart = page.locator(".st-key-confusions_matrix .js-plotly-plot")
    for truth, predicted in (("dog", "cat"), ("cat", "dog")):
        chart.evaluate("chart => { chart.dataset.before = 'yes'; }")
        press_cell(page, truth, predicted)
        heading(page, f"{truth.capitalize()} taken for {predicted}")
        expect(page.locator(".st-key-confusions_matrix [data-before=yes]")).to_have_count(0)
        page.wait_for_function(
            """([selector, part]) => {
              const layout = document.querySelector(selector)?._fullLayout;
              return layout && JSON.stringify([layout.xaxis.range, layout.yaxis.range]) === JSON.stringify(part);
            }""",
            arg=[".st-key-confusions_matrix .js-plotly-plot", part],
        )
    assert part != whole

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
    points = marks(page, "pairs_chart")
    expect(points.first).to_be_attached()
    title = page.get_by_role("heading", name="taken for").inner_text()
    press(page, points.nth(3))
    expect(page.get_by_role("heading", name="taken for")).not_to_have_text(title)
    wait_until_finished(page)

    section("Classes")
    press(page, marks(page, "gain_chart").first)
    expect(page.get_by_role("heading", name="False negatives of")).to_be_visible()
    wait_until_finished(page)
    press(page, marks(page, "iou_chart").nth(5))
    expect(page.get_by_role("heading", name="False negatives of")).to_be_visible()
    wait_until_finished(page)
    # A flow: its band tells what it is, and the square at its end shows its pixels.
    band = page.locator(".st-key-confusions_flow_0 .sankey-link").first
    box = band.bounding_box()
    page.mouse.move(box["x"] + 3, box["y"] + box["height"] / 2)
    expect(page.locator(".st-key-confusions_flow_0 .hoverlayer")).to_contain_text("share of the class's pixels")
    press(page, marks(page, "flow_0").first)
    expect(page.get_by_role("heading", name="rightly found")).to_be_visible()
    wait_until_finished(page)
    press(page, marks(page, "flow_1").nth(1))
    expect(page.get_by_role("heading", name="taken for")).to_be_visible()

    section("Pictures")
    expect(first_picture(page)).to_contain_text("mIoU")


def test_a_lasso_makes_a_gallery_and_a_tag(app_url: str, app_runs: Path, page: Page, console_errors: list[str]) -> None:
    open_confusions(page, app_url, console_errors, "section=pictures&as=plot")
    points = marks(page, "pictures_plot")
    expect(points.first).to_be_attached()
    expect(page.get_by_text("draw around points to see others")).to_be_visible()
    press(page, points.nth(1))
    expect(page.get_by_text("in 1 marked")).to_be_visible()
    wait_until_finished(page)
    page.locator(".st-key-confusions_pictures_clear button").first.click()
    expect(page.get_by_text("draw around points to see others")).to_be_visible()
    wait_until_finished(page)
    take_lasso(page, "pictures_plot")
    draw_around(page, "pictures_plot", [points.nth(0)])
    marked = page.get_by_text(re.compile(r"in \d+ marked"))
    expect(marked).to_be_visible()
    wait_until_finished(page)
    count = int(re.search(r"in (\d+) marked", marked.inner_text()).group(1))
    assert 1 <= count < points.count()
    whys = page.locator("[class*='st-key-confusions_gallery_pictures_'] button", has_text="Why")
    pictures = page.locator("[class*='st-key-confusions_gallery_pictures_'] button").locator("visible=true")
    assert pictures.count() - whys.locator("visible=true").count() == min(count, 12)
    # They can be kept as a tag.
    page.locator(".st-key-confusions_tag_table button").first.click()
    page.get_by_role("textbox", name="Tag").fill("near each other")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("lists all tags")).to_be_visible()
    kept = [
        entry for entry in TagBook(app_runs / "tags.sqlite").entries("scenes@val") if entry.tag == "near each other"
    ]
    assert len(kept) == count
    page.keyboard.press("Escape")
    page.locator(".st-key-confusions_pictures_clear button").first.click()
    expect(page.get_by_text("draw around points to see others")).to_be_visible()
    no_exception(page)


def test_a_lasso_around_pairs_shows_the_pictures_of_all(app_url: str, page: Page, console_errors: list[str]) -> None:
    open_confusions(page, app_url, console_errors, "section=pairs")
    points = marks(page, "pairs_chart")
    expect(points.first).to_be_attached()
    take_lasso(page, "pairs_chart")
    draw_around(page, "pairs_chart", [points.nth(0), points.nth(2)])
    expect(page.get_by_role("heading", name="pairs of classes")).to_be_visible()
    wait_until_finished(page)
    expect(first_picture(page)).to_contain_text("px")
    expect(page).to_have_url(re.compile(r"cell=\d+\.\d+(,|%2C)\d+"))
    # The list and the matrix mark what was drawn around; one cell of it is one pair again.
    choice = page.locator(".st-key-confusions_section")
    choice.get_by_role("radio", name="Matrix").or_(choice.get_by_role("button", name="Matrix")).first.click()
    wait_until_finished(page)
    heading(page, "pairs of classes")
    press_cell(page, "cat", "dog")
    heading(page, "Cat taken for dog")
    no_exception(page)


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
    expect(page.locator(".st-key-confusions_matrix .heatmaplayer image")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    words = page.locator(".st-key-confusions_matrix .ytick text").first
    expect(words).to_have_css("fill", {"light": "rgb(28, 37, 40)", "dark": "rgb(230, 236, 236)"}[scheme])
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
