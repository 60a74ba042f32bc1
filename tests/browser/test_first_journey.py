"""What a newcomer is shown, and what a teacher takes along: taken back, a page from the disk, and back by the link."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from recam_core.folders import shipped_maps_folder
from streamlit_page import no_exception, open_app, wait_until_finished, wait_until_quiet

SENTENCE = re.compile(r"calls [\d.]+% of the .+, ReCAM ([\d.]+%|none)")
pytestmark = pytest.mark.skipif(not shipped_maps_folder().is_dir(), reason="needs the kept maps")


def pixels(viewer: Locator) -> list[str]:
    """What each pane shows."""
    return [pane.evaluate("canvas => canvas.toDataURL()") for pane in viewer.locator(".pane canvas").all()]


def shown(page: Page) -> Locator:
    """The viewer, when it has drawn."""
    viewer = page.locator(".viewer[data-ready]")
    expect(viewer).to_be_attached()
    page.wait_for_timeout(500)
    return viewer


def test_from_the_first_page_to_one_from_the_disk_and_back(
    app_url: str, page: Page, browser: Browser, tmp_path: Path, new_page: Callable[..., Page]
) -> None:
    # The first page says what ReCAM takes back, and shows it, without a press.
    open_app(page, app_url, seconds=180)
    viewer = shown(page)
    expect(page.get_by_role("button", name="Taken back", exact=True, pressed=True)).to_be_visible()
    expect(viewer.get_by_text("taken back", exact=True).first).to_be_visible()
    sentence = page.get_by_text(SENTENCE).first
    expect(sentence).to_be_visible()
    first = sentence.inner_text()

    page.get_by_role("button", name="Next striking picture").click()
    wait_until_finished(page)
    expect(page.get_by_text(SENTENCE).first).not_to_have_text(first)
    said, view = page.get_by_text(SENTENCE).first.inner_text(), pixels(shown(page))

    # The page to hand out, opened from the disk without a network.
    page.get_by_role("button", name="Export", exact=True).click()
    wait_until_finished(page)
    wait_until_quiet(page, 1)
    with page.expect_download() as download:
        page.get_by_role("dialog").get_by_role("button", name=re.compile("Page, HTML")).click()
    file = tmp_path / "page.html"
    download.value.save_as(file)
    asked: list[str] = []
    errors: list[str] = []
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
    from_disk = context.new_page()
    from_disk.on("request", lambda request: asked.append(request.url))
    from_disk.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    from_disk.on("pageerror", lambda error: errors.append(str(error)))
    from_disk.goto(file.as_uri())
    handed = shown(from_disk)
    expect(from_disk.get_by_text(said.split(". ")[0]).first).to_be_visible()
    taken = pixels(handed)
    assert len(taken) == len(view)
    from_disk.get_by_role("button", name="Heat", exact=True).click()
    expect(from_disk.get_by_role("button", name="Heat", exact=True, pressed=True)).to_be_visible()
    from_disk.wait_for_timeout(300)
    assert all(a != b for a, b in zip(taken, pixels(handed), strict=True))
    from_disk.get_by_role("button", name="Taken back", exact=True).click()
    from_disk.wait_for_timeout(300)
    assert pixels(handed) == taken
    handed.locator(".pane canvas").first.hover()
    expect(from_disk.locator(".probe, .pane-probe").filter(visible=True).first).to_contain_text(re.compile(r"\w"))
    # What is said is said of the thresholds that the page opened with.
    from_disk.get_by_role("combobox", name="Threshold").select_option("all")
    expect(from_disk.locator(".sentence")).to_be_hidden()
    from_disk.get_by_role("combobox", name="Threshold").select_option("own")
    expect(from_disk.locator(".sentence")).to_be_visible()
    assert [url for url in asked if url != file.as_uri() and not url.startswith(("data:", "blob:"))] == []
    assert errors == []
    context.close()

    # The link brings the same picture and view back.
    page.keyboard.press("Escape")
    wait_until_finished(page)
    page.get_by_role("button", name="Copy link").click()
    address = page.get_by_role("textbox", name="Address of this view").input_value()
    expect(page.get_by_text("works on this computer only")).to_be_visible()
    again = new_page(1280, 900)
    open_app(again, address)
    shown(again)
    expect(again.get_by_text(SENTENCE).first).to_have_text(said)
    expect(again.get_by_role("button", name="Taken back", exact=True, pressed=True)).to_be_visible()
    no_exception(again)
