"""The labels of whole data sets: kept ones, or read in the background where that takes longer than a page may."""

import time
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import streamlit as st

from app.datasets import dataset, seen_by_visitor
from app.job_progress import job_progress
from app.jobs import DONE, Job, board
from app.plain_words import plain
from recam_core.data.kept_labels import all_labels, kept_labels
from recam_core.data.sample import BrokenItem, Dataset

#: Labels of so many pictures are read while the page waits.
FEW = 1000
#: Seconds that a page waits for more; those of COCO are in one file and need no longer.
PATIENCE = 1.0
_STEP = "Reading the labels of these pictures, which is done once"


@dataclass
class LabelsJob(Job):
    """Reading the labels of a data set for the first time.

    Attributes:
        spec: the data set.
        rows: N x K bool, once they are read; none set for a broken picture.
        fault: what is wrong with the first broken picture, or "".
    """

    spec: str
    rows: np.ndarray | None = field(default=None, kw_only=True)
    fault: str = field(default="", kw_only=True)

    @property
    def is_shared(self) -> bool:
        return True  # of a set that the page has just opened


@seen_by_visitor
@st.cache_resource(max_entries=8, ttl="30m", show_spinner=False)
def labels_of_set(spec: str) -> LabelsJob:
    """The labels of a data set; without ``rows`` as long as they are being read.

    Raises:
        UserError: the data set cannot be opened.
    """
    found, job = dataset(spec), LabelsJob(spec)
    job.rows = kept_labels(found)
    if job.rows is not None:
        job.state = DONE
    elif len(found) <= FEW:
        _read(job, found)
        job.state = DONE
    else:
        # Not behind other work: a page waits for it, and it needs little of the processor.
        job.begin(_STEP)
        board().start(job, lambda job: _read(job, found), at_once=True)
        until = time.monotonic() + PATIENCE
        while not job.is_over and time.monotonic() < until:
            time.sleep(0.02)
    return job


def labels_progress(job: LabelsJob) -> None:
    """Say that the labels are being read, and how far that is; the page is drawn anew when they are."""
    if job.is_over:
        st.error(plain(job.message), icon=":material/error:")
    else:
        job_progress(job.id)


def _read(job: LabelsJob, found: Dataset) -> None:
    job.begin(_STEP)
    try:
        job.rows = all_labels(found, job.progress)
    except BrokenItem as error:
        job.fault = str(error)
        rows = np.zeros((len(found), len(found.classes)), dtype=bool)
        for index in range(len(found)):
            with suppress(BrokenItem):
                rows[index] = found.labels(index)
            job.progress(index + 1, len(found))
        job.rows = rows
