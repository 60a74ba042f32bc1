"""Explore: BCE-CAM, SCE-CAM and ReCAM of one picture, side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.attributions import attribution_method, ready_methods
from app.carried import forget, threshold_settled, threshold_taken_over
from app.catalogue import Catalogue, Entry, Family, read_catalogue
from app.copy_link import copy_link
from app.explore.family import explored_family, photo_came, propose_family, restore_family, say_family
from app.explore.first_screen import is_presenting, lead_on, leave_button, present_button, say_sentence, top_of_page
from app.explore.picker import can_step, open_picture, pick_picture, step_picture
from app.explore.retrain import fourth_pane, is_retrained, retrain_panel
from app.explore.sidebar import MOST_PANES, WantedPanes, choose_methods, restore_methods
from app.export_panel import export_panel, panes_to_export
from app.guard import sentences
from app.links import FIRST_OVERLAY, from_list, keep_view, kept, open_why, view_in_address
from app.map_cache import Inference, make_ready, payload_of, prediction_of, silence_of
from app.methods import Method, method_of_entry
from app.models import device_words
from app.pictures import FROM_SET, Picture
from app.plain_words import plain
from app.shared_state import ARRIVING, WHY_PHOTO
from app.viewer import viewer
from recam_core.analysis.shown_first import seen_classes
from recam_core.data.sample import ClassList
from recam_core.report.picture_page import picture_page, picture_sentence, set_words, silent_words
from recam_core.views.figure_cells import FigurePane
from recam_core.views.viewer_payload import ViewerPayload

_EMPTY = """
There are no checkpoints to look at yet. The shipped ones belong in `assets/checkpoints`; your own are made by

```
python -m recam_core train bce --data scenes@train --val scenes@val --preset small --out runs/bce
python -m recam_core train recam --data scenes@train --val scenes@val --preset small --init runs/bce --out runs/recam
```
"""


def main() -> None:
    """Draw the page."""
    catalogue = read_catalogue()
    if not catalogue.families:
        st.info(_EMPTY, icon=":material/inventory_2:")
        _faults(catalogue)
        return
    if _is_arriving():
        _restore(catalogue)
    # Before the picker is drawn: its widgets cannot be set afterwards.
    step_picture(st.session_state.pop("explore_step", 0))
    propose_family(catalogue)
    picture = None
    with st.sidebar:
        family = explored_family(catalogue)
        with sentences():
            picture = pick_picture(family, on_photo=_photo_came)
        wanted = choose_methods(family)
        with sentences():
            st.caption(f":material/memory: Computing on **{device_words()}**")
    # None while the whole page is drawn: see _main_area.
    st.session_state["explore_is_whole"] = None
    is_whole = _main_area(catalogue, family, picture, wanted)
    st.session_state["explore_is_whole"] = is_whole
    if is_whole:
        retrain_panel(family, is_retrained(family))
    _faults(catalogue)


@st.fragment
def _main_area(
    catalogue: Catalogue,
    family: Family,
    picture: Picture | None,
    wanted: WantedPanes,
) -> bool:
    """What is said of the picture and its panes, redrawn by itself whenever the viewer reports another view; whether
    there are panes, and controls with them."""
    top = top_of_page()
    say_family(catalogue, family)
    is_whole = False
    if picture is None:
        st.info(
            "Choose a picture in the sidebar, and its maps appear here. Where one cannot be shown, the sidebar says "
            "why.",
            icon=":material/add_photo_alternate:",
        )
    else:
        with sentences():
            is_whole = _look(top, family, picture, wanted)
    if st.session_state["explore_is_whole"] not in (None, is_whole):
        st.rerun()  # there are panes now, or none any more: the panel below comes or goes
    return is_whole


def _photo_came() -> None:
    """A photo has no ground truth, as a rule: it opens in the heat view, until a picture of a set is looked at."""
    photo_came()
    if st.session_state.get("explore_photo") is not None:
        view = st.session_state.get("explore_view") or {}
        st.session_state.setdefault("explore_overlay_before", view.get("overlay", FIRST_OVERLAY))
        _show_overlay("heat")


def _overlay_of_sets() -> None:
    """Back from a photo, the overlay is the one from before, unless another than heat was chosen meanwhile."""
    if st.session_state["explore_source"] == FROM_SET and "explore_overlay_before" in st.session_state:
        before = st.session_state.pop("explore_overlay_before")
        if (st.session_state.get("explore_view") or {}).get("overlay") == "heat":
            _show_overlay(before)


def _show_overlay(overlay: str) -> None:
    st.session_state["explore_view"] = {**(st.session_state.get("explore_view") or {}), "overlay": overlay}
    st.session_state["explore_insists"] = True


def _is_arriving() -> bool:
    """Whether the address counts more than what the session remembers: on the first look, and after a jump."""
    first_look = not st.session_state.get("explore_seen", False)
    st.session_state["explore_seen"] = True
    return ARRIVING.pop(False) or first_look


def _restore(catalogue: Catalogue) -> None:
    """Set the page to what the address says."""
    forget("explore_family")
    forget("explore_data")
    forget("explore_shown")
    forget("explore_panes")
    forget("explore_cut")
    runs = from_list(kept("runs"))
    of_runs = (f for f in catalogue.families if any(entry.key in runs for entry in f.entries))
    family = restore_family(catalogue, next(of_runs, catalogue.families[0]))
    open_picture(family.key, family.pictures, kept("data") or family.pictures, kept("picture"))
    restore_methods(family, runs)
    st.session_state["explore_view"] = view_in_address(family.classes)


def _attributed(
    picture: Picture,
    present: tuple[int, ...],
    attributions: list[tuple[Entry, str, str]],
    room: int,
) -> list[Method]:
    """The attribution panes whose maps are there; for the others a panel tells the cost."""
    if len(attributions) > room:
        st.caption(
            f":material/info: There is room for {room} of the {len(attributions)} attribution panes; take out panes "
            "or methods to see the others."
        )
    wanted = [attribution_method(entry, method, head) for entry, method, head in attributions[: max(room, 0)]]
    return ready_methods(wanted, picture, present, "explore_attribution")


def _look(top: DeltaGenerator, family: Family, picture: Picture, wanted: WantedPanes) -> bool:
    """Panes for one picture; what is said of it stands at the top. Whether all of it could be drawn."""
    methods: list[Method] = []
    how, attributions, said = wanted.how, wanted.attributions, set[str]()
    for entry in wanted.entries:
        with sentences(said):
            method = method_of_entry(entry, wanted.rule)
            make_ready(method, picture, how)  # what cannot be read is left out here, and spoils no other pane
            methods.append(method)
    made = fourth_pane(family)
    if made is not None:
        methods.append(made)
    if not methods and not attributions:
        if not wanted.entries:
            st.info(
                "No method is chosen: add one under *Methods and maps* in the sidebar.",
                icon=":material/visibility_off:",
            )
        return False
    for note in picture.notes:
        st.caption(f":material/info: {plain(note)}")
    asked = methods[0] if methods else method_of_entry(attributions[0][0])
    present = _present_classes(family, picture, asked)
    if not present:
        return False
    methods += _attributed(picture, present, attributions, MOST_PANES + 1 - len(methods))
    if not methods:
        return False
    _overlay_of_sets()
    lead = top.container(key="explore_lead")
    heading = top.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="explore_heading")
    with st.spinner("Computing maps", show_time=True):
        bce = family.by_method("bce")
        payload = payload_of(methods, picture, present, family.classes, how, None if bce is None else bce.key)
    _say_silent(methods, picture, present, family.classes, how)
    _take_threshold(family)
    shown = viewer(
        payload,
        st.session_state.get("explore_view"),
        key="explore_viewer",
        can_step=can_step(),
        presenting=is_presenting(),
        insists=st.session_state.pop("explore_insists", False),
    )
    st.session_state["explore_view"] = shown["view"]
    threshold_settled(family.classes, "explore_cut", shown["view"])
    keep_view(shown["view"], family.classes)
    if shown["step"]:
        st.session_state["explore_step"] = shown["step"]
        st.rerun()
    # Filled only now: the sentence, the link and the exports are of the view that the viewer has just reported.
    with lead:
        sentence = say_sentence(family, picture, methods, present, how, shown["view"])
    with heading:
        names = ", ".join(family.classes.names[k] for k in present)
        st.markdown(f"**{plain(picture.title)}** · {plain(names)}", width="stretch")
        if is_presenting():
            leave_button()
            return False
        lead_on(family, picture)
        present_button()
        _copy_link(picture)
        panes = lambda: panes_to_export(methods, picture, present, family.classes, how, shown["view"])  # noqa: E731
        export_panel(
            picture,
            panes,
            family.classes,
            shown["view"],
            lambda title: _page(title, picture, panes(), present, family.classes, payload, shown["view"], sentence),
            key="explore_export",
        )
    # Below the picture: above it, one button more would push the scores out of sight in a small window.
    _why_button(family, picture, methods, shown["view"])
    return True


def _say_silent(
    methods: Sequence[Method], picture: Picture, present: tuple[int, ...], classes: ClassList, how: Inference
) -> None:
    """Of each pane, the classes of the picture that it shows nothing of: an empty map looks like a finding."""
    for method in methods:
        if words := silence_of(method, picture, present, classes, how):
            st.warning(f"**{plain(method.title)}**: {plain(words)}", icon=":material/visibility_off:")


def _take_threshold(family: Family) -> None:
    """Cut the panes as another page does, if that was set there."""
    if fields := threshold_taken_over(family.classes, "explore_cut", bool(kept("threshold"))):
        st.session_state["explore_view"] = {**(st.session_state.get("explore_view") or {}), **fields}
        st.session_state["explore_insists"] = True


def _page(
    title: str,
    picture: Picture,
    panes: Sequence[FigurePane],
    present: tuple[int, ...],
    classes: ClassList,
    payload: ViewerPayload,
    view: Mapping[str, Any],
    sentence: str,
) -> bytes:
    """The viewer as it stands, as a file of its own."""
    if not sentence and picture.has_truth and panes:
        sentence = picture_sentence(panes, picture.mask, classes)
    names = ", ".join(classes.names[k] for k in present)
    where = f"{picture.title} of {set_words(picture.source[0])}" if picture.source else picture.title
    return picture_page(
        payload,
        view,
        title=title,
        sentence=sentence,
        about=f"{where}: {names}. {silent_words(panes, classes)}".strip(". "),
    )


def _why_button(family: Family, picture: Picture, methods: Sequence[Method], view: Mapping[str, Any]) -> None:
    """To the page Why, with the picture, the pinned pixel, and the first and last run that are shown."""
    runs = [method.key for method in methods if method.entry is not None]
    if st.button(
        "Why?",
        icon=":material/quiz:",
        key="explore_why",
        help="Which parts of the picture and which channels speak for a wrong class: at the pixel that is pinned "
        "(press one in a pane), or in the largest wrong region.",
    ):
        data, shown = picture.source or ("", "")
        if not data:
            WHY_PHOTO.set((family.key, picture))
        open_why(
            family=family.key,
            data=data,
            picture=shown,
            runs=list(dict.fromkeys([*runs[:1], *runs[-1:]])),
            pin=view.get("pin"),
            threshold=view.get("threshold") if view.get("cut") == "all" else None,
        )


def _copy_link(picture: Picture) -> None:
    """The way to share the view."""
    notes = ["It holds the whole view: data, picture, runs, classes, threshold and overlay."]
    if picture.source is None:
        notes.append("An uploaded photo stays in this session: a link cannot hold it.")
    copy_link(notes, key="explore_link")


def _present_classes(family: Family, picture: Picture, method: Method) -> tuple[int, ...]:
    """The classes to make maps of: the known labels, or what the network sees, which may be corrected."""
    if picture.labels:
        return picture.labels
    probabilities, seen = prediction_of(method, picture)
    order = np.argsort(-probabilities).tolist()
    names = family.classes.names
    # A softmax always has a largest; of classes by themselves there may be none that the network is sure of.
    found = list(seen) if method.softmax else seen_classes(probabilities).tolist()
    chosen = st.multiselect(
        "Classes in this picture",
        order,
        default=found,
        format_func=lambda k: f"{names[k]} ({probabilities[k]:.0%})",
        key=f"explore_present_{picture.key}_{family.key}",
        help=f"The picture comes without labels. These are what {plain(method.title)} sees in it. Add what it missed "
        "and take out what is not there: maps are made of these classes only.",
    )
    if not chosen and not found:
        st.info(
            f"{plain(method.title)} finds none of the {len(names)} classes that *{plain(family.title)}* knows in this "
            f"picture. The likeliest is {plain(names[order[0]])}, at {probabilities[order[0]]:.0%}. Choose above what "
            "it shows to see maps of that, or other checkpoints in the sidebar.",
            icon=":material/search_off:",
        )
    elif not chosen:
        st.info("Name at least one class that the picture shows.", icon=":material/label:")
    return tuple(sorted(chosen))


def _faults(catalogue: Catalogue) -> None:
    """Run folders that could not be read."""
    if catalogue.faults:
        with st.expander(f":material/warning: {len(catalogue.faults)} run folders cannot be read"):
            for fault in catalogue.faults:
                st.markdown(f"- {plain(fault)}")
