"""Why: which parts of a picture, and which channels, speak for the class that a place is wrongly given to."""

import streamlit as st

from app.carried import share
from app.catalogue import Catalogue, has_no_runs, read_catalogue
from app.copy_link import copy_link
from app.guard import sentences
from app.links import keep, kept, open_confusions, open_explore
from app.plain_words import plain
from app.shared_state import CHOSEN_DATA, CHOSEN_FAMILY, WHY_ARRIVING
from app.why.another import another, arrive_another
from app.why.choose import arrive, choose
from app.why.evidence_section import channels_section, parts_section
from app.why.place import question
from app.why.question import AS_MAP, MethodAnswer, Question, Scene, method_answers
from app.why.scores_section import scores_section
from recam_core.analysis.why import Answer, why_sentence

_RUNS, _OTHER = "runs", "classifier"
_WAYS = {_RUNS: "Runs of the lab", _OTHER: "Another classifier"}
_ABOUT = (
    "Pin a pixel that is wrong, and ask the network: why this class and not that one? The answer is in its features "
    "and in the weights of its classifiers, before and after ReCAM."
)


def main() -> None:
    """Draw the page."""
    st.title("Why A and not B?", anchor=False)
    catalogue = read_catalogue()
    if WHY_ARRIVING.pop(False) or not st.session_state.get("why_seen", False):
        st.session_state["why_ask"] = kept("ask") if kept("ask") in _WAYS else _RUNS
        arrive()
        if st.session_state["why_ask"] == _OTHER:
            arrive_another()
        st.session_state["why_linked"] = True
    st.session_state["why_seen"] = True
    way = st.segmented_control(
        "Ask", list(_WAYS), format_func=_WAYS.__getitem__, required=True, key="why_ask", persist_state="session",
        label_visibility="collapsed", on_change=st.query_params.clear,
        help="Runs of the lab know ReCAM and have a second classifier; any other classifier can be asked by the same "
        "methods.",
    ) or _RUNS  # fmt: skip
    keep("ask", way, _RUNS)
    if way == _OTHER:
        another(catalogue)
        return
    if has_no_runs(catalogue):
        return
    st.markdown(_ABOUT)
    with sentences():
        _page(catalogue)


def _page(catalogue: Catalogue) -> None:
    scene = choose(catalogue)
    if scene is None:
        return
    for note in scene.picture.notes:
        st.caption(f":material/info: {plain(note)}")
    if len(scene.classes) < 2:
        st.info("These runs know a single class, so there is no other one to ask about.", icon=":material/label:")
        return
    if not scene.present:
        st.info("This picture has no labels, and the network sees none of its classes in it.", icon=":material/label:")
        return
    answer = st.container(key="why_answer")
    asked = question(scene)
    if asked is None:
        return
    with st.spinner("Reading the features", show_time=True):
        answers = method_answers(asked)
    with answer:
        _say(asked, answers)
    _leads(scene, asked)
    with sentences():
        parts_section(asked, answers)
    channels_section(asked, answers)
    scores_section(asked, answers)


def _say(asked: Question, answers: list[MethodAnswer]) -> None:
    """The one sentence."""
    words = why_sentence(
        [Answer(one.method.title, one.given, one.found[AS_MAP], one.as_shares) for one in answers],
        asked.a,
        asked.b,
        asked.truth,
        asked.scene.classes,
    )
    st.markdown(f"**{plain(words)}**")
    for one in answers:
        shares, logits = one.found[AS_MAP], one.found.get("fc1")
        if one.method.rule == "fc1" and logits is not None and shares.difference * logits.difference < 0:
            winner, loser = asked.names if shares.difference > 0 else asked.names[::-1]
            st.caption(
                f"In {plain(one.method.title)}, the logit of {plain(loser)} is the larger one here "
                f"({max(logits.of_a, logits.of_b):.2f} against {min(logits.of_a, logits.of_b):.2f}): it is the "
                f"division of each map by its own maximum (equation 2) that makes it {plain(winner)}."
            )


def _leads(scene: Scene, asked: Question) -> None:
    """Where to go from here."""
    with st.container(horizontal=True, vertical_alignment="center", key="why_leads"):
        if scene.picture.source is not None:
            spec, picture = scene.picture.source
            runs = [method.key for method in scene.methods]
            if st.button("Open in Explore", icon=":material/compare:", key="why_explore"):
                open_explore(data=spec, picture=picture, classes=list(asked.names), runs=runs, overlay="errors")
            if scene.picture.has_truth:
                a, b = map(plain, asked.names)
                if st.button(
                    f"Other pictures: {b} taken for {a}", icon=":material/grid_on:", key="why_confusions",
                    help="The cell of the confusion matrix on the page Confusions.",
                ):  # fmt: skip
                    share(CHOSEN_FAMILY, "", "why_family", scene.family.key)
                    share(CHOSEN_DATA, scene.family.key, "why_data", spec)
                    open_confusions(family=scene.family.key, data=spec, truth=asked.b + 1, predicted=asked.a + 1)
        copy_link(["It holds the picture, the place, the two classes and the runs."], key="why_link")
