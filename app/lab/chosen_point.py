"""Which setting of a result is looked at: pressed in a chart or the table, or named by the address."""

import contextlib

import streamlit as st

from app.lab.shown import Shown
from app.links import keep, kept
from recam_core.experiments.lab import Measured
from recam_core.views.charts.setting_points import REFERENCE_PLACE

_IN_ADDRESS = "point"


def look_at(job_id: str, place: int) -> None:
    """Look at a setting from the next run on."""
    st.session_state["lab_point"] = (job_id, place)


def looked_at(job: Shown) -> int | None:
    """The place of the setting that is looked at; None before one was pressed."""
    job_id, place = st.session_state.get("lab_point", (kept(job.address), None))
    if job_id != job.id:
        place = None
    elif place is None:
        with contextlib.suppress(ValueError):
            place = int(kept(_IN_ADDRESS))
    if place is not None and not REFERENCE_PLACE <= place < len(job.found.settings):
        place = None
    keep(_IN_ADDRESS, "" if place is None else str(place))
    return place


def setting_at(job: Shown, place: int) -> Measured:
    """The setting, or the run before it was retrained."""
    return job.found.reference if place == REFERENCE_PLACE else job.found.settings[place]
