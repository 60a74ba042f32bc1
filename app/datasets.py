"""Data sets, opened once and shared by all sessions: their pictures, thumbnails and labels."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar

import numpy as np
import streamlit as st

from app.job_progress import job_progress
from app.jobs import DONE, Job, board
from app.plain_words import plain
from app.settings import LONGEST_SIDE, MOST_DRAWN_PIXELS
from recam_core.data.check import notes_of
from recam_core.data.digest import all_labels, kept_labels
from recam_core.data.sample import BrokenItem, Dataset, Sample
from recam_core.data.spec import KINDS, open_dataset, parse_spec
from recam_core.errors import UserError
from recam_core.guest import guest
from recam_core.scenes.options import check_split, parse_options
from recam_core.typed_path import pictures_path
from recam_core.views.pictures import data_url, thumbnail

#: So many masks are looked at for how they lie, before a page is drawn; the commands look at all.
_MOST_MASKS = 1000
Cached = TypeVar("Cached", bound=Callable[..., Any])


def seen_by_visitor(cached: Cached) -> Cached:
    """For a function that keeps what it made of a specification for all sessions: it is asked only after
    :func:`refuse_unseen`, since a visitor of a hosted app may not get what another one may."""

    @wraps(cached)
    def asked(spec: str, *more: Any) -> Any:
        refuse_unseen(spec)
        return cached(spec, *more)

    asked.clear = cached.clear  # type: ignore[attr-defined]
    return asked  # type: ignore[return-value]


def refuse_unseen(spec: str) -> None:
    """Refuse what a visitor of a hosted app may not open, without a look at the disk; nothing on the own machine.

    Raises:
        UserError: in the same words whether it is there or not; or drawn pictures that would keep the server busy.
    """
    if guest() is None:
        return
    parsed = parse_spec(spec)
    if KINDS[parsed.kind].root:
        pictures_path(parsed.root)
    refuse_much_drawing(spec)


@seen_by_visitor
@st.cache_resource(max_entries=8, ttl="30m", show_spinner="Opening the pictures")
def dataset(spec: str) -> Dataset:
    """The data set of a specification. Raises UserError, also for drawn pictures that would keep the server busy."""
    refuse_much_drawing(spec)
    return open_dataset(spec)


def refuse_much_drawing(spec: str) -> None:
    """A link may name any number of scenes of any size; nothing is drawn before this."""
    parsed = parse_spec(spec)
    if parsed.kind != "scenes":
        return
    options = parse_options(parsed.root)
    if options.size > LONGEST_SIDE or options.pixels(check_split(parsed.split)) > MOST_DRAWN_PIXELS:
        raise UserError(
            f"{spec} is more than the app draws: pictures of at most {LONGEST_SIDE} x {LONGEST_SIDE} pixels, and "
            f"{MOST_DRAWN_PIXELS / 1e6:.0f} million pixels in all ({MOST_DRAWN_PIXELS // 256**2:,} of the usual size). "
            "Give a smaller size or fewer pictures, or use the command line."
        )


# So many of the usual size take 67 MB.
@st.cache_resource(max_entries=256, ttl="30m", show_spinner=False)
def _drawn(spec: str, index: int, _found: Dataset) -> Sample:
    sample = _found.load(index)
    for array in (sample.image, sample.labels, sample.mask):
        if array is not None:
            array.setflags(write=False)  # it is every session's
    return sample


def sample_of(found: Dataset, index: int) -> Sample:
    """A picture of an opened data set, to be read only.

    Every rerun of a page asks for its picture. One that the project draws, which takes longer than all else on the
    page, is drawn once for all sessions; files are read each time, as they may have changed.

    Raises:
        BrokenItem: it cannot be read.
    """
    return _drawn(found.spec, index, found) if parse_spec(found.spec).kind == "scenes" else found.load(index)


@st.cache_data(max_entries=2000, ttl="30m", show_spinner=False)
def _thumbnail(spec: str, index: int, picture_id: str, _found: Dataset) -> str:
    return data_url(thumbnail(sample_of(_found, index).image), "jpeg")


def thumbnail_url(spec: str, found: Dataset, index: int) -> str | None:
    """A thumbnail of an opened data set as a data address; None for a picture that is broken (choosing it says why)."""
    try:
        return _thumbnail(spec, index, found.ids[index], found)
    except BrokenItem:
        return None


@seen_by_visitor
@st.cache_data(max_entries=50, ttl="30m", show_spinner=False)
def notes_of_set(spec: str) -> tuple[str, ...]:
    """What was decided about a data set that its files do not state. Raises UserError."""
    return notes_of(dataset(spec), _MOST_MASKS)


def labels_of(found: Dataset, index: int) -> np.ndarray:
    """K bools; none set for a broken picture."""
    try:
        return found.labels(index)
    except BrokenItem:
        return np.zeros(len(found.classes), dtype=bool)


# The labels of whole sets: kept ones, or read in the background where that takes longer than a page may ---------------

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
