"""Which pictures train, which choose and which report: three cards, always in sight."""

from collections.abc import Mapping
from html import escape

import streamlit as st

from recam_core.experiments.protocol import PARTS, Protocol

_WORDS = {
    "fit": ("1 · train", "the {learners} learn from their labels"),
    "select": ("2 · choose", "settings and thresholds are picked here"),
    "report": ("3 · report", "figures are told here, nothing is picked"),
}


def parts_strip(protocol: Protocol, pictures: Mapping[str, int], learners: str = "heads") -> None:
    """Draw the cards; ``learners`` says what is trained."""
    words = {part: (_WORDS[part][0], _WORDS[part][1].format(learners=learners)) for part in PARTS}
    cards = [
        f"<div><b>{words[part][0]}: {escape(getattr(protocol, part))}</b>"
        f"<small>{pictures[part]:,} pictures; {words[part][1]}</small></div>"
        for part in PARTS
    ]
    st.html(f'<div class="lab-parts">{"".join(cards)}</div>')
