"""Where in the picture: pressed in the viewer, taken from the list of wrong regions, or typed; and the two classes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from app.carried import threshold_settled, threshold_taken_over
from app.links import keep, kept
from app.map_cache import payload_of
from app.plain_words import plain
from app.viewer import viewer
from app.why.question import Question, Scene, asked_classes, place_of
from recam_core.analysis.wrong_regions import WrongRegion
from recam_core.scores.metrics import value_names

_PIXEL, _REGION = "the pixel", "the region around it"
_FIRST_VIEW = {"overlay": "errors"}


def question(scene: Scene) -> Question | None:
    """Draw the viewer and what names the place and the classes; None until a place is chosen."""
    height, width = scene.picture.image.shape[:2]
    arrived = _arrive_at(scene)
    _take_threshold(scene)
    view = st.session_state["why_view"]
    payload = payload_of(scene.methods, scene.picture, scene.present, scene.classes, scene.how, scene.methods[0].key)
    look, ask = st.columns([2.1, 1], gap="large")
    with look:
        shown = viewer(payload, view, key="why_viewer", insists=st.session_state.pop("why_insists", False) or arrived)
    view = shown["view"]
    st.session_state["why_view"] = view
    _share_threshold(scene, view)
    seeds = scene.seeds(view)
    with ask:
        pin = _inside(view.get("pin"), width, height)
        regions = scene.wrong(seeds)
        _region_list(scene, regions, pin)
        _numbers(pin, width, height)
        if pin is None:
            st.info(
                "Press a pixel of the picture, choose a region above, or type a column and a row.",
                icon=":material/ads_click:",
            )
            keep("pin", "")
            return None
        keep("pin", f"{pin[0]}.{pin[1]}")
        whole = st.segmented_control(
            "Ask of", [_PIXEL, _REGION], default=_PIXEL, required=True, key="why_place_kind", persist_state="session",
            help="The region is everything around the pixel that hangs together with it, is given to the same class by "
            "the run before, and has the same ground truth. Every number is then the mean over it.",
        )  # fmt: skip
        a, b = _classes(scene, seeds, pin)
    pixels = place_of(scene, seeds, *pin, whole == _REGION)
    return Question(scene, *pin, pixels, seeds, a, b)


# The pixel -----------------------------------------------------------------------------------------------------------


def _arrive_at(scene: Scene) -> bool:
    """For another picture (or a link), pin the pixel that is asked about first; whether that was done."""
    at = (scene.spec, scene.picture.key, scene.methods[0].key)
    view = {**_FIRST_VIEW, **(st.session_state.get("why_view") or {})}
    before = st.session_state.get("why_at")
    st.session_state["why_at"] = at
    linked = st.session_state.pop("why_linked", False)
    if before == at and not linked:
        st.session_state["why_view"] = view
        return False
    if linked and kept("threshold"):
        view |= _cut(kept("threshold"))
    height, width = scene.picture.image.shape[:2]
    named = _named_pin(width, height) if linked else None
    called, instead = (_class(scene, kept(name)) if linked else None for name in ("called", "instead"))
    if named is None:
        seeds = scene.seeds(view)
        wanted = [None if k is None else k + 1 for k in (instead, called)]
        found = scene.wrong(seeds, *wanted)
        if not found and any(wanted):  # it may be the run after that calls it so
            found = scene.wrong(seeds[1:], *wanted)
        named = (found[0].column, found[0].row) if found else (width // 2, height // 2)
        st.session_state["why_not_found"] = bool(any(wanted) and not found)
    view["pin"] = list(named)
    st.session_state["why_view"] = view
    st.session_state["why_named_classes"] = (called, instead)
    st.session_state.pop("why_asked", None)
    return True


def _class(scene: Scene, name: str) -> int | None:
    return scene.classes.names.index(name) if name in scene.classes.names else None


def _cut(text: str) -> dict[str, Any]:
    try:
        value = float(text)
    except ValueError:
        return {}
    return {"cut": "all", "threshold": value} if 0 <= value <= 1 else {}


def _named_pin(width: int, height: int) -> tuple[int, int] | None:
    parts = kept("pin").split(".")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) < 7 for part in parts):
        return None
    return _inside([int(part) for part in parts], width, height)


def _inside(pin: Any, width: int, height: int) -> tuple[int, int] | None:
    """A pin as pixel numbers of this picture."""
    if not pin:
        return None
    return min(max(round(pin[0]), 0), width - 1), min(max(round(pin[1]), 0), height - 1)


def _pin(column: int, row: int) -> None:
    st.session_state["why_view"] = {**(st.session_state.get("why_view") or {}), "pin": [column, row]}
    st.session_state["why_insists"] = True


def _region_list(scene: Scene, regions: list[WrongRegion], pin: tuple[int, int] | None) -> None:
    """The largest wrong regions, as buttons."""
    title = plain(scene.methods[0].title)
    if not scene.picture.has_truth:
        st.caption("This picture has no ground truth, so nobody knows which pixels are wrong. Any can be asked about.")
        return
    if not regions:
        st.success(f"{title} has no wrong region here. Any pixel can be asked about.", icon=":material/check_circle:")
        return
    names = value_names(scene.classes)
    after = plain(scene.methods[1].title) if len(scene.methods) > 1 else ""

    def words(place: int) -> str:
        one = regions[place]
        right = f", {after} has {one.right_after / one.pixels:.0%} right" if after and one.right_after else ""
        return f"{plain(names[one.truth])} → {plain(names[one.taken_for])} · {one.pixels:,} px{right}"

    at = [place for place, one in enumerate(regions) if (one.column, one.row) == pin]
    st.session_state["why_region"] = at[0] if at else None

    def chosen() -> None:
        place = st.session_state["why_region"]
        if place is not None and place < len(regions):
            _pin(regions[place].column, regions[place].row)

    st.pills(
        f"Wrong regions of {title}", range(len(regions)), format_func=words, key="why_region", wrap=True,
        on_change=chosen,
        help="What hangs together, is of one truth and is given to one wrong class: truth → what it is called. Those "
        "that the run after has right come first.",
    )  # fmt: skip


def _numbers(pin: tuple[int, int] | None, width: int, height: int) -> None:
    """The way by keyboard to what a press in the picture does."""
    column, row = st.columns(2, gap="small", wrap=False)
    st.session_state["why_column"], st.session_state["why_row"] = pin or (None, None)

    def typed() -> None:
        if st.session_state["why_column"] is not None and st.session_state["why_row"] is not None:
            _pin(int(st.session_state["why_column"]), int(st.session_state["why_row"]))

    column.number_input(
        "Column", 0, width - 1, key="why_column", step=1, on_change=typed, placeholder=f"0 to {width - 1}"
    )
    row.number_input("Row", 0, height - 1, key="why_row", step=1, on_change=typed, placeholder=f"0 to {height - 1}")


# The classes ---------------------------------------------------------------------------------------------------------


def _classes(scene: Scene, seeds: tuple[np.ndarray, ...], pin: tuple[int, int]) -> tuple[int, int]:
    """A and B: as the pixel proposes them, until others are chosen for it."""
    names = scene.classes.names
    order = [*scene.present, *(k for k in range(len(names)) if k not in scene.present)]
    at = (st.session_state["why_at"], pin)
    before, a, b = st.session_state.get("why_asked", (None, 0, 1))
    if before != at:
        a, b = asked_classes(scene, seeds, *pin)
        called, instead = st.session_state.pop("why_named_classes", (None, None))
        a = a if called is None else called
        b = b if instead is None else instead
    if a == b:
        b = next(k for k in order if k != a)
    # Not the widgets' own memory, which ends where another page is looked at.
    st.session_state["why_asked"] = (at, a, b)
    st.session_state["why_a"] = a
    st.session_state["why_b"] = b

    def chosen() -> None:
        st.session_state["why_asked"] = (at, st.session_state["why_a"], st.session_state["why_b"])

    left, right = st.columns(2, gap="small", wrap=False)
    left.selectbox("Why", order, format_func=names.__getitem__, key="why_a", on_change=chosen)
    others = [k for k in order if k != a]
    right.selectbox("and not", others, format_func=names.__getitem__, key="why_b", on_change=chosen)
    keep("called", names[a])
    keep("instead", names[b])
    if st.session_state.get("why_not_found"):
        st.caption(
            f"At this threshold, {plain(scene.methods[0].title)} calls nothing here {plain(names[a])} that is "
            f"{plain(names[b])}; the middle of the picture is asked about."
        )
    return a, b


# The threshold -------------------------------------------------------------------------------------------------------


def _take_threshold(scene: Scene) -> None:
    """Cut the maps as another page does, if that was set there."""
    if fields := threshold_taken_over(scene.classes, "why_cut", bool(kept("threshold"))):
        st.session_state["why_view"] = {**st.session_state["why_view"], **fields}
        st.session_state["why_insists"] = True


def _share_threshold(scene: Scene, view: Mapping[str, Any]) -> None:
    value = threshold_settled(scene.classes, "why_cut", view)
    if value is not None:
        keep("threshold", f"{value:.2f}" if isinstance(value, float) else "")
