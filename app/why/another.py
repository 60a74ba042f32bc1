"""The other way to ask: a classifier from elsewhere, a picture, a class, and where it sees that."""

import numpy as np
import pandas as pd
import streamlit as st

from app.attributions import methods_help
from app.carried import SPEC_HELP
from app.catalogue import Catalogue
from app.copy_link import copy_link
from app.datasets import dataset
from app.guard import sentences
from app.links import keep, kept
from app.one_picture import own_photo
from app.pictures import FROM_SET, OWN_PHOTO, Picture, picture_of_set
from app.plain_words import plain
from app.why.classifier_map import MapQuestion, show_map
from app.why.classifiers import LoadedClassifier, choose_classifier, forget_classifier
from recam_core.attribution.classifier import ForeignClassifier
from recam_core.attribution.table import METHODS
from recam_core.data.match_classes import match_classes
from recam_core.data.sample import ClassList
from recam_core.errors import UserError

_ABOUT = (
    "Any classifier of timm or torchvision, a transformer of patches too: where in the picture does it see a class, "
    "and why that one and not another?"
)
#: In the place of a class to hold against.
_NONE = -1
#: So many of the likeliest classes are listed.
_LISTED = 10
#: The data set that it begins with.
_FIRST = "gallery"


def arrive_another() -> None:
    """What the address says counts, whatever was chosen here before."""
    forget_classifier()
    _forget_picture()
    st.session_state.pop("why_other_way", None)
    st.session_state.pop("why_other_asked", None)
    st.session_state["why_other_named"] = (kept("called"), kept("instead"))


def another(catalogue: Catalogue) -> None:
    """Draw this half of the page."""
    st.markdown(_ABOUT)
    loaded = choose_classifier()
    if loaded is None:
        return
    with sentences():
        found = _choose_picture(catalogue)
        if found is None:
            return
        picture, truth = found
        for note in picture.notes:
            st.caption(f":material/info: {plain(note)}")
        with st.spinner("Asking the classifier"):
            likely = _probabilities(loaded.key, picture.key, loaded.classifier, picture.image)
        order = np.argsort(-likely, kind="stable").tolist()
        look, ask = st.columns([2.1, 1], gap="large")
        with ask:
            a, b = _classes(loaded, picture, order, likely)
            method = _method(loaded)
            _likeliest(loaded.classifier.classes, order, likely)
        if method is None:
            return
        with look:
            show_map(MapQuestion(loaded, picture, truth, a, b, method))
            copy_link(
                [
                    "It holds the picture, the classes and the method. A file of weights, a class list or a photo does "
                    "not go along: the classifier opens as long as this lab keeps it in memory."
                ],
                key="why_other_link",
            )


@st.cache_data(max_entries=100, show_spinner=False)
def _probabilities(loaded: str, picture: str, _classifier: ForeignClassifier, _image: np.ndarray) -> np.ndarray:
    return _classifier.probabilities(_image)


def _classes(
    loaded: LoadedClassifier, picture: Picture, order: list[int], likely: np.ndarray
) -> tuple[int, int | None]:
    """A, the likeliest to begin with, and B or nothing."""
    classifier, at = loaded.classifier, (loaded.key, picture.key)
    before, a, b = st.session_state.get("why_other_asked", (None, order[0], _NONE))
    if before != at:
        called, instead = st.session_state.pop("why_other_named", ("", ""))
        a, b = _named(classifier, called, order[0]), _named(classifier, instead, _NONE)
    if a == b:
        b = _NONE
    # Not the widgets' own memory, which ends where another page is looked at.
    st.session_state["why_other_asked"] = (at, a, b)
    st.session_state["why_other_a"], st.session_state["why_other_b"] = a, b

    def chosen() -> None:
        st.session_state["why_other_asked"] = (at, st.session_state["why_other_a"], st.session_state["why_other_b"])

    def words(k: int) -> str:
        return "nothing else" if k == _NONE else f"{classifier.classes[k]}  ({likely[k]:.1%})"

    st.selectbox(
        "Why", order, format_func=words, key="why_other_a", on_change=chosen,
        help="The likeliest class comes first. Probabilities are the softmax of the logits.",
    )  # fmt: skip
    st.selectbox(
        "and not", [_NONE, *(k for k in order if k != a)], format_func=words, key="why_other_b", on_change=chosen,
        help="With another class, the difference of the two logits is explained: what speaks for the first and not for "
        "this one.",
    )  # fmt: skip
    keep("called", _in_address(classifier, a) if a != order[0] else "")
    keep("instead", _in_address(classifier, b) if b != _NONE else "")
    return a, None if b == _NONE else b


def _named(classifier: ForeignClassifier, name: str, usual: int) -> int:
    try:
        return classifier.class_number(name)
    except UserError:
        return usual  # of another classifier's address, or none


def _in_address(classifier: ForeignClassifier, k: int) -> str:
    """The name, or the number where the name is not the only one."""
    name = classifier.classes[k]
    return name if _named(classifier, name, _NONE) == k else str(k)


def _method(loaded: LoadedClassifier) -> str | None:
    """The method, of those that this classifier takes; the others with the reason."""
    taken = [key for key in METHODS if key not in loaded.refused]
    if not taken:
        st.error("None of the methods can be used on this classifier.", icon=":material/error:")
        return None
    shown = st.session_state.get("why_other_way", kept("way"))
    st.session_state["why_other_way"] = shown if shown in taken else taken[0]
    method = st.selectbox(
        "By", taken, format_func=lambda key: METHODS[key].title, key="why_other_way", persist_state="session",
        help=methods_help(),
    )  # fmt: skip
    keep("way", method, taken[0])
    st.caption(METHODS[method].about)
    if METHODS[method].needs_other:
        st.caption("Held against nothing else, it takes the classes whose logits are nearest.")
    if loaded.refused:
        with st.expander(f"Not for this classifier: {len(loaded.refused)} methods"):
            st.markdown("\n".join(f"- **{METHODS[key].title}**: {plain(why)}" for key, why in loaded.refused.items()))
    return method


def _likeliest(names: tuple[str, ...], order: list[int], likely: np.ndarray) -> None:
    """What the classifier sees, as a table."""
    first = order[:_LISTED]
    frame = pd.DataFrame({"class": [names[k] for k in first], "probability": likely[first]})
    st.dataframe(
        frame,
        hide_index=True,
        key="why_other_table",
        column_config={
            "probability": st.column_config.ProgressColumn(format="percent", min_value=0.0, max_value=1.0),
        },
        alt="The likeliest classes of the picture with their probabilities",
    )


# Its picture ---------------------------------------------------------------------------------------------------------


def _forget_picture() -> None:
    """What the address says counts, whatever was chosen here before."""
    st.session_state.pop("why_other_from", None)
    st.session_state.pop("why_other_data", None)
    st.session_state["why_other_picture_named"] = kept("picture")


def _choose_picture(catalogue: Catalogue) -> tuple[Picture, ClassList] | None:
    """The picture, and the classes of its ground truth, none for a photo; None until there is one.

    Raises:
        UserError: the data set or the photo cannot be used.
    """
    source, what = st.columns([1, 2.6], gap="medium")
    st.session_state.setdefault("why_other_from", FROM_SET)
    with source:
        chosen = st.segmented_control(
            "Look at", [FROM_SET, OWN_PHOTO], required=True, key="why_other_from", persist_state="session"
        )
    with what:
        return _upload() if chosen == OWN_PHOTO else _of_set(catalogue)


def _upload() -> tuple[Picture, ClassList] | None:
    none = ClassList(())
    picture = own_photo("why_other_photo", none, on_change=_let_go)
    if picture is not None:
        st.session_state["why_other_own"] = picture
        return picture, none
    # The uploader forgets its file when the page is left.
    before: Picture | None = st.session_state.get("why_other_own")
    if before is None:
        st.info("Put in a photo to ask the classifier about it.", icon=":material/add_photo_alternate:")
        return None
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Asked about: {plain(before.title)}, which was put in before.", width="content")
        st.button(
            "Let it go", key="why_other_let_go", icon=":material/close:", type="tertiary", on_click=_let_go,
            help="Forget this photo.",
        )  # fmt: skip
    return before, none


def _let_go() -> None:
    st.session_state.pop("why_other_own", None)


def _of_set(catalogue: Catalogue) -> tuple[Picture, ClassList]:
    data_column, picture_column = st.columns(2, gap="medium")
    shown = st.session_state.setdefault("why_other_data", kept("data") or _FIRST)
    options = list(dict.fromkeys([_FIRST, *(family.pictures for family in catalogue.families), shown]))
    typed = data_column.selectbox(
        "Pictures", options, accept_new_options=True, key="why_other_data", persist_state="session", help=SPEC_HELP
    )
    spec = (typed or "").strip() or _FIRST
    keep("data", spec, _FIRST)
    found = dataset(spec)
    if not len(found):
        raise UserError(f"{spec} holds no pictures.")
    ids = list(found.ids)
    key = f"why_other_picture_{spec}"
    named = st.session_state.pop("why_other_picture_named", "")
    if named in ids:
        st.session_state[key] = named
    if st.session_state.get(key) not in ids:
        st.session_state[key] = ids[0]
    picture = picture_column.selectbox("Picture", ids, key=key, persist_state="session", help="Type to search.")
    keep("picture", picture, ids[0])
    return picture_of_set(found, ids.index(picture), match_classes(found.classes, found.classes)), found.classes
