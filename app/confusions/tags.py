"""Tags and notes on pictures, kept in one file beside the runs, for all sessions."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.chart import csv_button
from app.confusions.comparison import Comparison
from app.confusions.selection import ANY, Selection
from app.guard import sentences
from app.plain_words import plain
from recam_core.analysis.csv_tables import tags_csv
from recam_core.analysis.tags import LONGEST_NOTE, LONGEST_TAG, TagBook, Tagged
from recam_core.errors import UserError
from recam_core.folders import tags_file
from recam_core.guest_room import room_for

#: More pictures than this are tagged as a whole: nobody takes some out of such a list one by one.
_MOST_NAMED = 200


def tag_book() -> TagBook:
    """The book of this installation. Raises UserError where the file is damaged."""
    return TagBook(tags_file())


def tag_panel(compared: Comparison, ids: Sequence[str], wanted: Selection | None) -> None:
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
    book: TagBook, compared: Comparison, chosen: Sequence[str], tag: str, note: str, wanted: Selection | None
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


def tag_list(compared: Comparison) -> None:
    """Draw the list. Raises UserError where the book of tags is damaged."""
    entries = tag_book().entries(compared.spec)
    if not entries:
        st.caption("No picture of this data set has a tag yet: *Tag* puts one on the pictures shown, with a note.")
        return
    st.markdown("#### Tags")
    frame = pd.DataFrame(
        {
            "picture": [entry.picture for entry in entries],
            "tag": [entry.tag for entry in entries],
            "note": [entry.note for entry in entries],
            "about": [f"{entry.truth} → {entry.predicted}" if entry.truth else "" for entry in entries],
            "written (UTC)": [entry.made[:16].replace("T", " ") for entry in entries],
        }
    )
    event = st.dataframe(
        frame,
        hide_index=True,
        key="confusions_tags_table",
        on_select="rerun",
        selection_mode="multi-row",
        alt="Tags and notes of this data set",
        column_config={"note": st.column_config.TextColumn(width="large")},
    )
    marked = [entries[row] for row in event["selection"]["rows"] if row < len(entries)]
    with st.container(horizontal=True):
        csv_button(tags_csv(entries), "tags", key="confusions_tags_csv")
        st.button(
            "Take the marked tags away",
            icon=":material/delete:",
            disabled=not marked,
            on_click=_remove,
            args=(marked,),
            key="confusions_tags_remove",
        )


def _remove(marked: list[Tagged]) -> None:
    with sentences():
        tag_book().remove(marked)
