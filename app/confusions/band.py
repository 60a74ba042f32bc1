"""Which pixels count: all, or those near a contour of the ground truth, which are counted once and then kept."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from app.confusions.selection import kept_choice
from app.job_progress import job_state
from app.jobs import DONE, Job, board
from app.links import kept
from recam_core.analysis.analysed import Analysed
from recam_core.analysis.banded import analyse_band, kept_band
from recam_core.data.spec import open_dataset
from recam_core.guest import guest
from recam_core.scores.band import band_words

_ALL = ""
#: What is offered; an address may name another one, up to the widest.
_OFFERED, _WIDEST = (2, 5, 10, 20), 200


@dataclass
class _BandJob(Job):
    """Counting the pixels of a band, of one method after the other."""

    methods: tuple[Analysed, ...]
    spec: str
    band: int

    @property
    def is_shared(self) -> bool:
        return True  # of a set that the page has just opened


def band_choice() -> int | None:
    """How near to a contour the pixels lie that count; None for all pixels."""
    named = st.session_state.get("confusions_wanted_band", kept("band"))
    bands = {*_OFFERED, int(named)} if _is_band(named) else set(_OFFERED)
    chosen = kept_choice(
        "Pixels",
        {_ALL: "all"} | {str(band): band_words(band) for band in sorted(bands)},
        key="confusions_band_choice",
        wanted="confusions_wanted_band",
        parameter="band",
        usual=_ALL,
        help="Near the contours of the ground truth masks are hardest to get right. With a band, every figure, list "
        "and gallery of this page counts its pixels alone; they are counted once and kept.",
        is_labelled=True,
    )
    return int(chosen) if chosen else None


def _is_band(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= _WIDEST


def within(methods: Sequence[Analysed], spec: str, band: int) -> list[Analysed] | None:
    """The methods with the pixels of the band counted alone.

    None while they are being counted, or where they cannot be; the page then says how far it is, or why.

    Raises:
        UserError: a visitor has begun enough work already.
    """
    found, missing = [], []
    for method in methods:
        try:
            found.append(_kept(method.identity, band, method.key, method.title, method.threshold, method))
        except LookupError:
            missing.append(method)
    if not missing:
        return found
    _count(tuple(missing), spec, band)
    return None


@st.cache_resource(max_entries=12, ttl="30m", show_spinner=False)
def _kept(identity: str, band: int, key: str, title: str, threshold: float | None, _method: Analysed) -> Analysed:
    found = kept_band(_method, band)
    if found is None:
        # An exception is not cached, so that the next look finds what was made meanwhile.
        raise LookupError(identity)
    return found


@st.cache_resource(max_entries=24, show_spinner=False)
def _job(identities: tuple[str, ...], spec: str, band: int, _methods: tuple[Analysed, ...]) -> _BandJob:
    """The one job of these methods and this band, whichever session asked first."""
    return board().start(_BandJob(_methods, spec, band), _work, at_once=True)


def _work(job: _BandJob) -> None:
    pictures = open_dataset(job.spec)
    for number, method in enumerate(job.methods, start=1):
        job.begin(f"Contours of {method.title} ({number} of {len(job.methods)} methods), picture")
        analyse_band(method, pictures, job.band, job.progress)


def _count(methods: tuple[Analysed, ...], spec: str, band: int) -> None:
    """Have the pixels counted, and show how far that is."""
    asked = tuple(method.identity for method in methods), spec, band
    job = _job(*asked, methods)
    if job.state == DONE:
        # Made, and dropped from the cache meanwhile.
        _job.clear(*asked)
        job = _job(*asked, methods)
    one = guest()
    is_theirs = one is None or job.starter == one.name  # others may wait for it as well
    job_state(job, "confusions_band_cancel" if is_theirs else None, "Cancelled. Choose all pixels, or count again.")
    if job.is_over:
        st.button(
            "Count again",
            icon=":material/play_arrow:",
            key="confusions_band_again",
            on_click=lambda: _job.clear(*asked),
        )
