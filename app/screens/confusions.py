"""Confusions: which classes are taken for each other, where in which pictures, and which method takes what back."""

import math
from html import escape

import streamlit as st

from app.catalogue import has_no_runs, read_catalogue
from app.confusions.choose import choose
from app.confusions.classes_section import classes_section
from app.confusions.comparison import Comparison, chosen_pictures, most_confused, prepare, scores_of
from app.confusions.matrix_section import matrix_section
from app.confusions.pairs_section import pairs_section
from app.confusions.pictures_section import pictures_section
from app.confusions.selection import Selection, selection
from app.datasets import dataset, notes_of_set
from app.export_panel import report_button
from app.guard import sentences
from app.links import keep, kept
from app.plain_words import plain
from recam_core.scores.band import band_words
from recam_core.scores.scores import Scores
from recam_core.scores.table import percent, unseen_note

#: Label, attribute of the scores, what it says.
_FIGURES = (
    ("mIoU", "miou", "Mean intersection over union of all classes."),
    ("wrong class", "wrong_class", "Of the objects' pixels, the share given to another class: confusion."),
    ("lost", "lost_to_background", "Of the objects' pixels, the share left to the background or unlabelled."),
)
#: The few rules of style that this page has beyond those of the app.
_STYLE = """
<style>
/* Galleries: as many pictures side by side as have room; the count of pixels stands on the picture. */
[class*="st-key-confusions_gallery_pictures_"] { display: grid !important; gap: 0.6rem; }
.st-key-confusions_gallery_pictures_3 { grid-template-columns: repeat(auto-fill, minmax(min(10.5rem, 45%), 1fr)); }
.st-key-confusions_gallery_pictures_6 { grid-template-columns: repeat(auto-fill, minmax(min(12rem, 45%), 1fr)); }
[class*="st-key-confusions_gallery_pictures_"] > div { width: 100% !important; }
[class*="st-key-confusions_gallery_pictures_"] button { aspect-ratio: 1; width: 100%; min-height: 0; padding: 0.35rem;
  background-size: cover; background-position: center; background-repeat: no-repeat; overflow: hidden;
  align-items: flex-end; justify-content: flex-start; transition: transform 120ms, box-shadow 120ms; }
[class*="st-key-confusions_gallery_pictures_"] button:hover {
  transform: translateY(-2px); box-shadow: 0 4px 14px #0004; }
[class*="st-key-confusions_gallery_pictures_"] button p { font-size: 0.74rem; line-height: 1.4; padding: 0 0.4rem;
  border-radius: 0.3rem; color: #fff; background: #10181bcc; }
[class*="st-key-confusions_gallery_one_"] > div { width: 100% !important; }
[class*="st-key-confusions_gallery_pictures_"] [class*="st-key-confusions_gallery_why_"] button { aspect-ratio: auto;
  min-height: 1.9rem; padding: 0 0.2rem; justify-content: flex-start; }
[class*="st-key-confusions_gallery_pictures_"] [class*="st-key-confusions_gallery_why_"] button:hover {
  transform: none; box-shadow: none; }
[class*="st-key-confusions_gallery_pictures_"] [class*="st-key-confusions_gallery_why_"] button p { color: inherit;
  background: none; padding: 0; font-size: 0.78rem; }
@media (prefers-reduced-motion: reduce) { [class*="st-key-confusions_gallery_pictures_"] button { transition: none; } }
.method-row { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: 0.8rem; }
.method-card { border: 1px solid var(--st-border-color, #8884); border-radius: 0.5rem; padding: 0.55rem 0.9rem;
  display: flex; flex-wrap: wrap; gap: 0.1rem 1.1rem; align-items: baseline; }
.method-card b { flex-basis: 100%; font-weight: 600; display: flex; justify-content: space-between; }
.method-card b small, .method-card span small { font-weight: 400; opacity: 0.7; }
.method-card span { font-size: 0.86rem; white-space: nowrap; }
.method-card strong { font-size: 1.05rem; font-weight: 600; font-variant-numeric: tabular-nums; }
/* A matrix is for a wide window; in a narrow one its cells are too small for a finger, and lists stand in its place. */
.st-key-confusions_matrix_lists { display: none; }
.st-key-confusions_matrix_lists { gap: 0.35rem; }
.st-key-confusions_matrix_lists button { justify-content: flex-start; min-height: 2.75rem; overflow: hidden; }
.st-key-confusions_matrix_lists button > div { justify-content: flex-start; width: auto; }
@media (max-width: 640px) {
  .st-key-confusions_matrix { display: none; }
  .st-key-confusions_matrix_lists { display: flex; }
}
.ramp { height: 0.6rem; width: 7rem; border-radius: 0.3rem; display: inline-block; }
</style>
"""
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
    st.html(_STYLE)
    st.title("Confusions")
    catalogue = read_catalogue()
    if has_no_runs(catalogue):
        return
    with sentences():
        compared = choose(catalogue)
        if compared is not None:
            _sections(compared)


def _sections(compared: Comparison) -> None:
    _score_strip(compared)
    if compared.band is not None:
        st.caption(f":material/shape_line: {_band_sentence(compared, compared.band)}")
    confusions = [scores_of(compared, method.key).confusion for method in compared.methods]
    if unseen := unseen_note(confusions, compared.classes.names):
        st.warning(plain(unseen), icon=":material/visibility_off:")
    for note in notes_of_set(compared.spec):
        st.caption(f":material/info: {plain(note)}")
    _section_of(compared)
    prepare(compared)


@st.fragment
def _section_of(compared: Comparison) -> None:
    """The chosen section, and what chooses it: what is pressed here redraws no more than this."""
    wanted = selection(len(compared.names), Selection(*most_confused(compared)))
    with sentences():
        with st.container(horizontal=True, vertical_alignment="center"):
            name = _section()
            st.space("stretch")
            report_button(
                compared.methods,
                dataset(compared.spec),
                compared.thresholds,
                chosen_pictures(compared),
                compared.about,
                with_single=compared.with_single,
                key="confusions_report",
            )
        _, sentence, draw = _SECTIONS[name]
        st.caption(sentence)
        draw(compared, wanted)


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


def _score_strip(compared: Comparison) -> None:
    """One card a method: how good it is at its threshold, and which of the two faults it has, next to the first one."""
    base = scores_of(compared, compared.methods[0].key)
    cards = []
    for place, method in enumerate(compared.methods):
        scores, threshold = scores_of(compared, method.key), compared.thresholds[method.key]
        cut = "arg-max" if threshold is None else f"threshold {threshold:.2f}"
        figures = "".join(
            f'<span title="{escape(meaning)}">{label} <strong>{percent(getattr(scores, name))}</strong>'
            f"{'' if place == 0 else _difference(scores, base, name)}</span>"
            for label, name, meaning in _FIGURES
        )
        title = escape(compared.titles[method.key])
        cards.append(f'<div class="method-card"><b>{title}<small>{cut}</small></b>{figures}</div>')
    st.html(f'<div class="method-row">{"".join(cards)}</div>')
    for method in compared.methods:
        if words := method.store.silent.words(compared.classes.names):
            st.warning(f"**{plain(compared.titles[method.key])}**: {plain(words)}", icon=":material/visibility_off:")


def _band_sentence(compared: Comparison, band: int) -> str:
    """What every figure of the page is of, with a band."""
    first = compared.methods[0]
    whole = first.counts if first.whole is None else first.whole.counts
    share = int(first.counts.total().sum()) / int(whole.total().sum())
    return (
        f"Every figure, list and gallery below counts only the pixels {band_words(band)} of the ground truth: "
        f"{share:.1%} of all."
    )


def _difference(scores: Scores, base: Scores, name: str) -> str:
    change = 100 * (getattr(scores, name) - getattr(base, name))
    if math.isnan(change):
        return ""
    words = "±0.0" if abs(change) < 0.05 else f"{change:+.1f}".replace("-", "−")
    return f" <small>{words}</small>"
