"""The first screen as it is seen: in a small window, on a phone, and on a wall."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from streamlit_page import no_exception, open_app
from viewer_browser import view_of


def opened(page: Page, url: str) -> Locator:
    """Explore, when its viewer has drawn."""
    open_app(page, url)
    no_exception(page)
    root = page.locator(".viewer[data-ready]")
    expect(root).to_be_attached()
    page.wait_for_timeout(500)  # sizes settle
    return root


def boxes(root: Locator, selector: str) -> list[dict[str, float]]:
    return [found.bounding_box() for found in root.locator(selector).all() if found.is_visible()]


def seen(box: dict[str, float], width: int, height: int) -> bool:
    """Whether all of it is inside the window."""
    return (
        box["y"] >= 0
        and box["x"] >= 0
        and box["y"] + box["height"] <= height
        and box["x"] + box["width"] <= width
        and box["height"] > 0
    )


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_legend_and_scores_are_in_sight_in_a_small_window(
    app_url: str, new_page: Callable[..., Page], color_scheme: str
) -> None:
    page = new_page(width=1280, height=720, color_scheme=color_scheme)
    root = opened(page, app_url)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator(".st-key-explore_lead")).to_contain_text("right")
    assert root.evaluate("root => root.viewer.layout()") == "side"
    assert len(boxes(root, ".pane")) == 3
    for selector in (".legend", ".scores", ".pane canvas"):
        found = boxes(root, selector)
        assert found
        assert all(seen(box, 1280, 720) for box in found), (selector, found)
    # What is empty takes no room: probes appear with the first pixel that is pointed at, and stay.
    assert not boxes(root, ".probe")
    root.locator(".frame").first.hover()
    expect(root.locator(".probe").first).to_be_visible()
    page.mouse.move(5, 5)
    expect(root.locator(".probe").first).to_be_visible()


def test_a_phone_opens_by_the_wipe(app_url: str, new_page: Callable[..., Page]) -> None:
    page = new_page(width=390, height=844)
    root = opened(page, app_url)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert root.evaluate("root => root.viewer.layout()") == "wipe"
    titles = root.evaluate("root => root.viewer.shownPanes().map(({ title }) => title)")
    assert titles == ["BCE-CAM", "ReCAM"]
    assert seen(root.locator(".divider").bounding_box() | {"x": 0, "width": 1}, 390, 844)
    # Nobody has chosen it: the same view stands side by side where there is room for it.
    assert view_of(root)["layout"] == "fit"
    page.set_viewport_size({"width": 1280, "height": 720})
    page.wait_for_function("root => root.viewer.layout() === 'side'", arg=root.element_handle())
    # And what was chosen stays.
    root.locator("[data-layout=blink]").click()
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(300)
    assert root.evaluate("root => root.viewer.layout()") == "blink"


def test_the_presentation_is_turned_by_the_arrow_keys(app_url: str, new_page: Callable[..., Page]) -> None:
    page = new_page(width=1280, height=720)
    root = opened(page, f"{app_url}/?present=1")
    for hidden in ("stSidebar", "stHeader"):
        expect(page.get_by_test_id(hidden)).not_to_be_visible()
    expect(root.locator(".bar").first).not_to_be_visible()
    for selector in (".legend", ".scores", ".pane canvas"):
        found = boxes(root, selector)
        assert found
        assert all(seen(box, 1280, 720) for box in found), (selector, found)
    heading = page.locator(".st-key-explore_heading p").first
    first, drawn = heading.inner_text(), root.get_attribute("data-ready")
    page.keyboard.press("ArrowRight")
    expect(heading).not_to_have_text(first)
    expect(root).not_to_have_attribute("data-ready", drawn)
    assert "present=1" in page.url
    page.keyboard.press("ArrowLeft")
    expect(heading).to_have_text(first)
    page.keyboard.press("h")
    expect(root.locator(".legend .scale")).to_be_visible()
    page.get_by_role("button", name="Leave").click()
    expect(page.get_by_test_id("stSidebar")).to_be_visible()
    assert "present=1" not in page.url
