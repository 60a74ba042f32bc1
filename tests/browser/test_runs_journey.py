"""The page of runs in a real browser: marked, renamed, exported, deleted, taken in again, compared, looked at."""

import json
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from plotly_chart import hover, place_of
from plotly_chart import press as press_mark
from recam_core.checkpoint.run_folder import INFO_FILE, read_info
from recam_core.folders import shipped_folder
from streamlit_page import no_exception, open_app, wait_until_finished, wait_until_quiet

pytestmark = pytest.mark.skipif(
    not (shipped_folder() / "scenes" / "recam" / INFO_FILE).is_file(), reason="needs the shipped checkpoints"
)


@pytest.fixture
def own_run(app_runs: Path) -> Path:
    """A run of one's own: a shipped one under another name."""
    folder = app_runs / "travelled"
    shutil.copytree(shipped_folder() / "scenes" / "recam", folder)
    record = json.loads((folder / INFO_FILE).read_text(encoding="utf-8"))
    (folder / INFO_FILE).write_text(json.dumps(record | {"name": "travelled"}), encoding="utf-8")
    yield folder
    for name in ("travelled", "renamed"):
        shutil.rmtree(app_runs / name, ignore_errors=True)


def open_runs(page: Page, app_url: str) -> None:
    open_app(page, app_url, seconds=180)
    page.get_by_role("link", name="Runs", exact=True).click()
    expect(page.get_by_role("heading", name="Runs", exact=True)).to_be_visible()
    wait_until_finished(page)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=re.compile(name)).locator("visible=true").first.click()
    wait_until_finished(page)


def test_a_run_from_the_table_and_back_from_its_zip(page: Page, app_url: str, own_run: Path, tmp_path: Path) -> None:
    open_runs(page, app_url)
    page.get_by_label("Find").fill("travelled")
    page.get_by_label("Find").press("Enter")
    wait_until_finished(page)
    # The mark of the first row, below the heading.
    table = page.get_by_test_id("stDataFrame")
    table.click(position={"x": 16, "y": 54})
    wait_until_finished(page)
    expect(page.get_by_role("heading", name="travelled")).to_be_visible()
    expect(page.get_by_text("--from travelled --out runs/NEW-NAME")).to_be_visible()

    press(page, "Star$")
    expect(page.get_by_role("button", name="Take the star away")).to_be_visible()
    press(page, "Rename")
    page.get_by_label("New name").fill("renamed")
    page.get_by_label("New name").press("Enter")
    # What is typed before the new name has come back would go with it, in one run of the script.
    expect(page.get_by_role("heading", name="renamed")).to_be_visible()
    wait_until_quiet(page)
    page.get_by_label("Find").fill("")
    page.get_by_label("Find").press("Enter")
    wait_until_finished(page)
    expect(page.get_by_role("heading", name="renamed")).to_be_visible()
    assert read_info(own_run.with_name("renamed")).name == "renamed"

    wait_until_quiet(page)
    with page.expect_download() as download:
        press(page, "Export")
    packed = tmp_path / "packed.zip"
    download.value.save_as(packed)

    press(page, "Delete")
    expect(page.get_by_role("dialog")).to_contain_text("renamed")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    wait_until_finished(page)
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert not own_run.with_name("renamed").exists()

    press(page, "Import")
    page.locator('input[type="file"]').set_input_files(packed)
    wait_until_finished(page)
    page.get_by_test_id("stPopoverBody").get_by_role("button", name="Import").click()
    wait_until_finished(page)
    expect(page.get_by_role("heading", name="renamed")).to_be_visible()
    assert read_info(own_run.with_name("renamed")).name == "renamed"
    no_exception(page)


def test_by_keyboard_to_a_comparison_and_to_the_maps(page: Page, app_url: str) -> None:
    open_runs(page, app_url)
    field = page.get_by_role("combobox", name=re.compile("Chosen runs"))
    field.focus()
    for name in ("scenes/bce", "scenes/recam"):
        page.keyboard.type(name)
        page.keyboard.press("Enter")
        wait_until_finished(page)
        field.focus()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="scenes/recam against scenes/bce")).to_be_visible()
    expect(page.get_by_text(re.compile(r"scenes/recam (is|differs) .* interval .* 200 pictures"))).to_be_visible()
    expect(page).to_have_url(re.compile("chosen=scenes.*recam"))
    wait_until_finished(page)
    press(page, "The picture that tells most")
    expect(page).to_have_url(re.compile(r"/explore\?|/\?"))
    # The address leaves the picture out that the family opens with, which this one may be.
    expect(page.get_by_text(re.compile(r"val_\d{5} ·"))).to_be_visible()
    expect(page).to_have_url(re.compile("family=scenes"))  # both are the panes that the family begins with
    no_exception(page)


def test_from_a_dot_of_the_results_to_the_pictures_behind_a_class(page: Page, app_url: str) -> None:
    open_app(page, app_url, seconds=180)
    page.get_by_role("link", name="Results", exact=True).click()
    chart = ".st-key-results_chart"
    expect(page.locator(f"{chart} .js-plotly-plot .main-svg").first).to_be_visible()
    wait_until_finished(page)
    names = page.locator(f"{chart} .js-plotly-plot").evaluate(
        "chart => chart._fullData.flatMap(trace => Array.from(trace.customdata || [], "
        "([place], at) => ({ place, verdict: trace.name, told: trace.hovertext[at] })))"
    )
    worse = next(one for one in names if "<b>ReCAM</b>" in one["told"] and "objects only" in one["told"])
    told = hover(page, chart, worse["verdict"], [worse["place"]])
    assert "95% interval" in told
    press_mark(page, chart, worse["verdict"], [worse["place"]])
    expect(page.get_by_role("combobox", name="Behind a dot")).to_have_value(re.compile("objects only: ReCAM"))
    press(page, "Class by class, on Runs")
    expect(page.get_by_role("heading", name="scenes/recam against scenes/bce")).to_be_visible()
    wait_until_finished(page, 120)

    # A press on a class brings the ways to its pictures, as the field beside it does by keyboard.
    chart = ".st-key-runs_gains"
    first = page.locator(f"{chart} .js-plotly-plot").evaluate(
        "chart => chart._fullData.filter(one => one.customdata)"
        ".map(one => [one.name, one.customdata[0][0], one.hovertext[0]])"
    )[0]
    press_mark(page, chart, first[0], [first[1]])
    name = re.search("<b>(.*?)</b>", first[2]).group(1)
    expect(page.get_by_role("combobox", name="Pictures behind a class")).to_have_value(name)
    wait_until_finished(page)
    assert page.locator(f"{chart} .js-plotly-plot").evaluate(
        "chart => chart._fullData.some(one => one.marker?.symbol === 'circle-open')"
    )
    press(page, "Where it (gains|loses) most")
    expect(page).to_have_url(re.compile(r"/explore\?|/\?"))
    if name != "background":
        expect(page).to_have_url(re.compile(f"classes={name}"))
    expect(page.locator(".viewer[data-ready]")).to_be_visible(timeout=120_000)
    no_exception(page)


def test_a_finger_on_a_chart_scrolls_the_page_and_a_tap_presses(browser: Browser, app_url: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    page = context.new_page()
    open_app(page, f"{app_url}/results", seconds=180)
    chart = page.locator(".st-key-results_chart .js-plotly-plot")
    expect(chart.locator(".main-svg").first).to_be_visible()
    page.wait_for_function("() => window.chartsByTouch")
    shown = chart.evaluate("chart => chart._fullLayout.xaxis.range")
    box = chart.locator(".nsewdrag").first.bounding_box()
    finger, across, down = context.new_cdp_session(page), box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.8
    for kind, moved in (("touchStart", 0), *(("touchMove", 12 * step) for step in range(1, 15))):
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": across, "y": down - moved}]})
        page.wait_for_timeout(16)
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_function("() => document.querySelector('[data-testid=stMain]').scrollTop > 50")
    assert chart.evaluate("chart => chart._fullLayout.xaxis.range") == shown  # it was not zoomed

    trace, place = chart.evaluate("chart => [chart._fullData[0].name, chart._fullData[0].customdata[0][0]]")
    page.touchscreen.tap(*place_of(page, ".st-key-results_chart", trace, [place]))
    expect(page.get_by_role("button", name="Class by class, on Runs")).to_be_visible()
    context.close()
