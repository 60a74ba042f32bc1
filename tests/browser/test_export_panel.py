"""The exports as people take them: every file that a button gives is opened."""

import json
import sys
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from app_server import free_port, running_app
from recam_core.data.mask_io import read_mask
from recam_core.data.spec import open_dataset
from streamlit_page import no_exception, open_app, wait_until_finished, wait_until_quiet

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def exports(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page of the exports."""
    url = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "streamlit", "run", str(HERE / "export_page.py")]
    command += ["--server.port", url.split(":")[-1]]
    log = tmp_path_factory.mktemp("exports") / "log"
    with running_app(command, url, log, {"PYTHONPATH": str(HERE.parent.parent)}) as app:
        yield app.url
        assert "Traceback" not in app.output(), app.output()


def dialog_of(page: Page, address: str, button: str) -> Locator:
    open_app(page, address)
    page.get_by_role("button", name=button, exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    wait_until_finished(page)
    return dialog


def taken(page: Page, dialog: Locator, name: str) -> tuple[str, bytes]:
    """The file that a button gives: its name and content."""
    wait_until_quiet(page, 1)
    with page.expect_download() as download:
        dialog.get_by_role("button", name=name).click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_a_view_that_figures_do_not_have_begins_with_errors(exports: str, page: Page) -> None:
    dialog = dialog_of(page, f"{exports}/?view={quote(json.dumps({'overlay': 'taken'}))}", "Export")
    expect(dialog.get_by_role("img", name="Preview of the figure of val_00122")).to_be_visible()
    expect(dialog.get_by_role("button", name="Errors", pressed=True)).to_be_visible()
    no_exception(page)


def test_every_file_opens(exports: str, page: Page) -> None:
    view = quote(json.dumps({"overlay": "seeds", "classes": [], "colours": "viridis", "opacity": 0.8}))
    dialog = dialog_of(page, f"{exports}/?view={view}", "Export")
    preview = dialog.get_by_role("img", name="Preview of the figure of val_00122")
    expect(preview).to_be_visible()
    sample = open_dataset("scenes@val").load(122)

    name, content = taken(page, dialog, "Figure, PNG")
    assert name == "val_00122.png"
    assert Image.open(BytesIO(content)).width == pytest.approx(174 / 25.4 * 300, abs=1)
    name, content = taken(page, dialog, "Figure, SVG")
    texts = [node.text for node in ElementTree.fromstring(content).iter("{http://www.w3.org/2000/svg}text")]
    assert {"val_00122", "Photo", "Ground truth", "BCE-CAM", "ReCAM", "cow", "horse"} <= set(texts)
    name, content = taken(page, dialog, "Figure, PDF")
    assert content.startswith(b"%PDF")
    assert content.rstrip().endswith(b"%%EOF")

    name, content = taken(page, dialog, "Maps, NPZ")
    assert name == "val_00122-maps.npz"
    with np.load(BytesIO(content), allow_pickle=False) as maps:
        assert maps["methods"].tolist() == ["BCE-CAM", "ReCAM"]
        assert np.array_equal(maps["image"], sample.image)
        seeds = maps["seeds"]
    name, content = taken(page, dialog, "Masks, indexed PNG")
    with zipfile.ZipFile(BytesIO(content)) as archive:
        assert np.array_equal(read_mask(archive.read("ground_truth.png")), sample.mask)
        assert np.array_equal(read_mask(archive.read("ReCAM.png")), seeds[1])
    name, content = taken(page, dialog, "Scores, CSV")
    lines = content.decode().splitlines()
    assert lines[0].startswith("picture,method,threshold,class,IoU")
    assert any(line.startswith("val_00122,ReCAM") and ",cow," in line for line in lines)
    no_exception(page)


def test_settings_draw_the_figure_anew_and_bad_ones_are_told(exports: str, page: Page) -> None:
    dialog = dialog_of(page, f"{exports}/?picture=3", "Export")
    preview = dialog.get_by_role("img", name="Preview of the figure")
    dialog.get_by_label("Title", exact=True).fill("A $title$ of <ours>")
    for change in (
        lambda: dialog.get_by_label("Title", exact=True).press("Enter"),
        lambda: dialog.get_by_role("button", name="Contours").click(),
    ):
        before = preview.get_attribute("src")
        change()
        expect(preview).not_to_have_attribute("src", before)
    wait_until_finished(page)
    _, content = taken(page, dialog, "Figure, SVG")
    texts = ["".join(node.itertext()) for node in ElementTree.fromstring(content).iter() if node.tag.endswith("}text")]
    assert "A $title$ of <ours>" in texts
    assert {"Errors", "Contours"} <= set(texts)
    box = dialog.get_by_role("combobox", name="Width")
    box.scroll_into_view_if_needed()
    page.wait_for_timeout(500)  # scrolling closes the list
    box.click()
    page.get_by_role("option", name="another width").click()
    wait_until_finished(page)
    width = dialog.get_by_role("spinbutton", name="Width in mm")
    width.fill("30")
    width.press("Enter")
    wait_until_finished(page)
    expect(dialog.get_by_role("alert")).to_contain_text("do not fit 30 mm")
    no_exception(page)


def test_without_ground_truth_there_are_no_errors_to_export(exports: str, page: Page) -> None:
    dialog = dialog_of(page, f"{exports}/?picture=3&truth=no", "Export")
    expect(dialog.get_by_role("button", name="Figure, PNG")).to_be_visible()
    assert dialog.get_by_role("button", name="Errors").count() == 0
    assert dialog.get_by_role("button", name="Scores, CSV").count() == 0
    _, content = taken(page, dialog, "Masks, indexed PNG")
    with zipfile.ZipFile(BytesIO(content)) as archive:
        assert "ground_truth.png" not in archive.namelist()


def test_the_report_is_made_when_asked_for(exports: str, page: Page, new_page: Callable[..., Page]) -> None:
    dialog = dialog_of(page, exports, "Report")
    expect(dialog).to_contain_text("20 pictures. Only the first 20 pictures.")
    # Pressed at once, while the title is still being written.
    dialog.get_by_label("Title", exact=True).fill("Ours & theirs")
    dialog.get_by_role("button", name="Make the report").click()
    expect(dialog.get_by_role("button", name="Save the report")).to_be_visible()
    wait_until_finished(page)
    name, content = taken(page, dialog, "Save the report")
    assert name == "report-BCE-CAM-ReCAM.html"
    text = content.decode()
    assert "<h1>Ours &amp; theirs</h1>" in text
    assert "Only the first 20 pictures." in text
    no_exception(page)


def test_the_page_is_what_its_size_says_and_has_the_title_that_was_typed(exports: str, page: Page) -> None:
    dialog = dialog_of(page, f"{exports}/?view={quote(json.dumps({'overlay': 'heat'}))}", "Export")
    dialog.get_by_label("Title", exact=True).fill("For <class> 7b")
    dialog.get_by_label("Title", exact=True).press("Enter")
    wait_until_finished(page)
    name, content = taken(page, dialog, "Page, HTML")
    assert name == "val_00122.html"
    assert "<h1>For &lt;class&gt; 7b</h1>" in content.decode()
    expect(dialog.get_by_text(f"{len(content) / 1e6:.1f} MB: this picture")).to_be_visible()
    no_exception(page)


@pytest.mark.parametrize("clipboard", [True, False])
def test_the_link_is_copied_with_the_address_of_the_browser(exports: str, page: Page, clipboard: bool) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    if not clipboard:  # as on pages that are not secure
        page.add_init_script(
            "const { clipboard } = navigator; window.pasted = () => clipboard.readText();"
            "Object.defineProperty(navigator, 'clipboard', { value: undefined });"
        )
    address = f"{exports}/?picture=3&truth=no"
    open_app(page, address)
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("The link is copied.")).to_be_visible()
    assert page.evaluate("window.pasted ? window.pasted() : navigator.clipboard.readText()") == address
    assert page.get_by_label("Address of this view").input_value() == address
    expect(page.get_by_text("works on this computer only")).to_be_visible()
    expect(page.get_by_text("It holds <b>everything</b>.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("The link is copied.")).to_be_hidden()
    no_exception(page)


def test_a_link_that_cannot_be_copied_is_there_to_be_taken_by_hand(exports: str, page: Page) -> None:
    page.add_init_script(
        "Object.defineProperty(navigator, 'clipboard', { value: undefined }); document.execCommand = () => false;"
    )
    open_app(page, exports)
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("press Ctrl+C")).to_be_visible()
    field = page.get_by_label("Address of this view")
    expect(field).to_be_focused()
    assert field.evaluate("field => field.value.slice(field.selectionStart, field.selectionEnd)") == f"{exports}/"
