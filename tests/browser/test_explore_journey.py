"""One visit, from the started app to the fourth pane: what the README promises, in a real browser."""

import os
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from recam_core.checkpoint.run_folder import read_info
from recam_core.folders import shipped_folder
from streamlit_page import no_exception, open_app, wait_until_finished

#: Fewer than the default 800 pictures: the journey is about the way, and their features take time on two cores.
METHODS = ["BCE-CAM", "ReCAM"]
TRAINING = f"scenes:train={200 if os.environ.get('RECAM_SCREENSHOTS') else 40}@train"


def pixels_of_first_pane(page: Page) -> str:
    return page.locator(".viewer .pane canvas").first.evaluate("canvas => canvas.toDataURL()")


def wait_for_panes(page: Page, titles: list[str]) -> None:
    """Wait until the viewer has drawn these panes."""
    expect(page.locator(".viewer[data-ready] .pane-head strong")).to_have_text(titles)
    expect(page.locator('[data-testid="stSkeleton"]')).to_have_count(0)


@pytest.mark.skipif(
    not (shipped_folder() / "scenes" / "recam" / "run.json").is_file(), reason="needs the shipped checkpoints"
)
def test_from_the_first_screen_to_a_recam_of_ones_own(
    app_url: str, app_runs: Path, page: Page, repo_root: Path, tmp_path: Path
) -> None:
    open_app(page, f"{app_url}/?family=scenes", seconds=180)
    wait_for_panes(page, METHODS)
    expect(page.get_by_text("false, on background")).to_be_visible()
    expect(page.get_by_text(re.compile("Computing on"))).to_be_visible()

    # Another picture by its thumbnail, another one by a key, and another view.
    viewer = page.locator(".viewer")
    first, pixels = viewer.get_attribute("data-ready"), pixels_of_first_pane(page)
    page.locator(".st-key-explore_thumbnails button[kind=secondary]").first.click()
    wait_until_finished(page)
    wait_for_panes(page, METHODS)
    expect(viewer).not_to_have_attribute("data-ready", first)  # a picture is decoded after the page's run
    assert pixels_of_first_pane(page) != pixels
    picture = re.search(r"picture=(\w+)", page.url)[1]
    page.locator(".viewer").focus()
    page.keyboard.press("ArrowRight")
    expect(page).not_to_have_url(re.compile(f"picture={picture}"))
    wait_until_finished(page)
    page.get_by_role("button", name="Heat", exact=True).click()
    expect(page).to_have_url(re.compile("overlay=heat"))
    page.get_by_role("button", name="Errors", exact=True).click()
    expect(page).to_have_url(re.compile("overlay=errors"))
    page.get_by_role("button", name="Taken back", exact=True).click()
    expect(page).not_to_have_url(re.compile("overlay="))

    # One threshold for all: scores follow at once, and the address when the hand rests.
    page.get_by_role("combobox", name="Threshold").select_option("all")
    scores = page.locator(".viewer .pane .scores").first
    before = scores.text_content()
    page.get_by_role("slider", name="One threshold for all methods").fill("0.4")
    expect(page.locator(".viewer .pane-head").first).to_contain_text("0.40")
    expect(scores).not_to_have_text(before)
    expect(page).to_have_url(re.compile("threshold=0.40"))
    wait_until_finished(page)

    # Settings of one's own, the button, and the fourth pane.
    page.get_by_text("Training pictures", exact=True).click()
    training = page.get_by_role("textbox", name="Data set to train on")
    training.fill(TRAINING)
    training.press("Enter")
    wait_until_finished(page)
    weight = page.get_by_role("spinbutton", name=re.compile("^Lambda")).or_(
        page.get_by_role("textbox", name=re.compile("^Lambda"))
    )
    weight.fill("0.5")
    weight.press("Enter")
    wait_until_finished(page)
    page.locator(".st-key-explore_start button").first.click()
    expect(page.get_by_text("Trained in")).to_be_visible(timeout=400_000)
    wait_until_finished(page)
    wait_for_panes(page, [*METHODS, "Your ReCAM"])
    no_exception(page)
    _keep_screenshot(page, repo_root, tmp_path)

    # It survives a reload, and can be kept.
    page.reload()
    wait_for_panes(page, [*METHODS, "Your ReCAM"])
    expect(page.get_by_role("combobox", name="Threshold")).to_have_value("all")
    name = page.get_by_role("textbox", name="Keep it as")
    name.fill("journey")
    name.press("Enter")
    wait_until_finished(page)
    page.locator(".st-key-explore_keep button").first.click()
    wait_for_panes(page, [*METHODS, "journey"])
    no_exception(page)
    assert read_info(app_runs / "journey").recipe["weight"] == 0.5


def _keep_screenshot(page: Page, repo_root: Path, tmp_path: Path) -> None:
    """A picture of the page; ``RECAM_SCREENSHOTS=1`` puts it in place of the one in docs."""
    page.locator('[data-testid="stMain"]').evaluate("element => element.scrollTo(0, 0)")
    page.wait_for_timeout(500)
    page.screenshot(path=tmp_path / "explore.png")
    assert (tmp_path / "explore.png").stat().st_size > 100_000
    kept = repo_root / "docs" / "explore.png"
    if os.environ.get("RECAM_SCREENSHOTS") or not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        shutil.copy(tmp_path / "explore.png", kept)
