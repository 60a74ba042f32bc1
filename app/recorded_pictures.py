"""The pictures that a record names: where they are on this computer, and one line that says how to get them."""

from dataclasses import dataclass

import streamlit as st

from app.plain_words import plain
from app.shared_state import PAGES
from recam_core.data.download import SOURCES
from recam_core.data.recorded import PicturesMissing, recorded_data
from recam_core.data.sample import ClassList
from recam_core.errors import UserError
from recam_core.folders import data_root
from recam_core.guest import guest


@dataclass(frozen=True)
class Recorded:
    """What became of a record's specification.

    Attributes:
        spec: what opens the pictures; as the record says it where they are not here.
        is_here: whether they are.
        folder: the name of the folder that is missing.
        download: the download that brings it; "" where there is none.
        problem: why what was found is not what the record means; "" where nothing was found.
    """

    spec: str
    is_here: bool
    folder: str = ""
    download: str = ""
    problem: str = ""


def recorded(spec: str, classes: ClassList) -> Recorded:
    """Look for the pictures of a record with these classes."""
    return _recorded(spec, classes.names, classes.has_background, str(data_root()))


@st.cache_data(max_entries=64, ttl="20s", show_spinner=False)
def _recorded(spec: str, names: tuple[str, ...], has_background: bool, root: str) -> Recorded:
    try:
        return Recorded(recorded_data(spec, ClassList(names, has_background)), True)
    except PicturesMissing as error:
        return Recorded(spec, False, error.folder, error.download)
    except UserError as error:
        return Recorded(spec, False, problem=str(error))


def look_again() -> None:
    """After pictures came or went."""
    _recorded.clear()


def say_missing(found: Recorded) -> None:
    """One line: that the pictures are not here, and what to press to get them. Nothing where they are here."""
    if found.is_here:
        return
    if found.problem:
        st.warning(plain(found.problem), icon=":material/image_not_supported:")
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        one = guest()
        if found.download and (one is None or one.may_download):
            title = SOURCES[found.download].title
            words, label = f"The photographs of **{title}** are not on this computer.", f"Get {title}"
        else:
            words = f"The pictures in the folder **{plain(found.folder)}** are not on this computer."
            label = "Where to put them" if one is None else "Upload them"
        st.markdown(f":material/image_not_supported: {words}", width="content")
        if page := PAGES.get({}).get("data"):  # a page that is drawn by itself has none to link to
            st.page_link(page, label=label, icon=":material/download:", width="content")
