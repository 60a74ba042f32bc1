"""A report, a figure and a page in a real browser without a network: they show all they hold and ask for nothing."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from recam_core.cli.main import main
from recam_core.data.sample import ClassList
from recam_core.folders import shipped_folder
from recam_core.maps.activation_maps import ActivationMaps, argmax_and_activation, seed_mask
from recam_core.report.picture_page import picture_page
from recam_core.scores.scores import picture_scores
from recam_core.views.figure_cells import FigurePane, FigureRow
from recam_core.views.figure_comparison import comparison_figure
from recam_core.views.figure_style import FigureStyle
from recam_core.views.figure_text import figure_bytes
from viewer_browser import drawn, exact, view_of, view_when
from viewer_cases import METHODS, case


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the shipped methods on the shipped maps, made by the command line."""
    out = tmp_path_factory.mktemp("report") / "report.html"
    runs = [str(shipped_folder() / "scenes" / name) for name in ("bce", "recam")]
    options = ["--pictures", "2", "--bootstrap", "100", "--limit", "60"]
    assert main(["report", "scenes@val", "--runs", *runs, "--out", str(out), *options]) == 0
    return out


def opened(page: Page, file: Path) -> list[str]:
    """Open a file without a network; the addresses that were asked for besides."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.context.set_offline(True)
    page.goto(file.as_uri())
    page.wait_for_load_state("load")
    return [address for address in asked if address != file.as_uri() and not address.startswith("data:")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_opens_offline(report: Path, new_page: Callable[..., Page], scheme: str) -> None:
    page = new_page(1300, 900, scheme)
    assert opened(page, report) == []
    assert page.get_by_role("heading", name="BCE-CAM and ReCAM on scenes@val").is_visible()
    pictures = page.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert len(pictures) > 20
    assert all(width > 1 for width in pictures)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    page.get_by_role("link", name="Settings").click()
    assert page.locator("#settings h2").is_visible()
    # One matrix a method, and one for each difference to the first.
    assert page.locator("#confusions .chart .heatmaplayer image").count() == 3
    charts = page.locator(".chart")
    assert charts.count() == 9
    assert page.locator(".chart svg.main-svg").count() >= 9
    text = page.locator("#classes .chart text.legendtext").first
    assert (
        text.evaluate("e => getComputedStyle(e).fill")
        == {"light": "rgb(28, 37, 40)", "dark": "rgb(230, 236, 236)"}[scheme]
    )
    with page.expect_download() as download:
        page.get_by_role("link", name="scores.csv").click()
    assert "ReCAM" in Path(download.value.path()).read_text(encoding="utf-8-sig")


def test_charts_of_a_report_follow_the_light_and_answer_the_pointer(
    report: Path, new_page: Callable[..., Page], console_errors: list[str]
) -> None:
    page = new_page(1300, 900)
    assert opened(page, report) == []
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.charts === 'dark'")
    text = page.locator("#classes .chart text.legendtext").first
    expect(text).to_have_css("fill", "rgb(230, 236, 236)")
    point = page.locator("#pairs .chart .points path").first
    point.scroll_into_view_if_needed()
    point.hover(force=True)
    expect(page.locator("#pairs .hoverlayer")).to_contain_text("pictures with both")
    image = page.locator("#pairs .modebar-btn[data-title*='PNG' i]")
    with page.expect_download() as download:
        image.click()
    assert download.value.suggested_filename.endswith(".png")
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")
    assert console_errors == []


def test_a_report_fits_a_narrow_window_and_paper(report: Path, new_page: Callable[..., Page]) -> None:
    page = new_page(380, 800)
    assert opened(page, report) == []
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 380
    assert page.pdf(print_background=True).startswith(b"%PDF")


def test_a_figure_opens_offline(tmp_path: Path, new_page: Callable[..., Page]) -> None:
    rng = np.random.default_rng(0)
    maps = ActivationMaps("one", (40, 60), np.array([0]), rng.integers(0, 256, (1, 10, 15), dtype=np.uint8))
    row = FigureRow(np.full((40, 60, 3), 90, np.uint8), None, (FigurePane("A & <B>", maps, 0.5),), "contour")
    file = tmp_path / "figure.svg"
    file.write_bytes(figure_bytes(comparison_figure([row], ClassList(("cat",)), FigureStyle(title="Cats")), "svg"))
    page = new_page(900, 700)
    assert opened(page, file) == []
    assert page.evaluate("[...document.querySelectorAll('text')].map(text => text.textContent)")[0] == "Cats"
    assert page.evaluate("[...document.querySelectorAll('text')].some(text => text.textContent === 'A & <B>')")


# A page with the viewer -----------------------------------------------------------------------------------------------

HOSTILE = "</script></template><img src=x onerror=alert(1)> & <b>"


def open_page(page: Page, folder: Path, **texts: str) -> Locator:
    """The viewer of a page on a scene, opened from the disk; nothing but the file was asked for."""
    file = folder / "a page.html"
    texts = {"title": "A scene", "sentence": "ReCAM takes back the sky.", "about": "of scenes@val"} | texts
    file.write_bytes(picture_page(case("scene0").payload(), {"overlay": "taken"}, **texts))
    assert opened(page, file) == []
    root = page.locator(".viewer[data-ready]")
    expect(root).to_be_attached()
    return root


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_works_from_the_disk(tmp_path: Path, new_page: Callable[..., Page], scheme: str) -> None:
    page, asked, shown = new_page(1280, 720, scheme), [], case("scene0")
    page.on("request", lambda request: asked.append(request.url))
    root = open_page(page, tmp_path)
    assert (page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(252, 252, 250)") == (
        scheme == "light"
    )
    assert page.get_by_role("heading", name="A scene").is_visible()
    assert page.get_by_text("ReCAM takes back the sky.").is_visible()
    assert page.locator(".pane-head strong").all_inner_texts() == [title for _, title, _ in METHODS]

    pictures = []
    exact(root)
    for name in ("Errors", "Taken back", "Heat", "Contour", "Seeds", "Disagreement"):
        page.get_by_role("button", name=name, exact=True).click()
        view_when(root, f"view.overlay === '{name.split()[0].lower()}'")
        root.evaluate("root => root.viewer.draw()")
        pictures.append(drawn(root)["recam"].tobytes())
    assert len(set(pictures)) == 6, "two overlays look the same"

    # The slider: another threshold for all, other scores, and those of the library.
    page.get_by_role("button", name="Errors", exact=True).click()
    score = page.locator(".pane").last.locator(".scores .figure").first
    before = score.inner_text()
    slider = page.get_by_role("slider", name="One threshold for all methods")
    slider.fill("0.6")
    expect(score).not_to_have_text(before)
    assert view_of(root)["threshold"] == 0.6
    seeds = seed_mask(*argmax_and_activation(shown.maps[-1]), 0.6)
    assert score.inner_text() == f"{100 * picture_scores(seeds, shown.mask, shown.classes).iou:.1f}%"

    # The probe: what each method finds in a pixel, pinned by a click.
    page.locator(".frame").first.click(position={"x": 60, "y": 60})
    assert view_when(root, "view.pin !== null")["pin"]
    expect(page.locator(".probe").first).to_be_visible()
    expect(page.locator(".place")).to_contain_text("Pinned at column")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys and gestures")).to_be_visible()
    assert [address for address in asked if not address.startswith(("file:", "data:"))] == []


def test_names_in_a_page_are_text(tmp_path: Path, page: Page) -> None:
    open_page(page, tmp_path, title=HOSTILE, sentence=HOSTILE, about=HOSTILE)
    assert page.locator("h1").inner_text() == HOSTILE
    assert page.title() == HOSTILE
    assert page.locator(".sentence").inner_text() == HOSTILE
    # Outside the viewer, whose legend has pictures.
    assert page.evaluate("document.querySelectorAll('main img, main b').length") == 0


def test_a_page_lets_nothing_in(tmp_path: Path, page: Page, console_errors: list[str]) -> None:
    open_page(page, tmp_path)
    page.context.set_offline(False)
    page.evaluate("fetch('http://127.0.0.1:9/').catch(() => {})")
    page.wait_for_timeout(200)
    assert console_errors
    assert all("Content Security Policy" in error for error in console_errors)
    console_errors.clear()


def test_a_page_fits_a_phone(tmp_path: Path, new_page: Callable[..., Page]) -> None:
    page = new_page(390, 844)
    open_page(page, tmp_path)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 390
    expect(page.locator(".divider")).to_be_visible()
