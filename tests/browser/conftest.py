"""A real Chromium in front of the app as `make app` starts it.

Everything in this folder is marked ``browser``. A test asks for ``page`` (a wide window) or ``new_page`` (any size,
light or dark); errors on the browser's console fail it.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from app_server import free_port, needs_the_environment, running_app

HERE = Path(__file__).resolve().parent

#: Names on the PATH, and where macOS keeps its applications.
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_BROWSER = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")

#: How long an expectation or an action is waited for, in milliseconds: pages take their time on a machine that does
#: other things as well.
PATIENCE = 60_000

#: No sandbox inside a container, and nothing that would ask a server on its own account.
BROWSER_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program; without one the tests are skipped, except in CI, where that would hide what they test."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None and MAC_BROWSER.exists():
        found = str(MAC_BROWSER)
    if found is None:
        message = "no Chromium or Google Chrome found: install one, for example by apt-get install chromium"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    return found


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """One browser, with a profile of its own that is thrown away."""
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE)
        browser = playwright.chromium.launch(executable_path=chromium, args=list(BROWSER_OPTIONS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def app_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the app under test keeps its runs."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="session")
def app_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of data sets that the app under test serves."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def app_url(chromium: str, app_runs: Path, app_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the app, started by ``make app`` once for all tests of a worker."""
    needs_the_environment()
    port = free_port()
    env = {"PORT": str(port), "RECAM_RUNS": str(app_runs), "RECAM_DATA": str(app_data)}
    log = tmp_path_factory.mktemp("app") / "log"
    with running_app(["make", "app"], f"http://127.0.0.1:{port}", log, env) as app:
        yield app.url
        assert "Traceback" not in app.output(), app.output()


@pytest.fixture(scope="session")
def viewer_url(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page with nothing but the viewer; see ``viewer_page.py``."""
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(HERE / "viewer_page.py"),
        "--server.port",
        url.split(":")[-1],
    ]
    log = tmp_path_factory.mktemp("viewer") / "log"
    with running_app(command, url, log, {"PYTHONPATH": str(HERE.parent.parent)}) as app:
        yield app.url
        assert "Traceback" not in app.output(), app.output()


@pytest.fixture
def console_errors() -> list[str]:
    """What the pages of this test reported as errors so far; a test that expects one empties the list."""
    return []


@pytest.fixture
def new_page(browser: Browser, console_errors: list[str]) -> Iterator[Callable[..., Page]]:
    """``new_page(width, height, color_scheme)`` opens an empty page in a session of its own."""
    contexts = []

    def open_page(width: int = 1400, height: int = 1000, color_scheme: str = "light") -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=color_scheme)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: console_errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: console_errors.append(str(error)))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert console_errors == []


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    """An empty page in a wide window, in the light theme."""
    return new_page()
