"""Equations whose terms light up the part of a real picture's computation that they stand for."""

from pathlib import Path

import numpy as np
import streamlit as st

from app.catalogue import Catalogue, Entry
from app.models import shared_run
from app.theory.picture import choose_picture, choose_run
from recam_core.theory.walkthrough import walkthrough
from recam_core.views.equation_board import equation_board

_HERE = Path(__file__).resolve().parent / "lit"
_component = st.components.v2.component(
    "recam_equations",
    html=(_HERE / "equations.html").read_text(encoding="utf-8"),
    css=(_HERE / "equations.css").read_text(encoding="utf-8"),
    js=(_HERE / "equations.js").read_text(encoding="utf-8"),
)


def equations_section(catalogue: Catalogue) -> None:
    """Draw the section. Raises UserError where the picture cannot be looked at."""
    if not catalogue.families:
        st.info("There are no runs yet: the page *Explore* says how to make one.", icon=":material/inventory_2:")
        return
    looked = choose_picture(catalogue)
    family, picture = looked.family, looked.picture
    if not picture.labels:
        st.info("This picture shows no class that these checkpoints know.", icon=":material/label:")
        return
    left, right, _ = st.columns([1, 1.2, 1.2], gap="medium")
    names = family.classes.names
    with left:
        key = f"theory_class_{looked.spec}"
        if st.session_state.get(key) not in picture.labels:
            st.session_state[key] = picture.labels[0]
        p = st.selectbox(
            "Class k", picture.labels, format_func=lambda k: names[k], key=key, persist_state="session",
            help="Equations 2 to 7 are carried out for this class.",
        )  # fmt: skip
    with right:
        pair = family.pair
        entry = choose_run(
            family, "theory_walked", "Network", pair[1] if pair else None,
            "One with FC2 carries out all equations; one without ends with the third.",
        )  # fmt: skip
    board = _board(
        entry.info.weights_sha256, entry.info.rule, picture.key, picture.labels, p, entry, picture.image, names
    )
    _component(key="theory_equations", data=board)


@st.cache_data(max_entries=24, show_spinner="Carrying the equations out")
def _board(
    weights: str,
    rule: str,
    key: str,
    labels: tuple[int, ...],
    p: int,
    _entry: Entry,
    _image: np.ndarray,
    names: tuple[str, ...],
) -> dict:
    """Made once a picture, class and network; pointing at terms asks for nothing more."""
    shared = shared_run(_entry)
    with shared.lock:
        walk = walkthrough(shared.run.network, _image, labels, p, rule)
    return equation_board(walk, _image, names)
