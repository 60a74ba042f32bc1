"""Keeping a run of a grid under a name, and the command line that makes it."""

import streamlit as st

from app.guard import sentences
from app.lab.shown_grid import ShownGrid
from app.links import open_explore
from app.plain_words import plain
from recam_core.experiments.lab import Measured
from recam_core.queue.kept_grids import keep_run, kept_run_command


def keep_run_panel(job: ShownGrid, one: Measured, seed: int, picture: str) -> None:
    """Draw the panel.

    Args:
        job: the result of the grid.
        one: the setting.
        seed: which of its runs.
        picture: id of the one that is looked at, to go on with in Explore.
    """
    seed = min(seed, len(one.runs) - 1)
    recipe, run = one.setting.recipes[seed], one.runs[seed]
    with st.container(border=True, key="lab_keep"):
        name = st.text_input("Keep it as a run", placeholder="a name, such as soft-recam", key="lab_keep_run_name")
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button("Keep", icon=":material/bookmark_add:", key="lab_keep_run"):
                with sentences():
                    threshold = one.select[seed].scores.threshold
                    kept = keep_run(job.grid, run, name, recipe, threshold).name
                    st.session_state["lab_kept_run"] = (job.id, one.label, kept)
                    st.rerun()
            st.caption("It stands among the runs of every page then, with the background threshold that was chosen.")
        *of, kept = st.session_state.get("lab_kept_run", ("", "", ""))
        if of == [job.id, one.label]:
            st.success(f"Kept as the run **{plain(kept)}**.", icon=":material/bookmark_added:")
            if st.button("Open it in Explore", icon=":material/open_in_new:", key="lab_open_kept_run"):
                open_explore(data=job.found.protocol.report, picture=picture, runs=(job.entry.key, f"run/{kept}"))
        if one.setting.fair is False:
            st.caption(":material/warning: Its mask is the ground truth: an upper bound, no fair method.")
        st.caption("The same training from the command line:")
        command = kept_run_command(job.grid, recipe, job.found.protocol.fit, name.strip() or "my-recam")
        st.code(command, language="bash", wrap_lines=True)
