"""Which picture a classifier from elsewhere looks at: one of a data set, or a photo that is put in."""

import streamlit as st

from app.catalogue import Catalogue
from app.datasets import dataset
from app.links import keep, kept
from app.pictures import Picture, picture_of_set
from app.plain_words import plain
from app.why.choose import SPEC_HELP, own_photo
from recam_core.data.match_classes import match_classes
from recam_core.data.sample import ClassList
from recam_core.errors import UserError

_SETS, _OWN = "Pictures", "Your photo"
_FIRST = "gallery"


def forget_picture() -> None:
    """What the address says counts, whatever was chosen here before."""
    st.session_state.pop("why_other_from", None)
    st.session_state.pop("why_other_data", None)
    st.session_state["why_other_picture_named"] = kept("picture")


def choose_picture(catalogue: Catalogue) -> tuple[Picture, ClassList] | None:
    """The picture, and the classes of its ground truth, none for a photo; None until there is one.

    Raises:
        UserError: the data set or the photo cannot be used.
    """
    source, what = st.columns([1, 2.6], gap="medium")
    st.session_state.setdefault("why_other_from", _SETS)
    with source:
        chosen = st.segmented_control(
            "Look at", [_SETS, _OWN], required=True, key="why_other_from", persist_state="session"
        )
    with what:
        return _upload() if chosen == _OWN else _of_set(catalogue)


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
