"""The first thing that a visitor sees, in a wide window and a narrow one, in light and dark."""

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
