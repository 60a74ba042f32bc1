"""Choosing a family of runs, on the pages that keep it in the address."""

import streamlit as st

from app.catalogue import Catalogue, Family
from app.links import keep, kept


def choose_family(catalogue: Catalogue, key: str, help: str | None = None) -> Family:
    """A list of the families; the address names one, or else it is the first.

    Args:
        catalogue: at least one family.
        key: of the widget.
        help: its help text.
    """
    families = {family.key: family for family in catalogue.families}
    wanted = kept("family", next(iter(families)))
    chosen = st.selectbox(
        "Checkpoints",
        list(families),
        index=list(families).index(wanted) if wanted in families else 0,
        format_func=lambda key: families[key].title,
        key=key,
        persist_state="session",
        help=help,
    )
    keep("family", chosen, next(iter(families)))
    return families[chosen]
