"""The page Masks in a real browser: the walk is turned, and boundaries have a pane of their own."""

import re

import pytest
from playwright.sync_api import Page, expect

from recam_core.folders import shipped_boundaries_folder, shipped_folder
from streamlit_page import no_exception, open_app, wait_until_finished

pytestmark = pytest.mark.skipif(
    not (shipped_folder() / "contexts" / "recam" / "run.json").is_file() or not shipped_boundaries_folder().is_dir(),
    reason="needs the shipped checkpoints and boundaries",
)
#: The first look reads a network and its boundaries.
PATIENCE = 240


def test_the_walk_is_turned_by_keyboard(app_url: str, page: Page, console_errors: list[str]) -> None:
    open_app(page, f"{app_url}/masks?family=contexts&ways=irn&finish=none&steps=64", seconds=PATIENCE)
    titles = page.locator(".viewer .pane:not([hidden]) .pane-head strong")
    expect(titles).to_have_text(["Seeds", "Boundaries", "Walk, 64 steps"], timeout=PATIENCE * 1000)
    wait_until_finished(page, PATIENCE)
    page.locator(".st-key-masks_steps input[type=range]").press("ArrowRight")
    expect(titles).to_have_text(["Seeds", "Boundaries", "Walk, 128 steps"], timeout=PATIENCE * 1000)
    expect(page).to_have_url(re.compile("steps=128"))
    # The pane of the boundaries can be hidden like that of any map, which the address keeps.
    page.locator(".viewer .shown").get_by_text("Boundaries").click()
    expect(titles).to_have_text(["Seeds", "Walk, 128 steps"])
    expect(page).to_have_url(re.compile("hidden.*boundaries"))
    no_exception(page)
    # Streamlit asks for its own files below the address of the page first, where they are not.
    console_errors[:] = [error for error in console_errors if "404" not in error]
