"""A training in the browser: it is there after a reload and for another visitor, and is stopped only when asked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from recam_core.lock import holding, try_lock
from recam_core.trainings.devices import training_device
from recam_core.trainings.listing import list_trainings
from recam_core.trainings.places import trainings_folder
from recam_core.trainings.stop import cancel_training
from recam_core.trainings.turn import device_lock


@contextmanager
def nothing_left_running() -> Iterator[None]:
    """Stop what still trains at the end, also of a test that fails: it would go on without the app."""
    try:
        yield
    finally:
        for training in list_trainings():
            if training.is_live:
                cancel_training(training.id, grace=0)


def fill(page: Page, label: str, text: str) -> None:
    box = page.get_by_role("textbox", name=label)
    box.fill(text)
    box.press("Tab")


def test_a_training_outlives_the_page_that_started_it(
    app_url: str,
    app_runs: Path,
    new_page: Callable[..., Page],
    console_errors: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RECAM_RUNS", str(app_runs))
    # The device is taken, so the training waits, and the test need not.
    with nothing_left_running(), holding(try_lock(device_lock(trainings_folder(), training_device()))):
        page = new_page()
        page.goto(app_url)
        page.get_by_role("link", name="Training").click()
        expect(page.get_by_text("Nothing was trained here yet")).to_be_visible()
        fill(page, "Name of the new run", "long-way")
        expect(page.get_by_text("long-way").first).to_be_visible()  # in the command line
        page.get_by_role("button", name="Start training").click()
        details = page.get_by_role("heading", name="long-way")
        expect(details).to_be_visible()
        page.reload()
        expect(details).to_be_visible()  # the address remembers what was looked at
        console_errors.clear()  # Streamlit asks below the address of the page for its health first

        other = new_page(420, 900, "dark")
        other.goto(app_url)
        other.wait_for_timeout(500)
        other.goto(f"{app_url}/trainings")
        expect(other.get_by_text("next on")).to_be_visible()
        console_errors.clear()
        width = other.evaluate("document.scrollingElement.scrollWidth - window.innerWidth")
        assert width <= 0, "the narrow window scrolls sideways"
        other.get_by_role("button", name="Cancel").click()
        expect(other.get_by_text("may be somebody else's")).to_be_visible()
        other.get_by_role("button", name="Stop it").click()
        # Both windows see it.
        for window in (other, page):
            expect(window.get_by_text("no epoch was finished")).to_be_visible()
        page.get_by_role("button", name="Remove").click()
        page.get_by_role("button", name="Delete it").click()
        expect(page.get_by_text("Nothing was trained here yet")).to_be_visible()
    assert list_trainings() == []
    assert not (app_runs / "long-way").exists()
