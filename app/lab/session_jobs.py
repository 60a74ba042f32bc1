"""The experiments of this session, the last of each kind, and the one that the address names."""

import streamlit as st

from app.jobs import board, seen
from app.lab.lab_job import LabJob
from app.links import keep, kept

_IN_ADDRESS = LabJob.address


def remember(job: LabJob) -> None:
    """Make a job the current one of its kind."""
    _jobs()[job.kind] = job
    keep(_IN_ADDRESS, job.id)
    keep("point", "")


def current(kind: str) -> LabJob | None:
    """The job of a kind: the one that the address names, or the last one that this session began."""
    named = board().find(kept(_IN_ADDRESS))
    if isinstance(named, LabJob) and named.kind == kind:
        _jobs()[kind] = named
    job = _jobs().get(kind)
    if job is not None:
        keep(_IN_ADDRESS, seen(job).id)
    return job


def is_lost(kind: str) -> bool:
    """Whether the address names a result that is not kept any more; such a name is then taken out of it."""
    if current(kind) is not None:
        return False
    lost = bool(kept(_IN_ADDRESS)) and board().find(kept(_IN_ADDRESS)) is None
    keep(_IN_ADDRESS, "")
    return lost


def _jobs() -> dict[str, LabJob]:
    return st.session_state.setdefault("lab_jobs", {})
