"""From a lambda sweep to the maps behind a point, and on to a run of one's own, in a real browser."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from plotly_chart import hover, place_of, press
from recam_core.checkpoint.run_folder import read_info
from recam_core.device import device_name
from recam_core.folders import shipped_folder
from recam_core.lock import holding, try_lock
from recam_core.queue.listing import list_trainings, trainings_folder
from recam_core.queue.waiting import device_lock
from recam_core.views.charts.style import DARK
from streamlit_page import no_exception, open_app, wait_until_finished

pytestmark = pytest.mark.skipif(
    not (shipped_folder() / "scenes" / "bce" / "run.json").is_file(), reason="needs the shipped checkpoints"
)
#: Far fewer than the page begins with: the journey is about the way.
LARGEST = "chart => [Math.max(...chart._fullData.find(trace => trace.name === 'settings').x)]"
ADDRESS = "lab?family=scenes&data=scenes:train=40,val=10@train"


def open_lab(page: Page, app_url: str, console_errors: list[str], more: str = "") -> None:
    open_app(page, f"{app_url}/{ADDRESS}{more}", seconds=180)
    no_exception(page)
    # Streamlit asks below the page's address first, where it is not.
    console_errors[:] = [error for error in console_errors if "404" not in error]


def run_experiment(page: Page) -> None:
    page.locator(".st-key-lab_start button").click()
    expect(page.locator(".lab-sentence")).to_be_visible(timeout=400_000)
    wait_until_finished(page, 120)
    no_exception(page)


def test_from_the_sweep_to_the_maps(app_url: str, app_runs: Path, page: Page, console_errors: list[str]) -> None:
    open_lab(page, app_url, console_errors)
    for words in (
        "1 · train: scenes:train=40,val=10@train.fit",
        "2 · choose",
        "3 · report: scenes:train=40,val=10@val",
    ):
        expect(page.get_by_text(words)).to_be_visible()
    run_experiment(page)
    expect(page.locator(".lab-sentence")).to_contain_text("is the best of 10 on scenes:train=40,val=10@train.select")
    expect(page.locator(".st-key-lab_chart .stPlotlyChart")).to_have_count(4)

    # A press on a point shows its maps, beside those of the run before.
    told = hover(page, ".st-key-lab_panel_0", "settings", [6])
    assert told.startswith("lambda 3")
    assert "mIoU: " in told
    assert " %" in told
    press(page, ".st-key-lab_panel_0", "settings", [6])
    expect(page.get_by_role("heading", name="Maps of lambda 3", exact=True)).to_be_visible()
    titles = page.locator(".viewer[data-ready] .pane-head strong")
    expect(titles.first).to_have_text("BCE-CAM, not retrained")
    expect(titles.last).to_contain_text("lambda 3")
    wait_until_finished(page, 120)
    expect(page).to_have_url(re.compile("point=6"))
    picture = page.get_by_role("combobox", name=re.compile("Picture of the part"))
    before = picture.input_value()
    page.locator(".viewer").focus()
    page.keyboard.press("ArrowRight")
    expect(picture).not_to_have_value(before)
    wait_until_finished(page, 120)

    # The other marks stay as they were, and the pressed one has a ring.
    chart = page.locator(".st-key-lab_panel_0 .js-plotly-plot")
    faint = (
        "chart => [...chart.querySelectorAll('.points path')].filter(mark => getComputedStyle(mark).opacity < 1).length"
    )
    assert chart.evaluate(faint) == 0
    assert chart.evaluate("chart => chart._fullData.filter(trace => trace.name === 'marked').length") == 1
    # By keyboard it is a field, and the chart shows which one it is.
    field = page.get_by_role("combobox", name="Setting whose maps are shown")
    field.focus()
    page.keyboard.type("lambda 100")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Maps of lambda 100", exact=True)).to_be_visible()
    wait_until_finished(page, 120)
    ring = chart.evaluate("chart => Array.from(chart._fullData.find(trace => trace.name === 'marked').x)")
    assert ring == [place for place in chart.evaluate(LARGEST) for _ in ring]
    press(page, ".st-key-lab_panel_1", "settings", [6])
    expect(page.get_by_role("heading", name="Maps of lambda 3", exact=True)).to_be_visible()
    expect(titles.last).to_contain_text("lambda 3")
    wait_until_finished(page, 120)

    # The address holds the result, the point and the picture.
    page.reload()
    expect(page.get_by_role("heading", name="Maps of lambda 3", exact=True)).to_be_visible()
    expect(titles.last).to_contain_text("lambda 3")
    console_errors[:] = [error for error in console_errors if "404" not in error]

    # It is kept as a run, and opens in Explore beside the one that it came from.
    name = page.get_by_role("textbox", name="Keep it as a run")
    name.fill("from-the-lab")
    name.press("Enter")
    wait_until_finished(page)
    page.locator(".st-key-lab_keep_start button").click()
    page.locator(".st-key-lab_open_kept button").click(timeout=200_000)
    page.wait_for_url(re.compile("explore|/\\?"))
    expect(page.locator(".viewer[data-ready] .pane-head strong")).to_have_text(["BCE-CAM", "from-the-lab"])
    wait_until_finished(page, 120)
    no_exception(page)
    info = read_info(app_runs / "from-the-lab")
    assert info.recipe["weight"] == 3
    assert "--lambda 3" in info.command


def test_a_grid_in_a_narrow_dark_window(app_url: str, new_page: Callable[..., Page], console_errors: list[str]) -> None:
    page = new_page(width=420, height=1000, color_scheme="dark")
    open_lab(page, app_url, console_errors, "&experiment=grid")
    run_experiment(page)
    # A cell is pressed wherever it is hit, here near its corner, and knows what it is.
    across, down = place_of(page, ".st-key-lab_heat_1", "settings", [8])
    beside, below = place_of(page, ".st-key-lab_heat_1", "settings", [0])
    chart = page.locator(".st-key-lab_heat_1 .js-plotly-plot")
    assert chart.evaluate("chart => chart._fullLayout.xaxis.tickfont.color") == DARK.text
    name = chart.evaluate("chart => chart._fullData.find(one => one.name === 'settings').hovertext[8]")
    wide, high = chart.evaluate(
        "({ _fullLayout: { xaxis, yaxis } }) => [xaxis.d2p(1) - xaxis.d2p(0), yaxis.d2p(1) - yaxis.d2p(0)]"
    )
    assert (across, down) != (beside, below)
    page.mouse.move(across + 0.4 * wide, down + 0.4 * high)
    page.wait_for_timeout(300)
    page.mouse.click(across + 0.4 * wide, down + 0.4 * high)
    setting = re.match("<b>(.*?)</b>", name).group(1)
    expect(page.locator(".st-key-lab_point h4")).to_have_text(f"Maps of {setting}")
    expect(page.locator(".viewer[data-ready]")).to_be_visible()
    wait_until_finished(page, 120)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    no_exception(page)


def test_a_grid_of_full_trainings_outlives_the_page(
    app_url: str,
    app_runs: Path,
    new_page: Callable[..., Page],
    console_errors: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RECAM_RUNS", str(app_runs))
    # The device is taken, so the grid waits, and the test need not.
    with holding(try_lock(device_lock(trainings_folder(), device_name()))):
        page = new_page(width=420, height=1000, color_scheme="dark")
        open_lab(page, app_url, console_errors, "&experiment=grid&depth=full")
        expect(page.get_by_text("4 trainings")).to_be_visible(timeout=120_000)
        page.locator(".st-key-lab_full_start button").click()
        expect(page.get_by_text("next on")).to_be_visible(timeout=120_000)
        page.reload()
        expect(page.get_by_text("next on")).to_be_visible(timeout=120_000)
        console_errors[:] = [error for error in console_errors if "404" not in error]
        wait_until_finished(page, 120)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        (grid,) = [training for training in list_trainings() if training.job.grid is not None]
        page.locator(f".st-key-lab_stop_{grid.id} button").click()
        page.locator(f".st-key-lab_yes_{grid.id} button").click()
        expect(page.get_by_text("no training was finished")).to_be_visible()
        page.locator(f".st-key-lab_remove_{grid.id} button").click()
        page.locator(f".st-key-lab_yes_{grid.id} button").click()
        expect(page.get_by_text("no training was finished")).to_have_count(0)
        no_exception(page)
    assert not grid.out.exists()
