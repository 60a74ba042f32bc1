"""Taking in a run that was exported elsewhere."""

import streamlit as st

from app.guard import sentences
from app.runs.chosen import choose
from recam_core.runs.zip_import import import_run

#: The server holds an upload in its memory; larger zips go in by the command line.
_MOST_MB = 512


def import_panel() -> None:
    """Draw the button and what is behind it."""
    with st.popover("Import", icon=":material/upload:", key="runs_import"):
        file = st.file_uploader(
            "A run's zip",
            type="zip",
            max_upload_size=_MOST_MB,
            key=f"runs_zip_{st.session_state.get('runs_imported', 0)}",
            help="It is checked before it is unpacked. `python -m recam_core runs import ZIP` takes larger ones.",
        )
        name = st.text_input("Name", placeholder="as it was called", key="runs_import_name", autocomplete="off")
        if st.button("Import", type="primary", disabled=file is None, key="runs_import_now") and file is not None:
            with sentences():
                path = import_run(file, name.strip())
                st.session_state["runs_imported"] = st.session_state.get("runs_imported", 0) + 1
                choose([f"run/{path.name}"])
                st.toast(f"Imported as {path.name}.", icon=":material/upload:")
                st.rerun()
