"""What a newcomer to Explore is told: what is compared, what it shows here, and where to look next; large on a wall."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.analysed import kept_analysis
from app.catalogue import Family
from app.explore.picker import choose_picture
from app.guard import sentences
from app.map_cache import Inference, maps_of, threshold_now
from app.methods import Method
from app.pictures import Picture
from app.plain_words import plain
from recam_core.analysis.shown_first import Standing, standing
from recam_core.analysis.taken_back import WhatChanged, change_sentence, what_changed
from recam_core.data.sample import ClassList
from recam_core.maps.activation_maps import ActivationMaps, argmax_and_activation, seed_mask

_IN_ADDRESS = "present"
_TITLE = "Where does the network see what?"
_COMPARED = (
    "It was only ever told what a picture shows. These are its answers to where: as they are usually read (BCE-CAM), "
    "and by ReCAM."
)
_RULE = (
    "Gain of a picture: the pixels that ReCAM has right and BCE-CAM wrong, less those that ReCAM has wrong and BCE-CAM "
    "right, as a share of the pixels that count; each method at its own threshold, by the maps that are kept. The lab "
    "opens with the family whose best picture has the largest gain, among those that gain on the mean, and with that "
    "picture. A family on which ReCAM loses on the mean opens with the picture on which it loses most."
)
#: Nothing but the picture, what is said of it, and large type.
_PRESENTATION = """
<style>
[data-testid="stSidebar"], [data-testid="stExpandSidebarButton"], [data-testid="stHeader"] { display: none !important; }
.block-container, [data-testid="stMainBlockContainer"] { padding: 1.2rem 2rem 1rem !important; }
.st-key-explore_top h1 { font-size: 1.9rem !important; }
.st-key-explore_lead p { font-size: 1.6rem !important; line-height: 1.3; }
.st-key-explore_heading p { font-size: 1.25rem !important; }
</style>
"""


def is_presenting() -> bool:
    """Whether the address asks for the presentation mode."""
    return st.query_params.get(_IN_ADDRESS) == "1"


def top_of_page() -> DeltaGenerator:
    """The title, and a line that says what is compared; returns the place below them, for what is said of a picture."""
    if is_presenting():
        st.html(_PRESENTATION)
    top = st.container(key="explore_top", gap="xsmall")
    with top.container(gap=None):
        st.title(_TITLE, anchor=False)
        if not is_presenting():
            st.markdown(_COMPARED)
    return top


def present_button() -> None:
    """Into the presentation mode."""
    st.button(
        "Present",
        icon=":material/slideshow:",
        key="explore_present_start",
        on_click=_set_presenting,
        args=(True,),
        help="For a projector: no sidebar and no controls, large type; the arrow keys turn to other pictures, and all "
        "keys of the viewer work.",
    )


def leave_button() -> None:
    """Out of it again."""
    st.button(
        "Leave",
        icon=":material/close_fullscreen:",
        type="tertiary",
        key="explore_present_leave",
        on_click=_set_presenting,
        args=(False,),
    )


def _set_presenting(presents: bool) -> None:
    if presents:
        st.query_params[_IN_ADDRESS] = "1"
    elif _IN_ADDRESS in st.query_params:
        del st.query_params[_IN_ADDRESS]
    st.rerun()  # all of the page


# What it shows here, and where to look next ---------------------------------------------------------------------------


def say_sentence(
    family: Family,
    picture: Picture,
    methods: Sequence[Method],
    present: tuple[int, ...],
    how: Inference,
    view: Mapping[str, Any],
) -> str:
    """A sentence about the picture, where there is ground truth; returns it.

    Args:
        family: that is looked with.
        picture: that is looked at.
        methods, present, how: what the viewer's payload was made from.
        view: what the viewer reports; its thresholds count.
    """
    shown = {method.key: method for method in methods}
    pair = [shown[entry.key] for entry in family.pair or () if entry.key in shown]
    sentence = _sentence(pair, methods, picture, present, family.classes, how, view) if len(pair) == 2 else ""
    if sentence:
        st.markdown(f"**{plain(sentence)}**", help=None if is_presenting() else _RULE)
    return sentence


def lead_on(family: Family, picture: Picture) -> None:
    """Two buttons: the next striking picture, and the one on which ReCAM loses most; none where nothing is kept."""
    with sentences():
        found = _standing_on(family, picture)
        if found is None or picture.source is None:
            return
        picture_id = picture.source[1]
        following, worst = found.after(picture_id), found.worst
        gains = (
            f"ReCAM gains on {len(found.striking):,} of {len(found.ids):,}, on the mean {100 * found.mean:+.1f} points."
        )
        _jump(
            "Next striking picture",
            "explore_next_striking",
            following,
            f"The one with the next smaller gain. {gains}" if following else "ReCAM gains on no other picture.",
        )
        _jump(
            "Where ReCAM loses most",
            "explore_worst",
            None if worst == picture_id else worst,
            "The picture with the largest loss." if worst else "ReCAM loses on none of these pictures.",
        )


def _jump(label: str, key: str, target: str | None, help: str) -> None:
    st.button(label, key=key, help=help, disabled=target is None, on_click=_choose, args=(target,))


def _choose(picture_id: str) -> None:
    choose_picture(picture_id)
    st.rerun()  # the sidebar, too


def _standing_on(family: Family, picture: Picture) -> Standing | None:
    """How the two stand to each other on the set that the picture is of; None where no maps of it are kept."""
    if picture.source is None or family.pair is None or not picture.has_truth:
        return None
    spec = picture.source[0]
    if spec == family.pictures and family.standing is not None:
        return family.standing
    first, second = (kept_analysis(entry, entry.info.rule, spec) for entry in family.pair)
    if first is None or second is None:
        return None
    stores = tuple(one.store.path.parent.name for one in (first, second))
    return _standing(stores, (first.threshold, second.threshold), lambda: standing(first, second))


@st.cache_resource(max_entries=16, show_spinner=False)
def _standing(stores: tuple[str, ...], thresholds: tuple[float | None, ...], _make: Callable[[], Standing]) -> Standing:
    return _make()


def _sentence(
    pair: Sequence[Method],
    methods: Sequence[Method],
    picture: Picture,
    present: tuple[int, ...],
    classes: ClassList,
    how: Inference,
    view: Mapping[str, Any],
) -> str:
    """What the second method does with what the first gets wrong; "" without ground truth."""
    if picture.truth is None:
        return ""
    if len(present) == 1 and not classes.has_background:
        return "A single class and no background: every pixel goes to it, whatever the method."
    maps = [maps_of(method, picture, present, how) for method in pair]
    change = _change(
        tuple(method.weights_key for method in pair),
        picture.key_with_mask,
        tuple(threshold_now(method, methods, classes, view) for method in pair),
        present,
        classes,
        how,
        maps,
        picture.truth,
    )
    return "" if change is None else change_sentence(change, classes, *(method.title for method in pair))


@st.cache_data(max_entries=400, show_spinner=False)
def _change(
    weights: tuple[str, ...],
    picture: str,
    thresholds: tuple[float | None, ...],
    present: tuple[int, ...],
    classes: ClassList,
    how: Inference,
    _maps: Sequence[ActivationMaps],
    _mask: np.ndarray,
) -> WhatChanged | None:
    before, after = (seed_mask(*argmax_and_activation(maps), cut) for maps, cut in zip(_maps, thresholds, strict=True))
    return what_changed(before, after, _mask, classes)
