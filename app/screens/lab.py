"""Lab: retraining as an experiment. One button, one chart, one table and one sentence each."""

import streamlit as st

from app.catalogue import read_catalogue
from app.guard import sentences
from app.job_progress import job_progress
from app.jobs import CANCELLED, FAILED
from app.lab import style
from app.lab.asked import Asked
from app.lab.bench import Bench, choose_bench
from app.lab.commands import experiment_command
from app.lab.kinds import KINDS
from app.lab.lab_job import LabJob, start_experiment
from app.lab.parts_strip import parts_strip
from app.lab.result_section import result_section
from app.lab.session_jobs import current, is_lost, remember
from app.links import keep, kept
from app.models import device_words
from recam_core.retrain.head_recipe import completed


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
    bench = None
    with sentences():
        bench = choose_bench(catalogue)
    kind = _kind()
    st.markdown(f":material/help: {KINDS[kind].question}")
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
        job_progress(job.id)
    elif job.state == FAILED:
        st.error(job.message, icon=":material/error:")
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
        key="lab_kind",
        persist_state="session",
        wrap=True,
        label_visibility="collapsed",
    )
    keep("experiment", kind or "lambda", "lambda")
    return kind or "lambda"


def _run(kind: str, bench: Bench) -> None:
    """What the experiment varies, what it will cost, and its button."""
    with st.container(border=True, key="lab_form"):
        asked = KINDS[kind].form(bench)
        completed(asked.base)
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
