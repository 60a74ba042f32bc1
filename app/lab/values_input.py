"""A list of values with the usual ones in it, to take out and to add to."""

from collections.abc import Sequence

import streamlit as st

from recam_core.experiments.axes import value_text


def values_input(label: str, usual: Sequence[object], key: str, help: str) -> list[str]:
    """Texts of the chosen values; others can be typed."""
    texts = [value_text(value) for value in usual]
    chosen = st.multiselect(
        label,
        texts,
        default=texts,
        accept_new_options=True,
        key=key,
        persist_state="session",
        help=help,
    )
    return [str(text).strip() for text in chosen]
