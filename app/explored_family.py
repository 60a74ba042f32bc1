"""Which family Explore looks with: chosen in its list, or made for photos of one's own and taken when one is put in."""

import streamlit as st

from app.catalogue import Catalogue, Family
from app.links import keep, kept


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
    if st.session_state.get("explore_family") not in families:
        st.session_state["explore_family"] = next(iter(families))
    key = st.selectbox(
        "Checkpoints",
        list(families),
        format_func=lambda key: families[key].title,
        key="explore_family",
        persist_state="session",
        on_change=_chosen_by_hand,
        help="\n".join(f"- **{family.title}**: {family.about}" for family in catalogue.families),
    )
    keep("family", key, next(iter(families)))
    return families[key]


def photo_came(catalogue: Catalogue) -> None:
    """The uploader's callback: look with the family that is made for uploads, unless one was chosen by hand."""
    before = st.session_state.get("explore_family")
    made_for_it = [family.key for family in catalogue.families if family.introduction.for_uploads]
    if not made_for_it or before in made_for_it:
        return
    if st.session_state.get("explore_photo") is None or st.session_state.get("explore_family_by_hand", False):
        return
    st.session_state["explore_family"] = made_for_it[0]
    st.session_state["explore_family_before"] = before


def say_family(catalogue: Catalogue, family: Family) -> None:
    """After :func:`photo_came` took another family: a sentence that says so, and the way back."""
    titles = {family.key: family.title for family in catalogue.families}
    before = st.session_state.get("explore_family_before", "")
    if before not in titles or not family.introduction.for_uploads:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f":material/swap_horiz: A photo of your own is looked at with **{family.title}** first.", width="content"
        )
        st.button(
            f"Back to {titles[before]}", type="tertiary", key="explore_family_back", on_click=_go_back, args=(before,)
        )


def _go_back(before: str) -> None:
    st.session_state["explore_family"] = before
    _chosen_by_hand()


def _chosen_by_hand() -> None:
    st.session_state["explore_family_by_hand"] = True
    st.session_state.pop("explore_family_before", None)
