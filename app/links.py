"""What the address of the page keeps, so that a reload or a shared link shows the same."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

import streamlit as st

from app.shared_state import ARRIVING, CELL_ARRIVING, LAB_DEPTH, LAB_KIND, PAGES, TO_COMPARE, WHY_ARRIVING
from recam_core.data.sample import ClassList

#: The overlay that Explore opens with.
FIRST_OVERLAY = "taken"
#: What Explore shows unless told otherwise; such values stay out of the address.
_PLAIN: dict[str, Any] = {
    "overlay": FIRST_OVERLAY,
    "classes": [],
    "cut": "own",
    "thresholds": {},
    "opacity": 0.8,
    "colours": "viridis",
    "layout": "fit",
    "hidden": [],
    "extra": [],
    "pair": [],
    "wipe": 0.5,
    "off": [],
    "zoom": [1, 0.5, 0.5],
    "pin": None,
    "line": None,
}
#: Longer ones were not written by this page.
_LONGEST = 20_000
#: The value of the Lab page's address that names a grid of full trainings.
GRID = "grid"
#: The value of an address that names the training whose details are shown.
TRAINING = "training"


def keep(name: str, value: str, default: str = "") -> None:
    """Put a value into the address, or take it out where it is the default. Does nothing if that is so already."""
    if value == default:
        if name in st.query_params:
            del st.query_params[name]
    elif st.query_params.get(name) != value:
        st.query_params[name] = value


def kept(name: str, default: str = "") -> str:
    """The value in the address, or the default."""
    return st.query_params.get(name, default)


def as_list(values: Sequence[str]) -> str:
    """Texts as one value of an address; each may hold commas itself."""
    return ",".join(quote(value, safe=" /:") for value in values)


def from_list(text: str) -> list[str]:
    """What :func:`as_list` was given."""
    return [unquote(value) for value in text[:_LONGEST].split(",") if value]


# The view of the Explore page -----------------------------------------------------------------------------------------


def view_in_address(classes: ClassList) -> dict[str, Any]:
    """The fields of the viewer's view that the address names, and the overlay; the viewer checks what they hold."""
    view: dict[str, Any] = {"overlay": FIRST_OVERLAY}
    try:
        more = json.loads(kept("view", "{}")[:_LONGEST])
        view |= more if isinstance(more, dict) else {}
    except (ValueError, RecursionError):
        pass  # an address that was cut short or typed: the rest of it still counts
    if overlay := kept("overlay"):
        view["overlay"] = overlay
    if names := from_list(kept("classes")):
        view["classes"] = [classes.names.index(name) for name in names if name in classes.names]
    if threshold := kept("threshold"):
        with contextlib.suppress(ValueError):
            view |= {"threshold": float(threshold), "cut": "all"}
    return view


def keep_view(view: Mapping[str, Any], classes: ClassList) -> None:
    """Put the viewer's view into the address, readable where people may want to change it by hand."""
    shown = {name: value for name, value in view.items() if name not in _PLAIN or value != _PLAIN[name]}
    keep("overlay", str(shown.pop("overlay", "")))
    chosen = [int(k) for k in shown.pop("classes", [])]
    keep("classes", as_list([classes.names[k] for k in chosen if 0 <= k < len(classes)]))
    threshold = shown.pop("threshold", None)
    if shown.get("cut") == "all" and threshold is not None:
        del shown["cut"]
        keep("threshold", f"{threshold:.2f}")
    else:
        keep("threshold", "")
    keep("view", json.dumps(shown, separators=(",", ":")) if shown else "")


# From page to page ----------------------------------------------------------------------------------------------------


def remember_pages(pages: Mapping[str, Any]) -> None:
    """Let other pages be opened by name."""
    PAGES.set(dict(pages))


def open_explore(
    *,
    data: str,
    picture: str,
    classes: Sequence[str] = (),
    runs: Sequence[str] = (),
    threshold: float | None = None,
    overlay: str = "",
) -> None:
    """Leave for the Explore page with a picture opened.

    Args:
        data: specification of the data set.
        picture: id in it.
        classes: names of the classes to select; none selects all.
        runs: keys of the runs to show; none shows those that are chosen there.
        threshold: one background threshold for all; None leaves each method its own.
        overlay: what to lay over the photo.
    """
    address = {"data": data, "picture": picture, "overlay": overlay, "runs": as_list(runs), "classes": as_list(classes)}
    if threshold is not None:
        address["threshold"] = f"{threshold:.2f}"
    ARRIVING.set(True)
    st.switch_page(PAGES.get({})["explore"], query_params={name: value for name, value in address.items() if value})


def open_why(
    *,
    family: str,
    data: str,
    picture: str,
    runs: Sequence[str] = (),
    called: str = "",
    instead_of: str = "",
    pin: Sequence[int] | None = None,
    threshold: float | None = None,
) -> None:
    """Leave for the page Why with a question about a picture.

    Args:
        family: key of the family.
        data: specification of the data set; "" for the photo in :data:`app.shared_state.WHY_PHOTO`.
        picture: id in it.
        runs: keys of the run that is asked and of the one that came after it; none takes those that are chosen there.
        called: name of the class that the place is called; "" for what the map gives there.
        instead_of: name of the class that it is not called; "" for the truth.
        pin: column and row of the pixel; None asks of the largest region that is called so.
        threshold: one background threshold for both; None leaves each its own.
    """
    address = {"family": family, "data": data, "picture": picture, "runs": as_list(runs)}
    address |= {"called": called, "instead": instead_of, "from": "" if data else "photo"}
    if pin is not None:
        address["pin"] = f"{int(pin[0])}.{int(pin[1])}"
    if threshold is not None:
        address["threshold"] = f"{threshold:.2f}"
    WHY_ARRIVING.set(True)
    st.switch_page(PAGES.get({})["why"], query_params={name: value for name, value in address.items() if value})


def open_confusions(*, family: str, data: str, truth: int, predicted: int) -> None:
    """Leave for a cell of the confusion matrix.

    Args:
        family: key of the family.
        data: specification of the data set.
        truth, predicted: row and column: 0 background, k + 1 class k.
    """
    CELL_ARRIVING.set(True)
    address = {"family": family, "data": data, "cell": f"{truth}.{predicted}"}
    st.switch_page(PAGES.get({})["confusions"], query_params=address)


def open_lab_grid(name: str) -> None:
    """Leave for the result of a grid of full trainings on the Lab page."""
    # What the session remembers of the choices there must not win over the address.
    LAB_KIND.set("grid")
    LAB_DEPTH.set("full")
    st.switch_page(PAGES.get({})["lab"], query_params={"experiment": "grid", "depth": "full", GRID: name})


def open_runs(keys: Sequence[str]) -> None:
    """Leave for the page of runs with these side by side; the first is what the others are compared with."""
    TO_COMPARE.set(tuple(keys))
    st.switch_page(PAGES.get({})["runs"])


# Back -----------------------------------------------------------------------------------------------------------------

#: Streamlit makes an entry of the browser's history of every change of the address, and runs the page again on the way
#: back, which changes the address anew: Back would never leave a page that keeps its state there. And what is handed
#: over to the next page stands in the address of this one for a moment, where Back would find it.
_BACK = """<script>
if (!window.historyOfPages) {
  window.historyOfPages = true;
  const push = history.pushState.bind(history);
  const replace = history.replaceState.bind(history);
  const handingOver = 1500;
  let before = null;
  history.pushState = (state, title, url) => {
    const now = performance.now();
    if (before && now - before.time > handingOver) before = null;
    if (new URL(url, location.href).pathname === location.pathname) {
      before ??= { address: location.href, time: now };
      replace(state, title, url);
    } else {
      if (before) replace(state, title, before.address);
      before = null;
      push(state, title, url);
    }
  };
}
</script>"""


def back_leaves_the_page() -> None:
    """Let the browser's Back go from page to page; drawn once, below the page."""
    st.html(_BACK, unsafe_allow_javascript=True)
