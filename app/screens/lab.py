"""Lab: retraining as an experiment. One button, one chart, one table and one sentence each."""

import streamlit as st

from app.catalogue import Catalogue, has_no_runs, read_catalogue
from app.guard import sentences
from app.job_progress import job_state
from app.lab.form import cost_words, study_command, study_form
from app.lab.full_form import full_form
from app.lab.full_grids import full_grids, note_started
from app.lab.lab_job import LabJob, current, is_lost, remember, start_experiment
from app.lab.lab_result import GridResult
from app.lab.result import parts_strip, result_section
from app.lab.setup import Setup, choose_setup
from app.links import keep, kept
from app.models import device_words
from app.recorded_pictures import say_missing
from app.shared_state import LAB_DEPTH, LAB_KIND
from app.visitors import may_train
from recam_core.experiments.questions import QUESTIONS
from recam_core.experiments.study import Study
from recam_core.guest import NO_TRAININGS

#: The few rules of style that this page has beyond those of the app.
_STYLE = """
<style>
.legend i.lab-dot, .legend i.lab-ring { width: 0.7rem; height: 0.7rem; border-radius: 50%; border: 2px solid; }
.legend i.lab-ring { width: 0.95rem; height: 0.95rem; }
.legend i.lab-cell { width: 1rem; height: 1rem; border: 3px solid; border-radius: 3px; }
.legend i.lab-line { width: 1.3rem; height: 2px; border-radius: 0; }
.legend i.lab-bar { width: 5px; height: 1rem; border-radius: 3px; opacity: 0.45; }
.legend i.ramp { width: 7rem; height: 0.6rem; }
.lab-parts { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: 0.6rem; }
.lab-parts div { border: 1px solid var(--st-border-color, #8884); border-radius: 0.5rem; padding: 0.45rem 0.8rem;
  font-size: 0.86rem; overflow-wrap: anywhere; }
.lab-parts b { display: block; font-weight: 600; }
.lab-parts small { opacity: 0.7; font-size: 0.8rem; }
.lab-sentence { border-left: 4px solid var(--st-primary-color, #0f7c90); padding: 0.2rem 0 0.2rem 0.9rem;
  font-size: 1.06rem; line-height: 1.5; max-width: 62rem; margin: 0; overflow-wrap: anywhere; }
</style>
"""

HEADS, FULL = "heads", "full"
_DEPTHS = {HEADS: "Heads: seconds a point", FULL: "Full trainings: minutes to hours a point"}


def main() -> None:
    """Draw the page."""
    st.html(_STYLE)
    st.title("Lab")
    catalogue = read_catalogue()
    if has_no_runs(catalogue):
        return
    st.markdown(
        "Retrain the classifiers of a run many times on its kept features, and see what a setting does, on pictures "
        "that it was not chosen on."
    )
    setup, full = None, _is_full()
    with sentences():
        setup = choose_setup(catalogue, full)
    kind = _kind()
    st.markdown(f":material/help: {QUESTIONS[kind].asks}")
    if _depth(kind) == FULL:
        _full(catalogue, setup)
        return
    if setup is not None:
        with sentences():
            _run(kind, setup)
    job = current(kind)
    if is_lost(kind):
        st.info(
            "The result that this address names is not kept any more (the server was started again, or others came "
            "after it). The button makes it anew.",
            icon=":material/history:",
        )
    if job is None:
        return
    if job_state(job, "lab_cancel", "Cancelled. Features that were computed before are kept."):
        result_section(job, job.setup.family)


def _kind() -> str:
    begin = kept("experiment", "lambda")
    kind = st.segmented_control(
        "Experiment",
        list(QUESTIONS),
        default=begin if begin in QUESTIONS else "lambda",
        required=True,
        format_func=lambda kind: f":material/{QUESTIONS[kind].icon}: {QUESTIONS[kind].tab}",
        key=LAB_KIND.key,
        persist_state="session",
        wrap=True,
        label_visibility="collapsed",
    )
    keep("experiment", kind or "lambda", "lambda")
    return kind or "lambda"


def _is_full() -> bool:
    """Whether whole networks are trained; asked before the controls that say so are drawn."""
    kind = LAB_KIND.get(kept("experiment"))
    return kind == "grid" and LAB_DEPTH.get(kept("depth")) == FULL


def _depth(kind: str) -> str:
    """Heads on kept features, or whole networks: grids alone can be either."""
    if kind != "grid":
        for name in ("depth", GridResult.address):
            keep(name, "")
        return HEADS
    begin = kept("depth", HEADS)
    depth = st.segmented_control(
        "Depth",
        list(_DEPTHS),
        default=begin if begin in _DEPTHS else HEADS,
        required=True,
        format_func=_DEPTHS.__getitem__,
        key=LAB_DEPTH.key,
        persist_state="session",
        wrap=True,
        help="Heads: FC1 and FC2 on kept features, as the other experiments. Full: the backbone as well, as the paper "
        "does; each point is a training of its own, in the queue of the page Training.",
    )
    keep("depth", depth, HEADS)
    if depth == HEADS:
        keep(GridResult.address, "")
    return depth


def _full(catalogue: Catalogue, setup: Setup | None) -> None:
    """Grids of whole trainings: the form, the queue, and what was found."""
    started = None
    if not may_train():
        st.info(NO_TRAININGS, icon=":material/lock:")
    elif setup is not None and setup.missing is not None:
        say_missing(setup.missing)
    elif setup is not None:
        with sentences(), st.container(border=True, key="lab_full_form"):
            parts_strip(setup.protocol, setup.pictures(), "networks")
            started = full_form(setup)
    if started is not None:
        note_started(started)
        st.rerun()
    full_grids(catalogue)


def _run(kind: str, setup: Setup) -> None:
    """What the experiment varies, what it will cost, and its button."""
    with st.container(border=True, key="lab_form"):
        study = study_form(kind, setup)
        if setup.missing is not None:
            say_missing(setup.missing)
            return
        pictures = setup.pictures()
        job = current(kind)
        if job is None or not job.is_over or job.result is None:
            parts_strip(setup.protocol, pictures)
        with st.container(horizontal=True, vertical_alignment="center"):
            _button(study, setup)
            st.caption(f"{cost_words(study, pictures, setup.exact)} This computes on {device_words()}.")


def _button(study: Study, setup: Setup) -> None:
    job = current(study.kind)
    busy = job is not None and not job.is_over
    label = study.question.button
    if st.button(label, type="primary", icon=":material/science:", key="lab_start", disabled=busy):
        remember(start_experiment(LabJob(setup, study, study_command(study, setup))))
        st.rerun()
