"""Reading the viewer in a browser: what it drew, counted and reported."""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlencode

import numpy as np
from playwright.async_api import Browser as AsyncBrowser
from playwright.async_api import async_playwright
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

_READ = """(root, exact) => {
  const { viewer } = root;
  return viewer.shownPanes().map((pane) => {
    const { width, height } = pane.canvas;
    const { data } = pane.canvas.getContext("2d").getImageData(0, 0, width, height);
    let text = "";
    for (let i = 0; i < data.length; i += 30000) text += String.fromCharCode(...data.subarray(i, i + 30000));
    return { key: pane.key, width, height, pixels: btoa(text) };
  });
}"""


@contextmanager
def launched(program: str, *options: str) -> Iterator[Browser]:
    """A browser with options of its own, for benchmarks; tests have the fixture ``page``."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(options))
        yield browser
        browser.close()


@asynccontextmanager
async def launched_async(program: str, *options: str) -> AsyncIterator[AsyncBrowser]:
    """The same for many pages at once."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(options))
        yield browser
        await browser.close()


def open_viewer(page: Page, url: str, case: str, view: dict[str, Any] | None = None) -> Locator:
    """Open the page of the viewer and wait until it has drawn; returns its outermost element."""
    page.goto(f"{url}/?{urlencode({'case': case, 'view': json.dumps(view or {})})}")
    root = page.locator(".viewer[data-ready]")
    expect(root).to_be_attached()
    return root


def set_view(root: Locator, **fields: Any) -> None:
    """Change the view and draw at once."""
    root.evaluate("(root, fields) => { root.viewer.change(fields); root.viewer.draw(); }", fields)


def view_of(root: Locator) -> dict[str, Any]:
    """The view as it is in the browser."""
    return root.evaluate("root => root.viewer.view")


def view_when(root: Locator, condition: str) -> dict[str, Any]:
    """The view, once ``condition`` holds: JavaScript that reads ``view``."""
    root.page.wait_for_function(
        f"root => {{ const {{ view }} = root.viewer; return {condition}; }}", arg=root.element_handle()
    )
    return view_of(root)


def exact(root: Locator) -> None:
    """Give canvases exactly the size of the picture."""
    root.evaluate("root => root.viewer.setExact(true)")


def drawn(root: Locator) -> dict[str, np.ndarray]:
    """H x W x 3 uint8 of each pane that is shown, read back from its canvas."""
    panes = {}
    for pane in root.evaluate(_READ):
        pixels = np.frombuffer(base64.b64decode(pane["pixels"]), np.uint8)
        panes[pane["key"]] = pixels.reshape(pane["height"], pane["width"], 4)[:, :, :3]
    return panes


def said(page: Page) -> Locator:
    """Where the page's Python prints what it heard."""
    return page.locator(".st-key-heard code")


def heard(page: Page) -> dict[str, Any]:
    """What the page's Python printed in its last run: runs, case, view, step."""
    return json.loads(said(page).inner_text())
