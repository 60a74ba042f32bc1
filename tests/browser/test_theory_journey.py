"""Theory in a real browser: terms that light up by pointer, keyboard and tap, and squares that can be pressed."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from streamlit_page import no_exception, open_app, wait_until_finished

BOARD = ".board[data-ready]"
TERM = ".board .equations .t"


def lit(page: Page) -> list[str]:
    """The parts that are lit."""
    return page.locator(".board .part.lit").evaluate_all("all => all.map(one => one.dataset.part)")


def term(page: Page, part: str):
    return page.locator(f'{TERM}[data-part="{part}"]').first


@pytest.fixture
def board(page: Page, app_url: str) -> Page:
    open_app(page, f"{app_url}/theory?section=equations")
    expect(page.locator(BOARD)).to_be_visible()
    return page


def test_a_term_lights_up_what_it_stands_for(board: Page, console_errors: list[str]) -> None:
    no_exception(board)
    assert lit(board) == []
    words = board.locator(".board .said")
    idle = words.inner_text()
    term(board, "cam").hover()
    assert lit(board) == ["cam"]
    expect(words).to_contain_text("divided by its maximum")
    term(board, "w2").hover()
    assert lit(board) == ["w2"]
    board.locator(".board .equations li").nth(1).locator(".number").hover()
    assert lit(board) == ["f", "w", "wf", "cam"]
    board.locator("h1").hover()
    assert lit(board) == []
    expect(words).to_have_text(idle)
    # And back: a part lights up the terms that stand for it.
    board.locator('.board .part[data-part="fk"]').hover()
    assert set(board.locator(f"{TERM}.lit").evaluate_all("all => all.map(one => one.dataset.part)")) == {"fk"}
    _only_missing_pages(console_errors)


def test_terms_are_reached_by_keyboard(board: Page, console_errors: list[str]) -> None:
    term(board, "z").focus()
    assert lit(board) == ["z"]
    board.keyboard.press("Tab")
    assert lit(board) == ["f"]
    board.keyboard.press("Enter")
    board.locator("h1").hover()
    board.evaluate("document.activeElement.blur()")
    assert lit(board) == ["f"], "what is pressed stays"
    expect(term(board, "f")).to_have_attribute("aria-pressed", "true")
    term(board, "f").focus()
    board.keyboard.press("Escape")
    assert lit(board) == []
    _only_missing_pages(console_errors)


def test_a_tap_keeps_a_part_lit_on_a_phone(browser, app_url: str, console_errors: list[str]) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    open_app(page, f"{app_url}/theory?section=equations")
    expect(page.locator(BOARD)).to_be_visible()
    term(page, "sce").scroll_into_view_if_needed()
    term(page, "sce").tap()
    assert lit(page) == ["sce"]
    term(page, "cam").tap()
    assert lit(page) == ["cam"]
    term(page, "cam").tap()
    page.evaluate("document.activeElement.blur()")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    context.close()
    _only_missing_pages(console_errors)


def test_pointing_asks_nothing_of_the_server(board: Page, console_errors: list[str]) -> None:
    board.evaluate(
        """() => { window.framesSent = 0; const send = WebSocket.prototype.send;
        WebSocket.prototype.send = function (...all) { window.framesSent += 1; return send.apply(this, all); }; }"""
    )
    for part in ("f", "w", "cam", "z2", "recam"):
        term(board, part).hover()
    board.wait_for_timeout(600)
    assert board.evaluate("window.framesSent") == 0
    _only_missing_pages(console_errors)


def test_a_square_of_the_weights_is_pressed(
    new_page: Callable[..., Page], app_url: str, console_errors: list[str]
) -> None:
    page = new_page(1400, 1400)
    open_app(page, f"{app_url}/theory?section=weights")
    square = page.locator(".js-plotly-plot").first.locator(".scatterlayer .point").nth(1)
    expect(square).to_be_visible()
    box = square.bounding_box()
    pair = page.get_by_role("combobox", name="Pair of classes")
    before = pair.input_value()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_timeout(300)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    wait_until_finished(page)
    expect(pair).not_to_have_value(before)
    no_exception(page)
    _only_missing_pages(console_errors)


def _only_missing_pages(errors: list[str]) -> None:
    """Streamlit looks for its server below the address of a page first, and finds nothing there."""
    assert [text for text in errors if "404" not in text] == []
    errors.clear()
