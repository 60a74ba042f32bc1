"""Grids of full trainings: those in the queue, and what those that are finished found."""

import time

import streamlit as st

from app.catalogue import Catalogue
from app.guard import sentences
from app.lab.lab_result import GridResult, grid_result
from app.lab.result import result_section
from app.links import TRAINING, keep, kept
from app.plain_words import plain
from app.shared_state import MY_TRAININGS
from app.trainings.details import details
from app.trainings.queue import queue, send_queue_style
from recam_core.guest import guest
from recam_core.queue.kept_grids import KeptGrid, delete_grid, list_grids
from recam_core.queue.kinds import GRID


def note_started(number: str) -> None:
    """Look at a grid that was just started."""
    MY_TRAININGS.setdefault(set()).add(number)
    keep(TRAINING, number)


def full_grids(catalogue: Catalogue) -> None:
    """Draw the queue and the results."""
    send_queue_style()
    queue("lab", only=(GRID,))
    details("lab")
    grids = {grid.name: grid for grid in list_grids()}
    named = kept(GridResult.address)
    if named and named not in grids:
        st.info("The result that this address names is not there (any more).", icon=":material/history:")
    if not grids:
        keep(GridResult.address, "")
        return
    grid = _choose(grids, named)
    with sentences():
        shown = grid_result(grid, catalogue)
        result_section(shown, shown.family)
    _deleting(grid)


def _choose(grids: dict[str, KeptGrid], named: str) -> KeptGrid:
    """The result that the address names, or the newest."""
    names = list(grids)
    # A result that came meanwhile, or one that was deleted, must not leave the choice on another one.
    if st.session_state.get("lab_grid") not in names or st.session_state.get("lab_grid_named") != named:
        st.session_state["lab_grid"] = named if named in grids else names[0]
    name = st.selectbox(
        "Results of full trainings",
        names,
        format_func=lambda name: _title(grids[name]),
        key="lab_grid",
        help="They lie on disk"
        + (", and are there for everybody who uses this app." if guest() is None else ", and you alone see yours."),
    )
    st.session_state["lab_grid_named"] = name
    keep(GridResult.address, name)
    return grids[name]


def _title(grid: KeptGrid) -> str:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(grid.finished))
    return f"{grid.asked.x} and {grid.asked.y} on {grid.asked.data}, {when} ({grid.name})"


def _ask(name: str | None) -> None:
    st.session_state["lab_grid_asked"] = name


def _deleting(grid: KeptGrid) -> None:
    """Ask before a result is deleted."""
    if st.session_state.get("lab_grid_asked") != grid.name:
        st.button(
            "Delete this result",
            icon=":material/delete:",
            key="lab_grid_delete",
            on_click=_ask,
            args=(grid.name,),
        )
        return
    all_see = ", for everybody" if guest() is None else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"Delete **{plain(grid.name)}** with its trainings{all_see}? Runs that were kept out of it stay.",
            width="content",
        )
        if st.button("Delete it", type="primary", key="lab_grid_yes"):
            _ask(None)
            with sentences():
                delete_grid(grid)
                keep(GridResult.address, "")
                st.rerun()
        st.button("No", key="lab_grid_no", on_click=_ask, args=(None,))
