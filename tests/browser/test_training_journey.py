"""A training in the browser: it is there after a reload and for another visitor, and is stopped only when asked."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from recam_core.atomic_write import write_json
from recam_core.device import device_name
from recam_core.lock import holding, try_lock
from recam_core.queue.listing import list_trainings, trainings_folder
from recam_core.queue.status import RUNNING, Status, process_start, write_status
from recam_core.queue.stop import cancel_training
from recam_core.queue.waiting import device_lock
from streamlit_page import no_exception

#: The chart of the losses of a training.
KEY = ".st-key-training_losses_{} .js-plotly-plot"


@contextmanager
def nothing_left_running() -> Iterator[None]:
    """Stop what still trains at the end, also of a test that fails: it would go on without the app."""
    try:
        yield
    finally:
        for training in list_trainings():
            if training.is_live:
                cancel_training(training.id, grace=0)


@contextmanager
def trainer() -> Iterator[tuple[int, str]]:
    """A process that a training can be said to be: its number, and when it began."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(900)"]) as process:
        try:
            yield process.pid, process_start(process.pid) or ""
        finally:
            process.kill()


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
    with nothing_left_running(), holding(try_lock(device_lock(trainings_folder(), device_name()))):
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


def test_the_curves_of_a_training_grow_in_place(
    app_url: str,
    app_runs: Path,
    new_page: Callable[..., Page],
    console_errors: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The chart that is there takes over what is new: it is not drawn anew, and what was zoomed in on stays."""
    monkeypatch.setenv("RECAM_RUNS", str(app_runs))
    with (
        trainer() as (pid, began),
        nothing_left_running(),
        holding(try_lock(device_lock(trainings_folder(), device_name()))),
    ):
        page = new_page()
        page.goto(f"{app_url}/trainings")
        fill(page, "Name of the new run", "grows")
        expect(page.get_by_text("grows").first).to_be_visible()
        page.get_by_role("button", name="Start training").click()
        expect(page.get_by_role("heading", name="grows")).to_be_visible()
        training = next(one for one in list_trainings() if one.job.name == "grows")
        cancel_training(training.id, grace=0)
        for left in ("cancel", "stop"):
            (training.folder / left).unlink(missing_ok=True)

        def at_step(step: int) -> None:
            """As its process would write it."""
            points = [[at, 1 / at, 0.6 / at, 0.4 / at] for at in range(1, step + 1)]
            losses = {"names": ["loss", "bce", "sce"], "points": points, "stride": 1}
            state = Status(RUNNING, "Training", process_start=began, pid=pid, step=step, steps=150)
            write_status(training.folder, replace(state, epoch=1, epochs=15, losses=losses))
            training.out.mkdir(exist_ok=True)
            epoch = {"epoch": 1, "loss": 0.8, "val_loss": 0.9, "val_seed_miou": 0.31}
            write_json(training.out / "metrics.json", [epoch])

        at_step(12)
        page.reload()
        console_errors.clear()  # Streamlit asks below the address of the page for its health first
        chart = page.locator(KEY.format(training.id))
        expect(chart.locator(".main-svg").first).to_be_visible()
        expect(chart).to_have_attribute(
            "aria-label", re.compile(r"Losses over the epochs: total 0\.08333 at epoch 1\.2")
        )
        chart.evaluate("chart => { chart.isTheFirst = true; }")
        area = chart.locator(".nsewdrag").first.bounding_box()
        across, down = area["x"] + area["width"] / 10, area["y"] + area["height"] / 3
        page.mouse.move(across, down)
        page.mouse.down()
        page.mouse.move(across + area["width"] / 5, down + area["height"] / 2, steps=8)
        page.mouse.up()
        zoomed = chart.evaluate("chart => chart._fullLayout.xaxis.range")
        assert zoomed[0] > 1
        assert zoomed[1] < 6

        at_step(30)
        expect(chart).to_have_attribute("aria-label", re.compile("at epoch 3;"))
        page.wait_for_function(
            "key => document.querySelector(key).data[0].x.length === 30", arg=KEY.format(training.id)
        )
        assert chart.evaluate("chart => chart.isTheFirst")
        assert chart.evaluate("chart => chart._fullLayout.xaxis.range") == zoomed

        # One tooltip for all curves, of the epoch under the pointer.
        page.mouse.move(area["x"] + area["width"] / 2, down)
        tip = chart.locator(".hoverlayer .legend")
        expect(tip).to_contain_text("epoch")
        for name in ("total", "L_bce", "L_sce"):
            expect(tip).to_contain_text(name)
        # Logarithmic, with what was zoomed in on along the epochs.
        page.get_by_text("Logarithmic").click()
        page.wait_for_function(
            "key => document.querySelector(key)._fullLayout.yaxis.type === 'log'", arg=KEY.format(training.id)
        )
        assert chart.evaluate("chart => chart.isTheFirst")
        assert chart.evaluate("chart => chart._fullLayout.xaxis.range") == zoomed
        no_exception(page)
        # Streamlit asks below the page's address first, where it is not.
        console_errors[:] = [error for error in console_errors if "404" not in error]
