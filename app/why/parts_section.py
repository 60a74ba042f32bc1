"""Which parts of the picture speak for A rather than B: the difference of the two classes, and attribution methods."""

from html import escape

import numpy as np
import streamlit as st

from app.attributions import HEADS, attribution_method, methods_help, ready_methods
from app.links import keep, kept
from app.map_cache import maps_of
from app.methods import Method
from app.plain_words import plain
from app.why.answers import AS_MAP, Told
from app.why.question import Question
from app.why.shown_picture import show_picture
from recam_core.attribution.table import METHODS
from recam_core.maps.activation_maps import full_size
from recam_core.views.colours import FOR_A, FOR_B, colour_bar, evidence_overlay, heat_overlay
from recam_core.views.pictures import data_url, draw_pin, enlarge_levels, enlarge_photo, screen_factor

#: In the place of an attribution method: the difference of the two maps, which costs nothing more.
_DIFFERENCE = "difference"


def parts_section(question: Question, answers: list[Told]) -> None:
    """The chooser, and a picture a method."""
    a, b = map(plain, question.names)
    st.markdown(f"#### Which parts of the picture speak for {a} rather than {b}")
    way, head = _choice()
    with st.container(key="why_parts"):
        if way == _DIFFERENCE:
            _differences(question, answers)
        else:
            _attributions(question, answers, way, head)


def _choice() -> tuple[str, str]:
    """The method, and whose logits it explains."""
    ways = [_DIFFERENCE, *METHODS]
    if "why_way" not in st.session_state:
        st.session_state["why_way"] = kept("way") if kept("way") in ways else _DIFFERENCE
        st.session_state["why_head"] = kept("explains") if kept("explains") in HEADS else "rule"
    left, right, _ = st.columns([1.4, 1, 1.6], gap="medium")
    way = left.selectbox(
        "By", ways, format_func=lambda key: "Difference of the maps" if key == _DIFFERENCE else METHODS[key].title,
        key="why_way", persist_state="session",
        help="- **Difference of the maps**: what one class has less what the other has at each place, exact and for "
        "free.\n" + methods_help() + "\n\nEach attribution method explains the difference of the two logits; what "
        "takes long is told first, and made after a press.",
    )  # fmt: skip
    head = right.selectbox(
        "Explaining", list(HEADS), format_func=HEADS.__getitem__, key="why_head", persist_state="session",
        disabled=way == _DIFFERENCE, help="The logits of FC1 or FC2, or those of the weights that make the run's map.",
    )  # fmt: skip
    keep("way", way, _DIFFERENCE)
    keep("explains", head if way != _DIFFERENCE else "rule", "rule")
    return way, head


def _differences(question: Question, answers: list[Told]) -> None:
    """The signed difference of the two classes by each run."""
    names = question.names
    a, b = map(plain, names)
    marks = "".join(
        f'<span><i style="background:rgb{colour}"></i>speaks for {escape(name)}</span>'
        for colour, name in zip((FOR_A, FOR_B), names, strict=True)
    )
    st.html(f'<div class="legend">{marks}<span>ring: the place</span></div>')
    image = question.scene.picture.image
    factor = screen_factor(image.shape[:2])
    for column, one in zip(st.columns(len(answers), gap="large"), answers, strict=True):
        evidence = one.evidence(AS_MAP)
        # A single peak would leave all else pale.
        most = float(np.quantile(np.abs(evidence), 0.98))
        picture = evidence_overlay(enlarge_photo(image, factor), evidence, most)
        share = float((evidence > 0).mean())
        column.markdown(f"**{plain(one.method.title)}**")
        with column:
            show_picture(
                draw_pin(picture, question.column, question.row, factor),
                f"{one.method.title}: {share:.0%} of the picture speaks for {names[0]} rather than {names[1]}",
            )
        column.caption(
            f"{a} leads in {share:.0%} of the picture, {b} in the rest; full colour is a lead of {most:.2g} or more."
        )


def _attributions(question: Question, answers: list[Told], way: str, head: str) -> None:
    """A heat map a run: what the method finds to speak for A rather than B."""
    scene = question.scene
    st.caption(f"{METHODS[way].about} In symbols, of the difference of the two logits: {plain(METHODS[way].equation)}.")
    wanted = [
        attribution_method(one.method.entry, way, head, [(question.a, question.b)])
        for one in answers
        if one.method.entry is not None
    ]
    ready = ready_methods(wanted, scene.picture, (question.a,), "why_attribution")
    if not ready:
        return
    bar = data_url(colour_bar())
    st.html(
        f'<div class="legend"><span>nothing <img class="bar" src="{bar}" alt=""> most for '
        f"{escape(question.names[0])}</span><span>ring: the place</span></div>"
    )
    for column, method in zip(st.columns(len(wanted), gap="large"), ready, strict=False):
        with column:
            _heat(question, method)


def _heat(question: Question, method: Method) -> None:
    maps = maps_of(method, question.scene.picture, (question.a,), question.scene.how)
    levels, image = full_size(maps)[0], question.scene.picture.image
    st.markdown(f"**{plain(method.title)}** · {plain(method.about)}")
    if not levels.any():
        st.info(f"Nothing speaks for {plain(question.names[0])} here by this method.", icon=":material/blur_off:")
        return
    factor = screen_factor(image.shape[:2])
    picture = heat_overlay(enlarge_photo(image, factor), enlarge_levels(levels, factor), opacity=0.55)
    here = levels[question.pixels].mean() / 255
    show_picture(
        draw_pin(picture, question.column, question.row, factor),
        f"{method.title}: the place has {here:.0%} of the most that speaks for {question.names[0]}",
    )
    st.caption(f"The place has {here:.0%} of the greatest value.")
