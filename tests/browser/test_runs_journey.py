"""The page of runs in a real browser: marked, renamed, exported, deleted, taken in again, compared, looked at."""

import json
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from recam_core.checkpoint.places import shipped_folder
from recam_core.checkpoint.run_folder import INFO_FILE, read_info
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
    wait_until_finished(page)
    page.get_by_label("Find").fill("")
    page.get_by_label("Find").press("Enter")
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
