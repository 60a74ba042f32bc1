"""Which pictures train, which choose and which report: three cards, always in sight."""

from collections.abc import Mapping
from html import escape

import streamlit as st

from recam_core.experiments.protocol import PARTS, Protocol

_WORDS = {
    "fit": ("1 · train", "the heads learn from their labels"),
    "select": ("2 · choose", "settings and thresholds are picked here"),
    "report": ("3 · report", "figures are told here, nothing is picked"),
}


def parts_strip(protocol: Protocol, pictures: Mapping[str, int]) -> None:
    """Draw the cards."""
    cards = [
        f"<div><b>{_WORDS[part][0]}: {escape(getattr(protocol, part))}</b>"
        f"<small>{pictures[part]:,} pictures; {_WORDS[part][1]}</small></div>"
        for part in PARTS
    ]
    st.html(f'<div class="lab-parts">{"".join(cards)}</div>')
