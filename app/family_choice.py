"""Choosing a family of runs, on the pages that keep it in the address."""

import streamlit as st

from app.carried import settled, taken_over
from app.catalogue import Catalogue, Family
from app.links import keep, kept
from app.shared_state import CHOSEN_FAMILY


def choose_family(catalogue: Catalogue, key: str, help: str | None = None) -> Family:
    """A list of the families; the address names one, or another page has chosen it, or else it is the first.

    Args:
        catalogue: at least one family.
        key: of the widget.
        help: its help text.
    """
    families = {family.key: family for family in catalogue.families}
    named = kept("family")
    elsewhere = taken_over(CHOSEN_FAMILY, "", key, named=named in families)
    if elsewhere in families:
        st.session_state[key] = elsewhere
    elif st.session_state.get(key) not in families:
        st.session_state[key] = named if named in families else next(iter(families))
    chosen = st.selectbox(
        "Checkpoints",
        list(families),
        format_func=lambda key: families[key].title,
        key=key,
        persist_state="session",
        help=help,
    )
    settled(CHOSEN_FAMILY, "", key, chosen, named=named == chosen)
    keep("family", chosen, next(iter(families)))
    return families[chosen]
