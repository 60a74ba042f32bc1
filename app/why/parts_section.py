"""Which parts of the picture speak for A rather than B: the difference of the two classes, all over the photo."""

from html import escape

import numpy as np
import streamlit as st

from app.confusions.plain_words import plain
from app.why.answers import AS_MAP, Told
from app.why.question import Question
from recam_core.views.enlarge import enlarge_photo, screen_factor
from recam_core.views.evidence_overlay import FOR_A, FOR_B, evidence_overlay
from recam_core.views.pin import draw_pin


def evidence_columns(question: Question, answers: list[Told]) -> None:
    """The signed difference of the two classes by each method, in one scale of colours a method."""
    a, b = map(plain, question.names)
    _legend(*question.names)
    for column, one in zip(st.columns(len(answers), gap="large"), answers, strict=True):
        evidence = one.evidence(AS_MAP)
        image = question.scene.picture.image
        factor = screen_factor(image.shape[:2])
        most = float(np.quantile(np.abs(evidence), 0.98))
        picture = evidence_overlay(enlarge_photo(image, factor), evidence, most)
        share = float((evidence > 0).mean())
        column.markdown(f"**{plain(one.method.title)}**")
        column.image(
            draw_pin(picture, question.column, question.row, factor),
            width="stretch",
            alt=f"{one.method.title}: {share:.0%} of the picture speaks for {question.names[0]} rather than "
            f"{question.names[1]}",
        )
        column.caption(
            f"{a} leads in {share:.0%} of the picture, {b} in the rest; full colour is a lead of {most:.2g} or more."
        )


def _legend(a: str, b: str) -> None:
    marks = "".join(
        f'<span><i style="background:rgb{colour}"></i>speaks for {escape(name)}</span>'
        for colour, name in ((FOR_A, a), (FOR_B, b))
    )
    st.html(f'<div class="legend">{marks}<span>ring: the place</span></div>')
