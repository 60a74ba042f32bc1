"""Whole pages with data of the size of PASCAL VOC and of MS COCO: seconds to open, and the memory of the server.

The data are made synthetically and lie where the app finds what is real: a folder of pictures with masks (hard links to
a few), three runs of ResNet-50, and in the cache each run's maps and pixel counts. The app is then started as people
start it, and a headless Chromium opens its pages. A step is over when the page has drawn what it is about and its
script rests; the start of the server, with its imports, is not among them.

    python benchmarks/page_opening.py [--size voc|coco|both] [--folder KEEP_HERE]

Needs Chromium, what is in requirements-test.txt, and 5 GB of disk.
"""

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from error_analysis import SIZES, synthetic_counts
from PIL import Image, ImageDraw

from recam_core.analysis.analysed import analysed_name, settings_of
from recam_core.analysis.cell_index import CellIndex
from recam_core.analysis.counts_on_disk import open_counts
from recam_core.checkpoint.run_folder import RunInfo, save_run
from recam_core.data.digest import dataset_digest
from recam_core.data.sample import Dataset
from recam_core.data.spec import open_dataset
from recam_core.maps.activation_maps import GRID_STRIDE, ActivationMaps
from recam_core.maps.dataset_maps import store_info
from recam_core.maps.store import writing_store
from recam_core.model.network import CamNetwork

if TYPE_CHECKING:
    from viewer_browser import Locator, Page

ROOT = Path(__file__).resolve().parent.parent
METHODS = {"bce": "fc1", "sce": "fc1", "recam": "sum"}
WIDTH, HEIGHT = 500, 375
#: Pictures that differ; all others are links to them.
ORIGINALS = 40
AIM_SECONDS, AIM_BYTES = 2.0, 1.5e9


# Data ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Folders of the synthetic data of one size, each as the app knows it by its environment variable."""

    folder: Path

    @property
    def spec(self) -> str:
        return f"folder:{self.folder / 'data'}"

    @property
    def environment(self) -> dict[str, str]:
        # No shipped runs: the pages open with the synthetic ones.
        folders = {"RECAM_RUNS": "runs", "RECAM_CACHE": "cache", "RECAM_ASSETS": "assets"}
        return {name: str(self.folder / folder) for name, folder in folders.items()}


def make(place: Place, size: str) -> None:
    """Pictures, runs, maps and counts; does nothing if they are there."""
    done = place.folder / "made.json"
    if done.exists():
        return
    os.environ.update(place.environment)
    for folder in ("data/images", "data/masks", "runs", "cache", "assets"):
        (place.folder / folder).mkdir(parents=True, exist_ok=True)
    pictures = SIZES[size][0]
    _make_pictures(place, size)
    dataset = open_dataset(place.spec)
    began = time.perf_counter()
    digest = dataset_digest(dataset)
    labels = time.perf_counter() - began
    first = None
    for number, (method, rule) in enumerate(METHODS.items()):
        info = _make_run(place.folder / "runs" / method, method, rule, dataset, number)
        folder = place.folder / "cache" / analysed_name(info, rule, digest, settings_of(info), dataset.mask_stamp())
        with writing_store(folder / "maps", store_info(info, rule, dataset, settings_of(info))) as writer:
            for maps in _grids(dataset, number) if first is None else ():
                writer.add(maps)
        if first is None:
            first = folder / "maps"
        else:  # the same grids under another record: they are only read, and have 1.4 GB
            for name in ("maps.bin", "index.npz"):
                (folder / "maps" / name).unlink()
                os.link(first / name, folder / "maps" / name)
            head = json.loads((folder / "maps" / "store.json").read_text())
            (folder / "maps" / "store.json").write_text(json.dumps(head | {"pictures": pictures}))
        rows = place.folder / "rows"
        synthetic_counts(rows, size, number)
        CellIndex.write(open_counts(rows), folder / "cells")
        shutil.rmtree(rows)
    done.write_text(json.dumps({"labels": labels}))


def _make_pictures(place: Place, size: str) -> None:
    """Ellipses of one or two classes on a rough ground, as large and as detailed as photographs are."""
    pictures, classes, _ = SIZES[size]
    rng = np.random.default_rng(0)
    images, masks = place.folder / "data" / "images", place.folder / "data" / "masks"
    names = [f"class{k}" for k in range(classes)]
    (place.folder / "data" / "classes.txt").write_text("\n".join(["background", *names]))
    for number in range(ORIGINALS):
        mask = Image.new("L", (WIDTH, HEIGHT), 0)
        for k in _classes_of(number, classes):
            x, y = rng.integers(0, WIDTH - 200), rng.integers(0, HEIGHT - 150)
            ImageDraw.Draw(mask).ellipse((x, y, x + 200, y + 150), fill=k + 1)
        coarse = rng.integers(0, 256, (HEIGHT // 5, WIDTH // 5, 3), dtype=np.uint8)
        ground = np.asarray(Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)).astype(np.int16)
        ground[np.asarray(mask) > 0] //= 2
        photo = np.clip(ground + rng.integers(-12, 13, ground.shape), 0, 255).astype(np.uint8)
        Image.fromarray(photo).save(place.folder / f"{number}.jpg", quality=90)
        mask.save(place.folder / f"{number}.png")
    if size == "coco":  # whose labels are not read off masks, either
        rows = (
            f"{number:012d},{';'.join(names[k] for k in _classes_of(number, classes))}" for number in range(pictures)
        )
        (place.folder / "data" / "labels.csv").write_text("\n".join(["id,labels", *rows]))
    for number in range(pictures):
        os.link(place.folder / f"{number % ORIGINALS}.jpg", images / f"{number:012d}.jpg")
        os.link(place.folder / f"{number % ORIGINALS}.png", masks / f"{number:012d}.png")


def _classes_of(number: int, classes: int) -> list[int]:
    """The classes of a picture, as it shows them from the back to the front."""
    original = number % ORIGINALS
    return [(original * 7 + turn * 3) % classes for turn in range(1 + original % 2)]


def _make_run(path: Path, method: str, rule: str, dataset: Dataset, seed: int) -> RunInfo:
    torch.manual_seed(seed)
    network = CamNetwork("resnet50", len(dataset.classes), with_fc2=method == "recam")
    info = RunInfo(
        name=method,
        method=method,
        rule=rule,
        network={},
        classes=list(dataset.classes.names),
        has_background=dataset.classes.has_background,
        data=dataset.spec,
        recipe={"epochs": 0},
        seed=seed,
        threshold=0.3,
    )
    return save_run(path, network, info, half=True)


def _grids(dataset: Dataset, seed: int) -> "list[ActivationMaps]":
    """Smooth maps of the classes of each picture, drawn from a few."""
    rng = np.random.default_rng(seed)
    shape = (-(-HEIGHT // GRID_STRIDE), -(-WIDTH // GRID_STRIDE))
    drawn = []
    for index in range(ORIGINALS):
        classes = np.flatnonzero(dataset.labels(index))
        coarse = [Image.fromarray(rng.integers(0, 256, (6, 8), dtype=np.uint8)) for _ in classes]
        grids = [np.asarray(one.resize(shape[::-1], Image.Resampling.BICUBIC)) for one in coarse]
        drawn.append((classes, np.stack(grids)))
    return [
        ActivationMaps(picture, (HEIGHT, WIDTH), *drawn[number % ORIGINALS])
        for number, picture in enumerate(dataset.ids)
    ]


# Pages ---------------------------------------------------------------------------------------------------------------


@dataclass
class Visit:
    """One visitor: what was done, and how long it took.

    Attributes:
        page: the browser's page.
        url: of the app.
        seconds: of each step, in order.
    """

    page: "Page"
    url: str
    seconds: dict[str, float] = field(default_factory=dict)

    def step(self, name: str, act: Callable[[], object], *shown: "Locator") -> None:
        """Do something, and wait until the page shows what is asked for and its script rests."""
        begin = time.perf_counter()
        act()
        for locator in shown:
            locator.first.wait_for(state="attached", timeout=240_000)
        self.page.wait_for_function(_RESTS, timeout=240_000, polling=20)
        self.seconds[name] = time.perf_counter() - begin
        self.page.mouse.move(0, 0)  # hints that open under it cover what is pressed next
        self.page.wait_for_timeout(1200)  # the next step shall not pay for what this one left behind


#: Whether the script has run, nothing old is on the page, and charts are drawn.
_RESTS = """() => {
  const app = document.querySelector('[data-testid="stApp"]');
  if (!app || app.dataset.testScriptState !== 'notRunning' || app.dataset.testConnectionState !== 'CONNECTED')
    return false;
  if (document.querySelector('[data-stale="true"], [data-testid="stSkeleton"]')) return false;
  const charts = [...document.querySelectorAll('[data-testid="stPlotlyChart"]')];
  return charts.every((chart) => chart.querySelector('svg.main-svg'));
}"""


def look_around(page: "Page", url: str) -> dict[str, float]:
    """Seconds of each step of a visit to Explore and Confusions."""
    visit = Visit(page, url)

    def section(name: str) -> Callable[[], None]:
        choice = page.locator(".st-key-confusions_section")
        return choice.get_by_role("radio", name=name).or_(choice.get_by_role("button", name=name)).first.click

    def threshold(presses: int) -> Callable[[], None]:
        def press() -> None:
            slider = page.locator(".st-key-confusions_threshold").get_by_role("slider")
            slider.focus()
            for _ in range(presses):
                slider.press("ArrowRight")

        return press

    def cut(words: str) -> "Locator":
        return page.locator(".method-card", has_text=f"threshold {words}")

    def button(key: str) -> "Locator":
        # Streamlit draws a button with a hint twice, for fingers and for mice.
        return page.locator(f".st-key-{key} button").locator("visible=true").first

    viewer = page.locator(".viewer[data-ready]")
    matrix = page.locator(".st-key-confusions_matrix .hm image, .st-key-confusions_matrix .points path")
    picture = page.locator(".st-key-confusions_gallery_0 button")
    page.goto(f"{url}/about")  # the server's imports, and the browser's first look at the app's own files
    page.wait_for_function(_RESTS, timeout=240_000)

    visit.step("Explore", lambda: page.goto(f"{url}/"), viewer)
    title = page.locator(".st-key-explore_heading strong", has_text="000000000001")
    visit.step("another picture", button("explore_thumb_1").click, title)
    title = page.locator(".st-key-explore_heading strong", has_text="000000000012")
    pages = page.locator(".st-key-explore_pages")
    visit.step(
        "another page of pictures",
        pages.get_by_role("button").last.click,
        page.locator(".st-key-explore_thumb_12 button"),
    )
    visit.step("a picture of it", button("explore_thumb_12").click, title)

    visit.step("Confusions", page.get_by_role("link", name="Confusions").click, matrix, picture)
    steps = {
        "Matrix": matrix,
        "Pairs": page.locator(".st-key-confusions_pairs_chart .points path"),
        "Classes": page.locator(".st-key-confusions_gain_chart .points path"),
        "Pictures": page.get_by_text("the first ones; mark rows"),
    }
    at = 0.3
    for name, shown in steps.items():
        if name != "Matrix":
            visit.step(name, section(name), shown, picture)
        at += 0.01
        visit.step(f"  {name}, another threshold", threshold(1), cut(f"{at:.2f}"), shown, picture)
    visit.step("Matrix again", section("Matrix"), steps["Matrix"], picture)
    truth = page.locator(".st-key-confusions_choice_truth input")

    def other_pixels() -> None:
        truth.fill("class3")
        truth.press("Enter")

    visit.step("  other pixels", other_pixels, page.get_by_role("heading", name="Class3 "))
    return visit.seconds


def memory_of(pid: int) -> dict[str, float]:
    """Bytes: what is resident, what of it is the process's own (not pages of mapped files), and the peak."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    fields = {"resident": "VmRSS", "own": "RssAnon", "peak": "VmHWM"}
    return {name: int(lines[key].split()[0]) * 1024 for name, key in fields.items()}


def measure(size: str, folder: Path, program: str, shots: Path | None) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds of the steps, and the memory of the server after them."""
    from app_server import free_port, running_app
    from conftest import BROWSER_OPTIONS
    from viewer_browser import launched

    place = Place(folder / size)
    subprocess.run([sys.executable, __file__, "--make", size, "--folder", str(folder)], check=True)
    url = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "streamlit", "run", "app/main.py", "--server.port", url.split(":")[-1]]
    with (
        launched(program, *BROWSER_OPTIONS) as browser,
        running_app(command, url, folder / f"{size}.log", place.environment) as server,
    ):
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(60_000)
        seconds = look_around(page, url)
        if shots:
            page.screenshot(path=shots / f"{size}.png")
        return seconds, memory_of(server.process.pid)


def main() -> None:
    """Print the steps of both sizes side by side."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=[*SIZES, "both"], default="both")
    parser.add_argument("--folder", type=Path, help="keep the synthetic data here and use them again")
    parser.add_argument("--shots", type=Path, help="put a picture of the last page here")
    parser.add_argument("--make", choices=list(SIZES), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.make:
        make(Place(arguments.folder / arguments.make), arguments.make)
        return
    if not all(map(importlib.util.find_spec, ("playwright", "pytest"))):
        raise SystemExit("Skipped: needs what is in requirements-test.txt (`make test` installs it).")
    sys.path[:0] = [str(ROOT / "tests" / "browser"), str(ROOT / "tests")]
    from conftest import BROWSERS

    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        raise SystemExit("Skipped: needs Chromium or Google Chrome.")
    sizes = list(SIZES) if arguments.size == "both" else [arguments.size]
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary)).resolve()
        found = {size: measure(size, folder, program, arguments.shots) for size in sizes}
    heads = [f"{SIZES[size][0]:,} x {SIZES[size][1]}" for size in sizes]
    print(f"{'seconds, pictures x classes':<34}" + "".join(f"{head:>14}" for head in heads) + f"{'aim':>10}")
    for step in found[sizes[0]][0]:
        print(f"{step:<34}" + "".join(f"{found[size][0][step]:14.2f}" for size in sizes) + f"{AIM_SECONDS:10.1f}")
    for name in ("resident", "own", "peak"):
        figures = "".join(f"{found[size][1][name] / 1e9:14.2f}" for size in sizes)
        print(f"{'memory of the server, GB: ' + name:<34}{figures}{AIM_BYTES / 1e9:10.1f}")


if __name__ == "__main__":
    main()
