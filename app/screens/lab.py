"""Lab: retraining as an experiment. One button, one chart, one table and one sentence each."""

import streamlit as st

from app.catalogue import Catalogue, read_catalogue
from app.guard import sentences
from app.job_progress import job_progress
from app.jobs import CANCELLED, FAILED
from app.lab import style
from app.lab.asked import Asked
from app.lab.bench import Bench, choose_bench
from app.lab.commands import experiment_command
from app.lab.full_form import full_form
from app.lab.full_grids import full_grids, note_started
from app.lab.kinds import KINDS
from app.lab.lab_job import LabJob, start_experiment
from app.lab.parts_strip import parts_strip
from app.lab.result_section import result_section
from app.lab.session_jobs import current, is_lost, remember
from app.lab.shown_grid import ShownGrid
from app.links import keep, kept
from app.models import device_words
from app.plain_words import plain
from app.recorded_pictures import say_missing
from app.shared_state import LAB_DEPTH, LAB_KIND
from app.visitors import may_train
from recam_core.guest import NO_TRAININGS
from recam_core.retrain.head_recipe import completed

HEADS, FULL = "heads", "full"
_DEPTHS = {HEADS: "Heads: seconds a point", FULL: "Full trainings: minutes to hours a point"}


def main() -> None:
    """Draw the page."""
    style.apply()
    st.title("Lab")
    catalogue = read_catalogue()
    if not catalogue.families:
        st.info("There are no runs yet: the page *Explore* says how to make one.", icon=":material/inventory_2:")
        return
    st.markdown(
        "Retrain the classifiers of a run many times on its kept features, and see what a setting does, on pictures "
        "that it was not chosen on."
    )
    bench, full = None, _is_full()
    with sentences():
        bench = choose_bench(catalogue, full)
    kind = _kind()
    st.markdown(f":material/help: {KINDS[kind].question}")
    if _depth(kind) == FULL:
        _full(catalogue, bench)
        return
    if bench is not None:
        with sentences():
            _run(kind, bench)
    job = current(kind)
    if is_lost(kind):
        st.info(
            "The result that this address names is not kept any more (the server was started again, or others came "
            "after it). The button makes it anew.",
            icon=":material/history:",
        )
    if job is None:
        return
    if not job.is_over:
        job_progress(job.id, key="lab_cancel")
    elif job.state == FAILED:
        st.error(plain(job.message), icon=":material/error:")
    elif job.state == CANCELLED:
        st.info("Cancelled. Features that were computed before are kept.", icon=":material/cancel:")
    else:
        result_section(job, job.bench.family)


def _kind() -> str:
    begin = kept("experiment", "lambda")
    kind = st.segmented_control(
        "Experiment",
        list(KINDS),
        default=begin if begin in KINDS else "lambda",
        required=True,
        format_func=lambda kind: KINDS[kind].title,
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
        for name in ("depth", ShownGrid.address):
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
        keep(ShownGrid.address, "")
    return depth


def _full(catalogue: Catalogue, bench: Bench | None) -> None:
    """Grids of whole trainings: the form, the queue, and what was found."""
    started = None
    if not may_train():
        st.info(NO_TRAININGS, icon=":material/lock:")
    elif bench is not None and bench.missing is not None:
        say_missing(bench.missing)
    elif bench is not None:
        with sentences(), st.container(border=True, key="lab_full_form"):
            parts_strip(bench.protocol, bench.pictures(), "networks")
            started = full_form(bench)
    if started is not None:
        note_started(started)
        st.rerun()
    full_grids(catalogue)


def _run(kind: str, bench: Bench) -> None:
    """What the experiment varies, what it will cost, and its button."""
    with st.container(border=True, key="lab_form"):
        asked = KINDS[kind].form(bench)
        completed(asked.base)
        if bench.missing is not None:
            say_missing(bench.missing)
            return
        pictures = bench.pictures()
        job = current(kind)
        if job is None or not job.is_over or job.found is None:
            parts_strip(bench.protocol, pictures)
        with st.container(horizontal=True, vertical_alignment="center"):
            _button(kind, bench, asked)
            st.caption(f"{asked.cost_words(pictures, bench.exact)} This computes on {device_words()}.")


def _button(kind: str, bench: Bench, asked: Asked) -> None:
    job = current(kind)
    busy = job is not None and not job.is_over
    if st.button(KINDS[kind].button, type="primary", icon=":material/science:", key="lab_start", disabled=busy):
        remember(start_experiment(LabJob(bench, kind, asked.perform, experiment_command(bench, kind, asked))))
        st.rerun()
