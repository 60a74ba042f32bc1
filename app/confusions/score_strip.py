"""One card a method: how good it is at its threshold, and which of the two faults it has."""

import math
from html import escape

import streamlit as st

from app.confusions.comparison import Comparison, scores_of
from app.plain_words import plain
from recam_core.scores.scores import Scores

#: Label, attribute of the scores, what it says.
_FIGURES = (
    ("mIoU", "miou", "Mean intersection over union of all classes."),
    ("wrong class", "wrong_class", "Of the objects' pixels, the share given to another class: confusion."),
    ("lost", "lost_to_background", "Of the objects' pixels, the share left to the background or unlabelled."),
)


def score_strip(compared: Comparison) -> None:
    """Draw the cards; differences are to the first method."""
    base = scores_of(compared, compared.methods[0].key)
    cards = []
    for place, method in enumerate(compared.methods):
        scores, threshold = scores_of(compared, method.key), compared.thresholds[method.key]
        cut = "arg-max" if threshold is None else f"threshold {threshold:.2f}"
        figures = "".join(
            f'<span title="{escape(meaning)}">{label} <strong>{_percent(getattr(scores, name))}</strong>'
            f"{'' if place == 0 else _difference(scores, base, name)}</span>"
            for label, name, meaning in _FIGURES
        )
        title = escape(compared.titles[method.key])
        cards.append(f'<div class="method-card"><b>{title}<small>{cut}</small></b>{figures}</div>')
    st.html(f'<div class="method-row">{"".join(cards)}</div>')
    for method in compared.methods:
        if words := method.store.silent.words(compared.classes.names):
            st.warning(f"**{plain(compared.titles[method.key])}**: {plain(words)}", icon=":material/visibility_off:")


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.1f}"


def _difference(scores: Scores, base: Scores, name: str) -> str:
    change = 100 * (getattr(scores, name) - getattr(base, name))
    if math.isnan(change):
        return ""
    words = "±0.0" if abs(change) < 0.05 else f"{change:+.1f}".replace("-", "−")
    return f" <small>{words}</small>"
