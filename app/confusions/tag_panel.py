"""Tags and notes on pictures: kept in one file beside the runs, for all sessions."""

from collections.abc import Sequence

import streamlit as st

from app.confusions.compared import Compared
from app.confusions.selection import ANY, Selection
from app.plain_words import plain
from recam_core.analysis.tags import LONGEST_NOTE, LONGEST_TAG, TagBook, Tagged
from recam_core.checkpoint.places import tags_file
from recam_core.errors import UserError
from recam_core.guest_room import room_for

#: More pictures than this are tagged as a whole: nobody takes some out of such a list one by one.
_MOST_NAMED = 200


def tag_book() -> TagBook:
    """The book of this installation. Raises UserError where the file is damaged."""
    return TagBook(tags_file())


def tag_panel(compared: Compared, ids: Sequence[str], wanted: Selection | None) -> None:
    """A button behind which pictures get a tag and a note.

    Args:
        compared: names the data set and its classes.
        ids: the pictures that are offered.
        wanted: the pixels that the tag is about; None, or several pairs, for whole pictures.
    """
    place = "cell" if wanted else "table"
    book = tag_book()
    with st.popover(
        "Tag", icon=":material/sell:", help="Put a tag and a note on these pictures.", key=f"confusions_tag_{place}"
    ):
        with st.form(f"confusions_tag_form_{place}", border=False, clear_on_submit=True):
            if len(ids) > _MOST_NAMED:
                st.caption(f"All {len(ids):,} pictures that are chosen.")
                chosen = list(ids)
            else:
                chosen = st.multiselect(
                    "Pictures", list(ids), default=list(ids), key=f"confusions_tag_pictures_{place}"
                )
            tag = st.text_input(
                "Tag",
                max_chars=LONGEST_TAG,
                key=f"confusions_tag_name_{place}",
                placeholder="for example: legs cut off",
            )
            note = st.text_area(
                "Note (optional)", max_chars=LONGEST_NOTE, key=f"confusions_tag_note_{place}", height=90
            )
            if st.form_submit_button("Save", type="primary", icon=":material/check:"):
                _save(book, compared, chosen, tag, note, wanted)
        used = book.tags(compared.spec)
        if used:
            st.caption(
                "Used before: " + ", ".join(f"{plain(name)} ({count})" for name, count in list(used.items())[:12])
            )


def _save(
    book: TagBook, compared: Compared, chosen: Sequence[str], tag: str, note: str, wanted: Selection | None
) -> None:
    truth = predicted = ""
    if wanted is not None and not wanted.pairs:  # a tag is about one pair, or about whole pictures
        truth, predicted = (
            "any other" if value == ANY else compared.names[value] for value in (wanted.truth, wanted.predicted)
        )
    if not chosen:
        st.warning("Choose at least one picture.")
        return
    try:
        with room_for(1_000 * len(chosen), files=0):
            book.add([Tagged(compared.spec, picture, tag, note, truth, predicted) for picture in chosen])
    except UserError as error:
        st.error(plain(error), icon=":material/error:")
        return
    count = "1 picture" if len(chosen) == 1 else f"{len(chosen)} pictures"
    st.toast(f"Tagged {count}; *Pictures* lists all tags.", icon=":material/sell:")
