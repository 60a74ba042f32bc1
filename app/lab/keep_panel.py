"""Keeping a head as a named run, and the command line that makes it."""

import streamlit as st

from app.guard import sentences
from app.job_progress import job_progress
from app.jobs import CANCELLED, FAILED, board
from app.lab.commands import head_command
from app.lab.keep_job import KeepJob, readable_head, start_keeping
from app.lab.lab_job import LabJob
from app.links import open_explore
from app.plain_words import plain
from recam_core.experiments.lab import Measured
from recam_core.folders import runs_folder
from recam_core.retrain.named_run import check_run_name


def keep_panel(job: LabJob, one: Measured, seed: int, picture: str) -> None:
    """Draw the panel.

    Args:
        job: the experiment.
        one: the setting.
        seed: which of its heads.
        picture: id of the one that is looked at, to go on with in Explore.
    """
    recipe = readable_head(one, seed).recipe
    with st.container(border=True, key="lab_keep"):
        keeping = board().find(st.session_state.get("lab_keep_job", ""))
        if isinstance(keeping, KeepJob) and not keeping.is_over:
            st.caption(f"Keeping {plain(keeping.name)}")
            job_progress(keeping.id, key="lab_cancel")
            return
        name = st.text_input("Keep it as a run", placeholder="a name, such as hard-masks", key="lab_keep_name")
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button("Keep", icon=":material/bookmark_add:", key="lab_keep_start"):
                with sentences():
                    checked = check_run_name(name, runs_folder())
                    command = head_command(job.bench, recipe, checked)
                    started = start_keeping(job, one, seed, checked, command)
                    st.session_state["lab_keep_job"] = started.id
                    st.rerun()
            st.caption("It gets a background threshold for the usual scales and stands among the runs of every page.")
        if isinstance(keeping, KeepJob):
            _ending(keeping, job, picture)
        if one.setting.fair is False:
            st.caption(":material/warning: Its mask is the ground truth: an upper bound, no fair method.")
        st.caption("The same heads from the command line:")
        st.code(head_command(job.bench, recipe, name.strip() or "my-recam"), language="bash", wrap_lines=True)


def _ending(keeping: KeepJob, job: LabJob, picture: str) -> None:
    if keeping.state == FAILED:
        st.error(plain(keeping.message), icon=":material/error:")
    elif keeping.state == CANCELLED:
        st.info("Cancelled. Nothing was kept.", icon=":material/cancel:")
    else:
        st.success(f"Kept as the run **{plain(keeping.name)}**.", icon=":material/bookmark_added:")
        if st.button("Open it in Explore", icon=":material/open_in_new:", key="lab_open_kept"):
            runs = (job.bench.entry.key, f"run/{keeping.name}")
            open_explore(data=job.found.protocol.report, picture=picture, runs=runs)
