"""One visit, from the started app to the fourth pane: what the README promises, in a real browser."""

import os
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from recam_core.checkpoint.places import shipped_folder
from recam_core.checkpoint.run_folder import read_info
from streamlit_page import no_exception, open_app, wait_until_finished

#: Fewer than the default 800 pictures: the journey is about the way, and their features take time on two cores.
TRAINING = "scenes:train=200@train"


def wait_for_pictures(page: Page, count: int) -> None:
    """Wait until that many panes show a picture that has arrived."""
    panes = page.locator(".st-key-panes img")
    expect(panes).to_have_count(count, timeout=120_000)
    page.wait_for_function(
        "() => [...document.querySelectorAll('.st-key-panes img')].every(i => i.complete && i.naturalWidth > 100)"
    )
    expect(page.locator('[data-testid="stSkeleton"]')).to_have_count(0, timeout=60_000)


@pytest.mark.skipif(
    not (shipped_folder() / "scenes" / "recam" / "run.json").is_file(), reason="needs the shipped checkpoints"
)
def test_from_the_first_screen_to_a_recam_of_ones_own(
    app_url: str, app_runs: Path, page: Page, repo_root: Path, tmp_path: Path
) -> None:
    page.set_default_timeout(60_000)
    open_app(page, app_url, seconds=180)
    wait_for_pictures(page, 3)
    for title in ("BCE-CAM", "SCE-CAM", "ReCAM"):
        expect(page.locator(".st-key-panes").get_by_text(title, exact=True)).to_be_visible()
    expect(page.get_by_text("false, on background")).to_be_visible()
    expect(page.get_by_text(re.compile("Computing on"))).to_be_visible()

    # Another picture by its thumbnail, and another view.
    first = page.locator(".st-key-panes img").first.get_attribute("src")
    page.locator(".st-key-thumbnails button[kind=secondary]").first.click()
    wait_until_finished(page)
    wait_for_pictures(page, 3)
    assert page.locator(".st-key-panes img").first.get_attribute("src") != first
    assert "picture=" in page.url
    page.get_by_role("radio", name="Heat map").or_(page.get_by_role("button", name="Heat map")).click()
    wait_until_finished(page)
    expect(page.get_by_text("the maximum of the map")).to_be_visible()
    page.get_by_role("radio", name="Errors").or_(page.get_by_role("button", name="Errors")).click()
    wait_until_finished(page)

    # One threshold for all, by keyboard.
    page.get_by_role("slider", name="Background threshold").press("ArrowRight")
    wait_until_finished(page)
    expect(page.get_by_role("checkbox", name="Each method's own").or_(page.get_by_role("switch"))).not_to_be_checked()

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
    page.locator(".st-key-start button").first.click()
    expect(page.get_by_text("Trained in")).to_be_visible(timeout=400_000)
    wait_until_finished(page)
    wait_for_pictures(page, 4)
    expect(page.locator(".st-key-panes").get_by_text("Your ReCAM", exact=True)).to_be_visible()
    expect(page.locator('.st-key-panes [data-testid="stMetric"]')).to_have_count(16)
    no_exception(page)
    _keep_screenshot(page, repo_root, tmp_path)

    # It survives a reload, and can be kept.
    page.reload()
    wait_for_pictures(page, 4)
    name = page.get_by_role("textbox", name="Keep it as")
    name.fill("journey")
    name.press("Enter")
    wait_until_finished(page)
    page.locator(".st-key-keep button").first.click()
    expect(page.locator(".st-key-panes").get_by_text("journey", exact=True)).to_be_visible(timeout=60_000)
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
