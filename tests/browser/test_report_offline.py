"""A report and a figure in a real browser without a network: they show all they hold and ask for nothing."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page

from recam_core.checkpoint.places import shipped_folder
from recam_core.cli.main import main
from recam_core.data.sample import ClassList
from recam_core.maps.activation_maps import ActivationMaps
from recam_core.views.figure_cells import FigurePane, FigureRow
from recam_core.views.figure_comparison import comparison_figure
from recam_core.views.figure_file import figure_bytes
from recam_core.views.figure_style import FigureStyle


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
    assert page.locator("svg.matrix image").count() == 3
    with page.expect_download() as download:
        page.get_by_role("link", name="scores.csv").click()
    assert "ReCAM" in Path(download.value.path()).read_text(encoding="utf-8-sig")


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
