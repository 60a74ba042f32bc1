"""Which family Explore looks with: chosen in its list, or the one that knows most about a photo that is put in."""

from contextlib import suppress

import numpy as np
import streamlit as st

from app.carried import settled, taken_over
from app.catalogue import Catalogue, Family
from app.links import keep, kept
from app.map_cache import prediction_of
from app.methods import method_of_entry
from app.pictures import picture_of_upload
from app.plain_words import plain
from app.shared_state import CHOSEN_FAMILY
from recam_core.analysis.shown_first import knows_most, seen_classes
from recam_core.errors import UserError

#: So many of the classes that a network sees are named.
_NAMED = 3


def restore_family(catalogue: Catalogue, usual: Family) -> Family:
    """The family that the address names, or ``usual``; it becomes the chosen one."""
    named = {family.key: family for family in catalogue.families}.get(kept("family"))
    if named is not None:
        st.session_state["explore_family_by_hand"] = True
    family = named or usual
    st.session_state["explore_family"] = family.key
    return family


def explored_family(catalogue: Catalogue) -> Family:
    """The list of families."""
    families = {family.key: family for family in catalogue.families}
    # A link names a family by itself, or by its runs.
    named = bool(kept("family") or kept("runs"))
    elsewhere = taken_over(CHOSEN_FAMILY, "", "explore_family", named)
    if elsewhere in families:
        st.session_state["explore_family"] = elsewhere
        st.session_state["explore_family_by_hand"] = True
    if st.session_state.get("explore_family") not in families:
        st.session_state["explore_family"] = next(iter(families))
    key = st.selectbox(
        "Checkpoints",
        list(families),
        format_func=lambda key: families[key].title,
        key="explore_family",
        persist_state="session",
        on_change=_chosen_by_hand,
        help="\n".join(f"- **{plain(family.title)}**: {plain(family.about)}" for family in catalogue.families),
    )
    settled(CHOSEN_FAMILY, "", "explore_family", key, named)
    keep("family", key, next(iter(families)))
    return families[key]


def photo_came() -> None:
    """The uploader's callback: the next run asks who knows the photo, see :func:`propose_family`."""
    st.session_state["explore_photo_is_new"] = True


def propose_family(catalogue: Catalogue) -> None:
    """Where a photo of one's own came: ask the BCE-CAM networks of all families of photographs what they see in it.

    The family that knows most about it is taken, unless one was chosen by hand; then it is only proposed. To be called
    before the list of families is drawn.
    """
    if not st.session_state.pop("explore_photo_is_new", False):
        return
    _forget_proposal()
    photo, before = st.session_state.get("explore_photo"), st.session_state.get("explore_family")
    families = {family.key: family for family in catalogue.families}
    if photo is None or before not in families:
        return
    found: dict[str, np.ndarray] = {}
    with st.spinner("Asking the networks what they see in the photo"):
        for key, family in families.items():
            entry = family.by_method("bce")
            if entry is None or not family.introduction.of_photographs:
                continue
            # What is wrong with the photo or a network is said where it is shown.
            with suppress(UserError):
                picture = picture_of_upload(photo.getvalue(), photo.name, None, "", family.classes)
                found[key], _ = prediction_of(method_of_entry(entry), picture)
    if not found:
        return
    best = knows_most(found, {key: family.classes.has_background for key, family in families.items()})
    if best == before:
        return
    names = families[best].classes.names
    seen = sorted(seen_classes(found[best]).tolist(), key=lambda k: -found[best][k])
    st.session_state["explore_proposal_sees"] = ", ".join(f"{names[k]} {found[best][k]:.0%}" for k in seen[:_NAMED])
    if st.session_state.get("explore_family_by_hand", False):
        st.session_state["explore_proposal"] = best
    else:
        st.session_state["explore_family"] = best
        st.session_state["explore_family_before"] = before


def say_family(catalogue: Catalogue, family: Family) -> None:
    """After :func:`propose_family` took another family: a sentence that says so, and the way back; or the proposal."""
    titles = {family.key: family.title for family in catalogue.families}
    before = st.session_state.get("explore_family_before", "")
    proposal = st.session_state.get("explore_proposal", "")
    sees = st.session_state.get("explore_proposal_sees", "")
    knows = f"knows most about this photo{f': {sees}' if sees else ''}."
    if before in titles and before != family.key:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/swap_horiz: **{plain(family.title)}** {plain(knows)}", width="content")
            st.button(
                f"Back to {plain(titles[before])}",
                type="tertiary",
                key="explore_family_back",
                on_click=_choose_family,
                args=(before,),
            )
    elif proposal in titles and proposal != family.key:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/lightbulb: **{plain(titles[proposal])}** {plain(knows)}", width="content")
            st.button(
                f"Look with {plain(titles[proposal])}",
                type="tertiary",
                key="explore_family_proposed",
                on_click=_choose_family,
                args=(proposal,),
            )


def _choose_family(key: str) -> None:
    st.session_state["explore_family"] = key
    _chosen_by_hand()
    st.rerun()  # the sidebar, too


def _chosen_by_hand() -> None:
    st.session_state["explore_family_by_hand"] = True
    _forget_proposal()


def _forget_proposal() -> None:
    st.session_state.pop("explore_family_before", None)
    st.session_state.pop("explore_proposal", None)
    st.session_state.pop("explore_proposal_sees", None)
