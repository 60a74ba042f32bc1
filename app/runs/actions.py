"""What can be done with the chosen runs: star, rename, export, delete, look at the maps; and taking in others."""

from app.plain_words import plain
from collections.abc import Sequence
from html import escape
import streamlit as st
from recam_core.errors import UserError
from recam_core.runs.change import delete_run
from recam_core.runs.lineage import children_of
from recam_core.runs.listed import ListedRun
from app.run_zip import run_zip_form
from app.runs.chosen import choose
from functools import partial
from app.catalogue import Catalogue
from app.guard import sentences
from app.runs.chosen import open_maps
from recam_core.runs.change import rename_run
from recam_core.runs.folder import set_star
from recam_core.runs.run_zip import export_name, zipped


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


def import_panel() -> None:
    """Draw the button and what is behind it."""
    with st.popover("Import", icon=":material/upload:", key="runs_import"):
        path = run_zip_form("runs")
    if path is not None:
        choose([f"run/{path.name}"])
        st.toast(f"Imported as {plain(path.name)}.", icon=":material/upload:")
        st.rerun()


def actions(chosen: Sequence[ListedRun], runs: Sequence[ListedRun], catalogue: Catalogue) -> None:
    """Draw the buttons for the chosen runs; those that make no sense for them are greyed out, and say why."""
    own = [run for run in chosen if not run.shipped]
    starred = all(run.starred for run in chosen)
    with st.container(horizontal=True, vertical_alignment="center", key="runs_actions"):
        if st.button(
            "Take the star away" if starred else "Star",
            icon=":material/star:" if starred else ":material/star_border:",
            key="runs_star",
        ):
            with sentences():
                for run in chosen:
                    set_star(run.key, not starred)
                st.rerun()
        if st.button("Maps in Explore", icon=":material/compare:", key="runs_maps"):
            with sentences():
                open_maps(chosen, catalogue)
        if len(chosen) == 1:
            _rename(chosen[0])
            _export(chosen[0])
        if st.button(
            "Delete",
            icon=":material/delete:",
            key="runs_delete",
            disabled=not own,
            help=None if own else "Runs that came with the project are never deleted.",
        ):
            delete_dialog(own, runs)


def _rename(run: ListedRun) -> None:
    with st.popover(
        "Rename",
        icon=":material/edit:",
        key="runs_rename",
        disabled=run.shipped,
        help="Runs that came with the project keep their names." if run.shipped else None,
    ):
        with st.form("runs_rename_form", border=False):
            name = st.text_input(
                "New name", value=run.path.name, max_chars=60, key=f"runs_new_name_{run.key}", autocomplete="off"
            )
            wanted = st.form_submit_button("Rename", type="primary")
        if wanted:
            with sentences():
                path = rename_run(run, name)
                choose([f"run/{path.name}"])
                st.toast(f"Renamed to {plain(path.name)}.", icon=":material/edit:")
                st.rerun()


def _export(run: ListedRun) -> None:
    st.download_button(
        "Export",
        data=partial(_packed, run),
        file_name=export_name(run),
        mime="application/zip",
        icon=":material/download:",
        key="runs_export",
        on_click="ignore",
        help=f"A zip of about {run.bytes / 1e6:.0f} MB that can be imported here or on another computer.",
    )


def _packed(run: ListedRun) -> bytes:
    """The zip; a run that cannot be packed breaks off the download, with the sentence in the browser's message."""
    try:
        return zipped(run)
    except UserError as error:
        raise RuntimeError(str(error)) from error
