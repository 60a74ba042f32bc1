"""Maps and pixel counts of whole data sets: found where they ship or were kept, or made by a job in the background."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from app.catalogue import Entry, Family
from app.datasets import dataset, labels_of_set, labels_progress
from app.job_progress import job_panel
from app.jobs import Job, board
from app.models import device, device_words
from app.plain_words import as_code, plain
from recam_core.analysis.analysed import Analysed, analyse, find_analysed, settings_of
from recam_core.checkpoint.run_folder import check_run_rule, load_run
from recam_core.data.digest import dataset_digest
from recam_core.data.match_classes import match_classes
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.scores.evaluate import check_classes


@dataclass
class AnalysisJob(Job):
    """Making the maps and counts of some runs on a data set.

    Attributes:
        entries: the runs, each by its own rule.
        spec: the data set.
    """

    entries: tuple[Entry, ...]
    spec: str


@st.cache_data(max_entries=16, ttl="30m", show_spinner=False)
def _digest(spec: str, _labels: np.ndarray) -> str:
    return dataset_digest(dataset(spec), _labels)


@st.cache_resource(max_entries=24, ttl="30m", show_spinner=False)
def _found(
    weights: str,
    threshold: float | None,
    rule: str,
    spec: str,
    key: str,
    title: str,
    _entry: Entry,
    _labels: np.ndarray,
) -> Analysed:
    digest = _digest(spec, _labels)
    found = find_analysed(_entry.info, rule, dataset(spec), settings_of(_entry.info), key, title, digest)
    if found is None:
        # An exception is not cached, so that the next look finds what was made meanwhile.
        raise LookupError(spec)
    return found


def kept_analysis(entry: Entry, rule: str, spec: str) -> Analysed | None:
    """What is kept for a run, a rule and a data set; None where there is nothing, or that is not known yet.

    Raises:
        UserError: the data set cannot be opened, or one of its pictures is broken.
    """
    labels = labels_of_set(spec)
    if labels.fault:
        raise UserError(labels.fault)
    if labels.rows is None:
        return None
    key = entry.key if rule == entry.info.rule else f"{entry.key}:{rule}"
    try:
        return _found(
            entry.info.weights_sha256, entry.info.threshold_of(rule), rule, spec, key, entry.title, entry, labels.rows
        )
    except LookupError:
        return None


def analysed_of(family: Family, entries: Sequence[Entry], spec: str) -> tuple[list[Analysed], list[Entry]]:
    """Those of the runs whose maps and counts of the data set are kept, and those for which they must be made first.

    Raises:
        UserError: the data set cannot be opened, has other classes or no masks.
    """
    found = dataset(spec)
    check_classes(family.classes, found.classes, "These checkpoints", f"the data set {spec}")
    if not found.has_masks:
        raise UserError(f"{spec} has no ground-truth masks, so errors cannot be told.")
    ready, missing = [], []
    for entry in entries:
        analysed = kept_analysis(entry, entry.info.rule, spec)
        if analysed is None:
            missing.append(entry)
        else:
            ready.append(analysed)
    return ready, missing


def can_be_scored(family: Family, spec: str) -> bool:
    """Whether a data set can be opened and has masks of the family's classes."""
    try:
        found = dataset(spec)
    except UserError:
        return False
    return found.has_masks and match_classes(found.classes, family.classes).is_same


def analyse_panel(missing: Sequence[Entry], spec: str, key: str) -> None:
    """Say what has to be made first, offer it, and show how far it is.

    Args:
        missing: the runs without maps of these pictures.
        spec: the pictures.
        key: of the widgets.
    """
    labels = labels_of_set(spec)
    if not labels.is_over:
        labels_progress(labels)
        return
    names = ", ".join(entry.title for entry in missing)

    def start() -> AnalysisJob:
        for entry in missing:
            check_run_rule(entry.info, entry.info.rule)
        return board().start(AnalysisJob(tuple(missing), spec), _work)

    with st.container(border=True, key=f"{key}_panel"):
        job_panel(
            AnalysisJob,
            "analysis",
            start,
            key=key,
            label="Make the maps",
            words=f"**{plain(names)}** {'has' if len(missing) == 1 else 'have'} not been run over the "
            f"{len(dataset(spec)):,} pictures of {as_code(spec)} yet. This is done once and kept.",
            caption=f"On {device_words()}; it goes on when you leave the page.",
            is_about_this=lambda ended: ended.spec == spec,
        )


def _work(job: AnalysisJob) -> None:
    """Each run in turn, on a network of its own."""
    pictures = open_dataset(job.spec)
    for number, entry in enumerate(job.entries, start=1):
        job.begin(f"Maps of {entry.title} ({number} of {len(job.entries)} methods), picture")
        run = load_run(entry.path, device())
        analyse(run, entry.info.rule, pictures, settings_of(entry.info), job.progress, entry.key, entry.title)
