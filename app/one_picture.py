"""One picture to look at, on pages that choose it by lists: of a data set, or a photo of one's own."""

from collections.abc import Callable

import numpy as np
import streamlit as st

from app.carried import SPEC_HELP, can_be_shown, choose_family, first_picture, matched, settled, taken_over
from app.catalogue import Catalogue, Family
from app.guard import sentences
from app.links import keep, kept
from app.pictures import FROM_SET, OWN_PHOTO, Picture, photo_uploader, picture_of_set, picture_of_upload
from app.recorded_pictures import recorded
from app.shared_state import CHOSEN_DATA, CHOSEN_PICTURE
from recam_core.data.sample import ClassList


def choose_picture(
    catalogue: Catalogue,
    page: str,
    help: str,
    opening: bool,
    carried: Callable[[Family], Picture | None] = lambda family: None,
) -> tuple[Family, str | None, Picture | None]:
    """The row of a family and a picture, which is one of a data set or a photo of one's own.

    Args:
        catalogue: the families.
        page: the name of the page, which the keys of the widgets begin with.
        help: what a family is for on that page.
        opening: whether what the address says counts, whatever was chosen here before.
        carried: the photo of one's own that came along from another page; taken while none is put in here.

    Returns:
        The family, the specification of the data set ("" for a photo; None where it or the picture cannot be used,
        which is told in its place) and the picture; None while there is no photo.
    """
    family_column, picture_column = st.columns([1, 2.6], gap="medium")
    with family_column:
        family = choose_family(catalogue, f"{page}_family", help)
        source_key = f"{page}_from"
        if opening:
            st.session_state[source_key] = OWN_PHOTO if kept("from") == "photo" else FROM_SET
        source = st.segmented_control(
            "Look at", [FROM_SET, OWN_PHOTO], required=True, key=source_key, persist_state="session",
            label_visibility="collapsed",
        )  # fmt: skip
        keep("from", "photo" if source == OWN_PHOTO else "")
    with picture_column, sentences():
        if source != OWN_PHOTO:
            return family, *picture_of_list(family, page, opening)
        if not family.introduction.of_photographs:
            st.caption("These checkpoints have learnt from drawn pictures: others in the list know photographs.")
        return family, "", own_photo(f"{page}_photo", family.classes) or carried(family)
    return family, None, None


def own_photo(key: str, classes: ClassList, on_change: Callable[[], None] | None = None) -> Picture | None:
    """The uploader of a photo of one's own, which no link can hold; None until there is one.

    Args:
        key: of the widget.
        classes: what its ground truth would be in.
        on_change: as for :func:`~app.pictures.photo_uploader`.

    Raises:
        UserError: the photo cannot be used.
    """
    photo = photo_uploader(key, on_change)
    keep("data", "")
    keep("picture", "")
    return None if photo is None else picture_of_upload(photo.getvalue(), photo.name, None, "", classes)


def picture_of_list(family: Family, page: str, opening: bool) -> tuple[str, Picture]:
    """A data set, and one of its pictures.

    Args:
        family: whose pictures are offered first, and in whose classes the picture is.
        page: the name of the page, which the keys of the widgets begin with.
        opening: whether what the address says counts, whatever was chosen here before.

    Raises:
        UserError: the data set or the picture cannot be used.
    """
    data_column, picture_column = st.columns([1.2, 1.4], gap="medium")
    with data_column:
        spec = _spec(family, page, opening)
    found, match = matched(family, spec)
    with picture_column:
        index = _picture(family, spec, list(found.ids), page, opening)
    return spec, picture_of_set(found, index, match)


def _spec(family: Family, page: str, opening: bool) -> str:
    """The data set; the family's own to begin with."""
    key = f"{page}_data_{family.key}"
    named = kept("data")
    elsewhere = taken_over(CHOSEN_DATA, family.key, f"{page}_data", bool(named))
    if elsewhere is not None and can_be_shown(family, elsewhere):
        st.session_state[key] = elsewhere
    elif opening:
        st.session_state[key] = named
    shown = st.session_state.get(key) or family.pictures
    found = recorded(family.entries[0].info.data, family.classes) if family.entries[0].info.data else None
    here = [found.spec] if found is not None and found.is_here else []
    options = list(dict.fromkeys([family.pictures, shown, *here]))
    st.session_state[key] = shown
    typed = st.selectbox("Pictures", options, accept_new_options=True, key=key, persist_state="session", help=SPEC_HELP)
    spec = (typed or "").strip() or family.pictures
    settled(CHOSEN_DATA, family.key, f"{page}_data", spec, bool(named))
    keep("data", spec, family.pictures)
    return spec


def _picture(family: Family, spec: str, ids: list[str], page: str, opening: bool) -> int:
    """The index of the picture; the striking ones of the family come first in the list."""
    standing = family.standing if spec == family.pictures else None
    striking = [id for id in standing.striking if id in ids] if standing is not None else []
    first = first_picture(family, spec, ids)
    order = list(dict.fromkeys([first, *striking, *ids]))
    key = f"{page}_picture_{spec}"
    named = kept("picture")
    elsewhere = taken_over(CHOSEN_PICTURE, spec, f"{page}_shown", bool(named))
    if elsewhere in ids:
        st.session_state[key] = elsewhere
    elif opening and named in ids:
        st.session_state[key] = named
    if st.session_state.get(key) not in ids:
        st.session_state[key] = first
    gains = {} if standing is None else dict(zip(standing.ids, standing.gain.tolist(), strict=True))

    def words(id: str) -> str:
        gain = gains.get(id, float("nan"))
        return id if np.isnan(gain) else f"{id}   ({100 * gain:+.0f} % right by ReCAM)"

    chosen = st.selectbox(
        "Picture", order, format_func=words, key=key, persist_state="session",
        help="Type to search. Where maps of all pictures are kept, those in which ReCAM has more pixels right than "
        "BCE-CAM come first.",
    )  # fmt: skip
    settled(CHOSEN_PICTURE, spec, f"{page}_shown", chosen, bool(named))
    keep("picture", chosen, first)
    return ids.index(chosen)
