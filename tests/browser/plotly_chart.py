"""A Plotly chart in a page: where its marks are, and a press on one of them."""

from collections.abc import Sequence
from typing import Any

from playwright.sync_api import Page, expect

_PLACE = """([selector, trace, customdata]) => {
  const chart = document.querySelector(selector);
  const same = (one) => JSON.stringify(Array.from(one)) === JSON.stringify(customdata);
  for (const shown of chart._fullData) {
    if (shown.name !== trace || !shown.customdata) continue;
    const place = Array.from(shown.customdata).findIndex(same);
    if (place < 0) continue;
    const { xaxis, yaxis } = chart._fullLayout;
    const box = chart.getBoundingClientRect();
    return [
      box.left + xaxis._offset + xaxis.d2p(shown.x[place]), box.top + yaxis._offset + yaxis.d2p(shown.y[place]),
    ];
  }
  return null;
}"""


def place_of(page: Page, container: str, trace: str, customdata: Sequence[Any]) -> tuple[float, float]:
    """Where a mark is in the window, after the chart was brought into sight.

    Args:
        page: with the chart.
        container: selector of an element around one chart, or several, the first of which counts.
        trace: name of the mark's trace.
        customdata: of the mark.
    """
    chart = page.locator(f"{container} .js-plotly-plot").first
    expect(chart.locator(".main-svg").first).to_be_visible()
    chart.scroll_into_view_if_needed()
    place = page.evaluate(_PLACE, [f"{container} .js-plotly-plot", trace, list(customdata)])
    assert place is not None, f"{container} has no mark {customdata} in {trace!r}"
    return tuple(place)


def press(page: Page, container: str, trace: str, customdata: Sequence[Any]) -> None:
    """Press a mark, as :func:`place_of` finds it."""
    across, down = place_of(page, container, trace, customdata)
    page.mouse.move(across, down)
    page.wait_for_timeout(200)  # Plotly looks at what is under the pointer ten times a second
    page.mouse.click(across, down)


def hover(page: Page, container: str, trace: str, customdata: Sequence[Any]) -> str:
    """What is told of a mark under the pointer."""
    across, down = place_of(page, container, trace, customdata)
    page.mouse.move(across - 30, down)
    page.mouse.move(across, down, steps=3)
    tip = page.locator(f"{container} .js-plotly-plot .hoverlayer .hovertext").first
    expect(tip).to_be_visible()
    return " ".join(tip.all_text_contents())
