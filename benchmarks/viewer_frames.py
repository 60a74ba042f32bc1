"""Frames of the viewer while a hand drags the threshold over three panes of 512 x 512, and what reaches the server.

Headless Chromium in front of Streamlit. For each overlay the slider of the threshold is dragged from end to end by
events of a mouse; a frame is the time from one animation frame of the browser that drew to the next one, with the
browser told not to wait for a screen (which would make every frame 16.7 ms long, or twice that). In the same run the
server does the same work its own way, drawing three panes and packing them as images, to which a network and the
browser's decoding would come on top.

python benchmarks/viewer_frames.py   (needs Chromium and what is in requirements-test.txt)
"""

import argparse
import importlib.util
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recam_core.maps.activation_maps import argmax_and_activation, seed_mask
from recam_core.scores.scores import picture_scores
from recam_core.views.marks import draw_marks
from recam_core.views.pictures import encode
from recam_core.views.pixel_kinds import CLASS_ERRORS, error_codes

if TYPE_CHECKING:
    from viewer_browser import Locator, Page
    from viewer_cases import Case

ROOT = Path(__file__).resolve().parent.parent
OVERLAYS = ("errors", "taken", "seeds", "disagreement", "contour", "heat")
AIM = 1000 / 60
_UNBOUND = ("--disable-frame-rate-limit", "--disable-gpu-vsync")
_BEGIN = """root => {
  window.frames_ = [];
  let last = null, drawn = 0;
  const tick = () => {
    const now = performance.now(), count = root.viewer.frameTimes.length;
    if (last !== null && count > drawn) window.frames_.push(now - last);
    drawn = count;
    last = now;
    window.ticking_ = requestAnimationFrame(tick);
  };
  root.viewer.frameTimes = [];
  window.ticking_ = requestAnimationFrame(tick);
}"""
_END = """root => {
  cancelAnimationFrame(window.ticking_);
  const work = root.viewer.frameTimes;
  root.viewer.frameTimes = null;
  return { frames: window.frames_, work };
}"""


def drag(page: "Page", root: "Locator", moves: int) -> dict[str, Any]:
    """Drag the threshold to and fro; milliseconds of frames, and of our own work in those that drew."""
    box = root.locator("[data-field=threshold]").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 8, middle)
    page.mouse.down()
    page.wait_for_timeout(100)
    root.evaluate(_BEGIN)
    for move in range(moves):
        share = abs((move / moves * 4) % 2 - 1)  # from end to end and back, twice
        page.mouse.move(box["x"] + 8 + share * (box["width"] - 16), middle)
    times = root.evaluate(_END)
    page.mouse.up()
    return times


def server_seconds(shown: "Case", threshold: float) -> float:
    """Seconds in which Python draws, scores and packs the three panes of errors at one threshold."""
    readings = [argmax_and_activation(maps) for maps in shown.maps]
    begin = time.perf_counter()
    for winner, level in readings:
        seeds = seed_mask(winner, level, threshold)
        encode(draw_marks(shown.image, error_codes(seeds, shown.mask), CLASS_ERRORS), "jpeg")
        picture_scores(seeds, shown.mask, shown.classes)
    return time.perf_counter() - begin


def packing_seconds(shown: "Case") -> float:
    """Seconds in which Python packs the maps of a picture that it has, for the browser."""
    begin = time.perf_counter()
    shown.payload()
    return time.perf_counter() - begin


def main() -> None:
    """Print medians, the messages that were sent, and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moves", type=int, default=240)
    arguments = parser.parse_args()
    if not all(map(importlib.util.find_spec, ("playwright", "pytest"))):
        raise SystemExit("Skipped: needs what is in requirements-test.txt (`make test` installs it).")
    sys.path[:0] = [str(ROOT / "tests" / "browser"), str(ROOT / "tests")]
    from app_server import free_port, running_app
    from conftest import BROWSER_OPTIONS, BROWSERS
    from viewer_browser import exact, launched, open_viewer, set_view
    from viewer_cases import case

    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        raise SystemExit("Skipped: needs Chromium or Google Chrome.")
    shown = case("large")
    packing = statistics.median(packing_seconds(shown) for _ in range(5))
    server = statistics.median(server_seconds(shown, 0.02 * step) for step in range(5, 25))
    print(f"three panes of 512 x 512; packing them for the browser once: {1000 * packing:.0f} ms at the server")
    url = f"http://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "tests" / "browser" / "viewer_page.py")]
    command += ["--server.port", url.split(":")[-1]]
    with tempfile.TemporaryDirectory() as folder, launched(program, *BROWSER_OPTIONS, *_UNBOUND) as browser:
        with running_app(command, url, Path(folder) / "log", {"PYTHONPATH": str(ROOT)}):
            page = browser.new_page(viewport={"width": 1720, "height": 1000})
            sent: list[Any] = []
            page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
            root = open_viewer(page, url, "large")
            exact(root)
            for overlay in OVERLAYS:
                set_view(root, overlay=overlay, cut="all")
                page.wait_for_timeout(1500)  # what the change reports has been heard
                sent.clear()
                times = drag(page, root, arguments.moves)
                frame, work = statistics.median(times["frames"]), statistics.median(times["work"])
                slow = sorted(times["frames"])[int(0.95 * len(times["frames"]))]
                print(
                    f"{overlay:>13}: median frame {frame:.1f} ms (95% within {slow:.1f}), "
                    f"of which drawing {work:.1f} ms; {len(times['work'])} redraws, {len(sent)} messages to the server"
                )
                if overlay == "errors":
                    first = work
    print(
        f"errors at one threshold: {first:.1f} ms here, {1000 * server:.0f} ms at the server: "
        f"ratio {1000 * server / first:.1f}; aim: a median frame under {AIM:.1f} ms"
    )


if __name__ == "__main__":
    main()
