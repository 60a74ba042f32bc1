"""The form that takes in a run's zip."""

from pathlib import Path

import streamlit as st

from app.guard import sentences
from app.settings import upload_mb
from recam_core.runs.run_zip import import_run


def run_zip_form(key: str) -> Path | None:
    """Draw the form; returns the folder of a run that was just imported. Draw the page again then.

    Args:
        key: of the page, which the widgets' keys begin with.
    """
    file = st.file_uploader(
        "A run's zip",
        type="zip",
        key=f"{key}_zip_{st.session_state.get(f'{key}_imported', 0)}",
        help=f"It is checked before it is unpacked. At most {upload_mb()} MB; `python -m recam_core runs import ZIP` "
        "takes larger ones.",
    )
    name = st.text_input("Name", placeholder="as it was called", key=f"{key}_import_name", autocomplete="off")
    if st.button("Import", type="primary", disabled=file is None, key=f"{key}_import_now") and file is not None:
        with sentences(), st.spinner("Checking the run"):
            path = import_run(file, name.strip())
            # An uploader is emptied by another key.
            st.session_state[f"{key}_imported"] = st.session_state.get(f"{key}_imported", 0) + 1
            return path
    return None
