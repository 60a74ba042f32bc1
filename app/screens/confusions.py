"""Confusions: which classes are taken for each other, where in which pictures, and which method takes what back."""

import streamlit as st

from app.catalogue import has_no_runs, read_catalogue
from app.confusions import style
from app.confusions.choose import choose
from app.confusions.classes_section import classes_section
from app.confusions.comparison import Comparison, chosen_pictures, most_confused, prepare, scores_of
from app.confusions.matrix_section import matrix_section
from app.confusions.pairs_section import pairs_section
from app.confusions.pictures_section import pictures_section
from app.confusions.score_strip import score_strip
from app.confusions.selection import Selection, selection
from app.datasets import dataset, notes_of_set
from app.export_panel import report_button
from app.guard import sentences
from app.links import keep, kept
from app.plain_words import plain
from recam_core.scores.table import unseen_note

#: By the name in the address: what the section is called, the sentence that says what to do there, and what draws it.
_SECTIONS = {
    "matrix": (
        ":material/grid_on: Matrix",
        "Press a cell (in a narrow window, a line of the list) to see the pictures behind it, worst first.",
        matrix_section,
    ),
    "pairs": (
        ":material/compare_arrows: Pairs",
        "Choose a pair in the list or in the plot to see its pictures.",
        pairs_section,
    ),
    "classes": (
        ":material/category: Classes",
        "Choose a class to see where its pixels go, and what each method gains.",
        classes_section,
    ),
    "pictures": (
        ":material/photo_library: Pictures",
        "Sort the list to find pictures, or draw around points of the plot; tag them, or open one in Explore.",
        pictures_section,
    ),
}


def main() -> None:
    """Draw the page."""
    style.apply()
    st.title("Confusions")
    catalogue = read_catalogue()
    if has_no_runs(catalogue):
        return
    with sentences():
        compared = choose(catalogue)
        if compared is not None:
            _sections(compared)


def _sections(compared: Comparison) -> None:
    score_strip(compared)
    confusions = [scores_of(compared, method.key).confusion for method in compared.methods]
    if unseen := unseen_note(confusions, compared.classes.names):
        st.warning(plain(unseen), icon=":material/visibility_off:")
    for note in notes_of_set(compared.spec):
        st.caption(f":material/info: {plain(note)}")
    wanted = selection(len(compared.names), Selection(*most_confused(compared)))
    with st.container(horizontal=True, vertical_alignment="center"):
        name = _section()
        st.space("stretch")
        report_button(
            compared.methods,
            dataset(compared.spec),
            compared.thresholds,
            chosen_pictures(compared),
            compared.filter_words,
            with_single=compared.with_single,
            key="confusions_report",
        )
    _, sentence, draw = _SECTIONS[name]
    st.caption(sentence)
    draw(compared, wanted)
    prepare(compared)


def _section() -> str:
    begin = kept("section", "matrix")
    name = st.segmented_control(
        "Section",
        list(_SECTIONS),
        default=begin if begin in _SECTIONS else "matrix",
        required=True,
        format_func=lambda name: _SECTIONS[name][0],
        key="confusions_section",
        persist_state="session",
        wrap=True,
        label_visibility="collapsed",
    )
    keep("section", name or "matrix", "matrix")
    return name or "matrix"
