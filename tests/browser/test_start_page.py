"""The first thing that a visitor sees, in a wide window and a narrow one, in light and dark."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from streamlit_page import no_exception, open_app


@pytest.mark.parametrize(("width", "color_scheme"), [(1400, "light"), (1400, "dark"), (420, "light")])
def test_opens_without_an_error_and_fits_the_window(
    app_url: str, new_page: Callable[..., Page], width: int, color_scheme: str
) -> None:
    page = new_page(width=width, color_scheme=color_scheme)
    open_app(page, app_url)
    no_exception(page)
    assert "ReCAM" in page.title()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    background = page.locator('[data-testid="stApp"]').evaluate("e => getComputedStyle(e).backgroundColor")
    expected = {"light": "rgb(252, 252, 250)", "dark": "rgb(18, 24, 27)"}[color_scheme]
    assert background == expected
    # What draws charts is read ahead.
    link = page.locator('link[rel="modulepreload"][href*="PlotlyChart"]')
    expect(link).to_be_attached()
    assert page.request.get(link.evaluate("link => link.href")).ok


def test_the_first_page_answers_to_its_name(
    app_url: str, new_page: Callable[..., Page], console_errors: list[str]
) -> None:
    """Streamlit serves it at the root alone, and says of its name that there is no such page."""
    page = new_page()
    open_app(page, f"{app_url}/explore?threshold=0.40")
    expect(page).to_have_url(re.compile(r"//[^/]+/\?(.*&)?threshold=0\.40"))
    page.wait_for_selector(".viewer[data-ready]")
    expect(page.get_by_text("Page not found")).to_have_count(0)
    no_exception(page)
    console_errors.clear()  # Streamlit looks for its server below the name first, as of every page
