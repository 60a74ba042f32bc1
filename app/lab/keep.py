"""Keeping a head as a named run, and the command line that makes it."""

from dataclasses import dataclass, replace

import streamlit as st

from app.catalogue import Entry
from app.guard import sentences
from app.job_progress import job_progress, job_state
from app.jobs import Job, board
from app.lab.lab_job import LabJob
from app.lab.lab_result import GridResult
from app.lab.setup import Setup
from app.links import open_explore
from app.models import device
from app.plain_words import plain
from recam_core.checkpoint.run_folder import load_run
from recam_core.data.spec import open_dataset
from recam_core.experiments.lab import SettingResult, maps_weight
from recam_core.folders import runs_folder
from recam_core.queue.kept_grids import keep_run, kept_run_command
from recam_core.retrain.head_recipe import HeadRecipe
from recam_core.retrain.heads import HeadResult
from recam_core.retrain.named_run import check_run_name, keep_heads, retrain_command
from recam_core.scores.thresholds import choose_threshold
from recam_core.train.recipe import Recipe
from recam_core.typed_path import as_typed


@dataclass
class KeepJob(Job):
    """Keeping one head.

    Attributes:
        entry: the run that it was trained on.
        fit, select: specifications of the parts that trained it and that choose its threshold.
        head: what is kept, see :func:`readable_head`.
        name: of the new run, checked.
        command: the command line that trains it again.
        threshold: one that was chosen on all pixels at the usual scales already; None chooses it here.
    """

    entry: Entry
    fit: str
    select: str
    head: HeadResult
    name: str
    command: str
    threshold: float | None = None


def readable_head(one: SettingResult, seed: int) -> HeadResult:
    """The head of a seed with the rule that its maps were made by: without a trained FC2, that is FC1's."""
    head = one.heads[seed]
    return head if head.recipe.weight > 0 else replace(head, recipe=replace(head.recipe, rule="fc1"))


def head_command(setup: Setup, recipe: HeadRecipe, name: str) -> str:
    """The command line that makes one of an experiment's heads a run."""
    return retrain_command(as_typed(setup.entry.path), setup.protocol.fit, as_typed(runs_folder() / name), recipe)


def start_keeping(job: LabJob, one: SettingResult, seed: int, name: str, command: str) -> KeepJob:
    """Put it to work."""
    protocol, exact = job.setup.protocol, job.found.exact
    threshold = one.select[seed].scores.threshold if exact else None
    head = readable_head(one, seed)
    return board().start(KeepJob(job.setup.entry, protocol.fit, protocol.select, head, name, command, threshold), _keep)


def _keep(job: KeepJob) -> None:
    run = load_run(job.entry.path, device())
    threshold = job.threshold
    if threshold is None:
        job.begin("Choosing the background threshold at the usual scales, picture")
        weight = maps_weight(job.head).to(run.network.device)
        threshold = choose_threshold(run.network, weight, open_dataset(job.select), job.progress)
    job.begin("Writing the run")
    keep_heads(runs_folder(), job.name, run, job.fit, job.head, threshold, job.command)


def keep_panel(job: LabJob, one: SettingResult, seed: int, picture: str) -> None:
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
                    command = head_command(job.setup, recipe, checked)
                    started = start_keeping(job, one, seed, checked, command)
                    st.session_state["lab_keep_job"] = started.id
                    st.rerun()
            st.caption("It gets a background threshold for the usual scales and stands among the runs of every page.")
        if isinstance(keeping, KeepJob):
            _ending(keeping, job, picture)
        if one.setting.fair is False:
            st.caption(":material/warning: Its mask is the ground truth: an upper bound, no fair method.")
        st.caption("The same heads from the command line:")
        st.code(head_command(job.setup, recipe, name.strip() or "my-recam"), language="bash", wrap_lines=True)


def _ending(keeping: KeepJob, job: LabJob, picture: str) -> None:
    if job_state(keeping, cancelled="Cancelled. Nothing was kept."):
        st.success(f"Kept as the run **{plain(keeping.name)}**.", icon=":material/bookmark_added:")
        if st.button("Open it in Explore", icon=":material/open_in_new:", key="lab_open_kept"):
            runs = (job.setup.entry.key, f"run/{keeping.name}")
            open_explore(data=job.found.protocol.report, picture=picture, runs=runs)


def keep_run_panel(job: GridResult, one: SettingResult, seed: int, picture: str) -> None:
    """Draw the panel.

    Args:
        job: the result of the grid.
        one: the setting.
        seed: which of its runs.
        picture: id of the one that is looked at, to go on with in Explore.
    """
    seed = min(seed, len(one.runs) - 1)
    recipe, run = one.setting.recipes[seed], one.runs[seed]
    assert isinstance(recipe, Recipe), "a grid of whole trainings has their recipes"
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
