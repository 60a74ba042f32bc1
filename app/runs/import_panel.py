"""Taking in a run that was exported elsewhere."""

from app.plain_words import plain
import streamlit as st

from app.run_zip import run_zip_form
from app.runs.chosen import choose


def import_panel() -> None:
    """Draw the button and what is behind it."""
    with st.popover("Import", icon=":material/upload:", key="runs_import"):
        path = run_zip_form("runs")
    if path is not None:
        choose([f"run/{path.name}"])
        st.toast(f"Imported as {plain(path.name)}.", icon=":material/upload:")
        st.rerun()
