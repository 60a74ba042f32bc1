"""Opening another picture in Explore: its maps stored, against its maps computed first.

The whole page is run at the server, without a browser, as a press on a thumbnail runs it.

    python benchmarks/opening_pictures.py
"""

import statistics
import time
from pathlib import Path

from streamlit.testing.v1 import AppTest

MAIN = Path(__file__).resolve().parent.parent / "app" / "main.py"
#: The same kind of pictures twice; only the first set's maps ship.
STORED, COMPUTED = "scenes@val", "scenes:seed=987,val=40@val"


def seconds_to_open(spec: str, most: int) -> list[float]:
    """Seconds of each press on a thumbnail of the first page that shows ``spec``; the very first is left out."""
    page = AppTest.from_file(str(MAIN), default_timeout=300)
    page.query_params["data"] = spec
    page.run()
    thumbnails = [button.key for button in page.button if str(button.key).startswith("thumb_")]
    seconds = []
    for key in thumbnails[: most + 1]:
        began = time.perf_counter()
        page.button(key=key).click().run()
        seconds.append(time.perf_counter() - began)
        if page.exception:
            raise SystemExit(f"the page failed on {spec}: {page.exception[0].message}")
    return seconds[1:]


def main() -> None:
    """Print both medians and their ratio."""
    stored = seconds_to_open(STORED, 10)
    computed = seconds_to_open(COMPUTED, 4)
    fast, slow = statistics.median(stored), statistics.median(computed)
    print(f"maps stored: median {fast * 1e3:.0f} ms, longest {max(stored) * 1e3:.0f} ms (aim: under 300)")
    print(f"maps computed: median {slow * 1e3:.0f} ms; ratio {slow / fast:.0f}")


if __name__ == "__main__":
    main()
