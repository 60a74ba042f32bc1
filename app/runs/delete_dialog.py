"""The question before runs are deleted."""

from app.plain_words import plain
from collections.abc import Sequence
from html import escape

import streamlit as st

from recam_core.errors import UserError
from recam_core.runs.delete import delete_run
from recam_core.runs.lineage import children_of
from recam_core.runs.listed import ListedRun

_DONE = "runs_delete_done"
_FAULTS = "runs_delete_faults"


@st.dialog("Delete for good?")
def delete_dialog(doomed: Sequence[ListedRun], runs: Sequence[ListedRun]) -> None:
    """Name what goes and what depends on it, and ask.

    Args:
        doomed: runs of one's own.
        runs: all runs.
    """
    items = "".join(f"<li><b>{escape(run.name)}</b> ({run.bytes / 1e6:.0f} MB)</li>" for run in doomed)
    st.html(f"<ul>{items}</ul>")
    keys = {run.key for run in doomed}
    children = {child.name: child for run in doomed for child in children_of(run, runs) if child.key not in keys}
    if children:
        st.warning(
            f"{', '.join(map(plain, children))} started from {'it' if len(doomed) == 1 else 'them'}, and could not be made again.",
            icon=":material/account_tree:",
        )
    with st.container(horizontal=True):
        st.button(
            "Delete",
            type="primary",
            icon=":material/delete:",
            key="runs_delete_yes",
            on_click=_delete,
            args=(doomed,),
        )
        no = st.button("Keep", key="runs_delete_no")
    if no or st.session_state.pop(_DONE, False):
        st.rerun()


def _delete(doomed: Sequence[ListedRun]) -> None:
    st.session_state[_DONE] = True
    faults = st.session_state[_FAULTS] = []
    for run in doomed:
        try:
            delete_run(run)
        except UserError as error:
            faults.append(str(error))


def show_faults() -> None:
    """Say on the page why runs were not deleted, once."""
    for fault in st.session_state.pop(_FAULTS, []):
        st.error(plain(fault), icon=":material/error:")
    st.session_state.pop(_DONE, None)
