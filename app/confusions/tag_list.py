"""All tags of a data set: to read, to take away, to export."""

import pandas as pd
import streamlit as st

from app.confusions.compared import Compared
from app.confusions.tag_panel import tag_book
from app.guard import sentences
from recam_core.analysis.csv_tables import tags_csv
from recam_core.analysis.tags import Tagged


def tag_list(compared: Compared) -> None:
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
        st.download_button(
            "CSV",
            tags_csv(entries),
            file_name="tags.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            key="confusions_tags_csv",
        )
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
