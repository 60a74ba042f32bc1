"""One's own data in a real browser: an upload as large as its button says, unpacked, named, checked."""

import io
import re
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from streamlit_page import no_exception, open_app, wait_until_finished


def large_zip(path: Path) -> Path:
    """A data set in a zip of some 40 MB: noise does not shrink."""
    noise = np.random.default_rng(0).integers(0, 256, (3700, 3600, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, format="PNG", compress_level=0)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pets/images/noise.png", stream.getvalue())
        archive.writestr("pets/labels.csv", "id,labels\nnoise,cat\n")
        archive.writestr("pets/run.py", "print(1)")
    assert path.stat().st_size > 36 << 20, "more than a photo may have"
    return path


def test_a_zip_larger_than_any_photo(page: Page, app_url: str, app_data: Path, tmp_path: Path) -> None:
    open_app(page, app_url, seconds=180)
    page.get_by_role("link", name="Data", exact=True).click()
    expect(page.get_by_text("No pictures are there yet")).to_be_visible()
    page.get_by_role("button", name=re.compile("Upload a zip")).click()
    expect(page.get_by_text("400MB per file").locator("visible=true").first).to_be_visible()
    page.locator(".st-key-data_set_zip_0 input[type=file]").set_input_files(large_zip(tmp_path / "mine.zip"))
    unpack = page.get_by_role("button", name="Unpack", exact=True)
    expect(unpack).to_be_enabled()
    unpack.click()
    expect(page.get_by_text(re.compile("Unpacked to"))).to_be_visible()
    wait_until_finished(page)
    assert sorted(file.name for file in (app_data / "pets").rglob("*.*")) == ["labels.csv", "noise.png"]
    expect(page.get_by_text(f"folder:{app_data / 'pets'}", exact=True)).to_be_visible()
    page.get_by_role("button", name=re.compile("Check it")).click()
    expect(page.get_by_text("No fault found.")).to_be_visible()
    no_exception(page)
