"""Theory: what the two losses do to logits, to a data set and to the weights, and the equations on a picture."""

from collections.abc import Callable

import streamlit as st

from app.catalogue import Catalogue, read_catalogue
from app.guard import sentences
from app.links import keep, kept
from app.theory.equations_section import equations_section, losses_section
from app.theory.on_data_section import figure1_section, negatives_section
from app.theory.weights_section import weights_section

#: Each section: its name on the page, and what draws it.
SECTIONS: dict[str, tuple[str, Callable[[Catalogue], None]]] = {
    "losses": (":material/balance: Two losses", losses_section),
    "equations": (":material/function: Equations", equations_section),
    "negatives": (":material/timeline: On a data set", negatives_section),
    "figure1": (":material/bar_chart: Figure 1", figure1_section),
    "weights": (":material/grid_on: Weights", weights_section),
}


def main() -> None:
    """Draw the page."""
    st.title("Theory, live", anchor=False)
    first = next(iter(SECTIONS))
    if st.session_state.get("theory_section") not in SECTIONS:
        named = kept("section")
        st.session_state["theory_section"] = named if named in SECTIONS else first
    section = st.segmented_control(
        "Section", list(SECTIONS), format_func=lambda key: SECTIONS[key][0], required=True, key="theory_section",
        persist_state="session", label_visibility="collapsed",
    ) or first  # fmt: skip
    keep("section", section, first)
    with sentences():
        SECTIONS[section][1](read_catalogue())
