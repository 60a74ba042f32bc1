"""From a false positive on Confusions to the page that says why, in a real browser."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from recam_core.folders import shipped_folder, shipped_maps_folder
from streamlit_page import no_exception, open_app, wait_until_finished

pytestmark = pytest.mark.skipif(
    not (shipped_folder() / "contexts" / "recam" / "run.json").is_file() or not shipped_maps_folder().is_dir(),
    reason="needs the shipped checkpoints and maps",
)
#: The first look reads two networks.
PATIENCE = 240


def only_own_errors(console_errors: list[str]) -> None:
    # Streamlit asks for its own files below the address of the page first, where they are not.
    console_errors[:] = [error for error in console_errors if "404" not in error]


def sentence(page: Page) -> Locator:
    return page.locator(".st-key-why_answer").get_by_text("calls this").first


def number(page: Page, name: str) -> Locator:
    return page.locator(f".st-key-why_{name} input")


def test_from_a_false_positive_to_why_a_and_not_b(app_url: str, page: Page, console_errors: list[str]) -> None:
    open_app(page, f"{app_url}/confusions?family=contexts&cell=19.17&method=contexts%2Fbce", seconds=PATIENCE)
    expect(page.get_by_role("heading", name="Sky taken for rails")).to_be_visible(timeout=PATIENCE * 1000)
    wait_until_finished(page, PATIENCE)
    only_own_errors(console_errors)
    ask = page.locator(".st-key-confusions_gallery_why_0 button").locator("visible=true").first
    expect(ask).to_contain_text("Why rails, not sky?")
    ask.click()

    # The page asks that question, of the largest region of that picture which BCE-CAM calls so.
    page.wait_for_url(re.compile("/why"))
    expect(sentence(page)).to_be_visible(timeout=PATIENCE * 1000)
    wait_until_finished(page, PATIENCE)
    expect(page).to_have_url(re.compile("called=rails&instead=sky"))
    expect(sentence(page)).to_contain_text("BCE-CAM calls this “rails” (it is sky)")
    expect(sentence(page)).to_contain_text("ReCAM calls this")
    expect(page.get_by_role("heading", name="Which channels speak for rails rather than sky")).to_be_visible()

    # Back leaves the page at once, to the cell that was looked at, and forward returns to the question.
    page.go_back()
    page.wait_for_url(re.compile(r"/confusions\?.*cell=19\.17"))
    expect(page.get_by_role("heading", name="Sky taken for rails")).to_be_visible(timeout=PATIENCE * 1000)
    assert "called=" not in page.url
    wait_until_finished(page, PATIENCE)
    page.go_forward()
    page.wait_for_url(re.compile("/why.*called=rails&instead=sky"))
    expect(sentence(page)).to_contain_text("BCE-CAM calls this “rails” (it is sky)", timeout=PATIENCE * 1000)
    wait_until_finished(page, PATIENCE)

    # A press on a bar shows where that channel fires.
    bars = page.locator(".st-key-why_channels .barlayer path")
    expect(bars.first).to_be_attached()
    chosen = page.locator(".st-key-why_channel_list_before input")
    before = chosen.input_value()
    bars.nth(3).click(force=True)
    expect(chosen).not_to_have_value(before)
    wait_until_finished(page, PATIENCE)
    pressed = chosen.input_value()
    assert re.fullmatch(r"channel \d+", pressed)
    expect(page.get_by_text(re.compile(rf"{pressed.capitalize()} has [\d.]+ here")).first).to_be_visible()
    # By keyboard, the list does the same, and a press counts again after it.
    chosen.click()
    page.get_by_role("option", name=before, exact=True).click()
    expect(page.get_by_text(re.compile(rf"{before.capitalize()} has [\d.]+ here")).first).to_be_visible()
    wait_until_finished(page, PATIENCE)
    bars.nth(3).click(force=True)
    expect(chosen).to_have_value(pressed)
    wait_until_finished(page, PATIENCE)

    # A press in the picture asks of another pixel.
    was = (number(page, "column").input_value(), number(page, "row").input_value())
    frame = page.locator(".viewer .frame").first
    box = frame.bounding_box()
    frame.click(position={"x": box["width"] * 0.5, "y": box["height"] * 0.62})
    expect(number(page, "column")).not_to_have_value(was[0])
    wait_until_finished(page, PATIENCE)
    now = (number(page, "column").input_value(), number(page, "row").input_value())
    expect(page).to_have_url(re.compile(rf"pin={now[0]}\.{now[1]}"))
    no_exception(page)

    # By keyboard: typed numbers pin a pixel as well.
    number(page, "row").fill("20")
    number(page, "row").press("Enter")
    expect(page).to_have_url(re.compile(rf"pin={now[0]}\.20"))
    wait_until_finished(page, PATIENCE)

    # Finer-CAM of both runs, and back to where it came from.
    way = page.locator(".st-key-why_way input")
    way.click()
    way.fill("Finer")
    way.press("Enter")
    expect(page.get_by_text("Finer-CAM of ReCAM").first).to_be_visible(timeout=PATIENCE * 1000)
    wait_until_finished(page, PATIENCE)
    expect(page.locator(".st-key-why_parts img").first).to_be_visible()
    no_exception(page)
    page.locator(".st-key-why_confusions button").locator("visible=true").first.click()
    page.wait_for_url(re.compile("/confusions"))
    expect(page.get_by_role("heading", name=re.compile("taken for"))).to_be_visible(timeout=PATIENCE * 1000)
    wait_until_finished(page, PATIENCE)
    no_exception(page)
    only_own_errors(console_errors)


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_fits_the_window(
    app_url: str, new_page: Callable[..., Page], console_errors: list[str], width: int, scheme: str
) -> None:
    page = new_page(width=width, height=900, color_scheme=scheme)
    open_app(page, f"{app_url}/why", seconds=PATIENCE)
    expect(sentence(page)).to_be_visible(timeout=PATIENCE * 1000)
    wait_until_finished(page, PATIENCE)
    expect(page.locator(".st-key-why_channels .barlayer path").first).to_be_attached()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    no_exception(page)
    only_own_errors(console_errors)
