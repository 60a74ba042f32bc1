"""The folders of each visitor where the app is hosted, and what becomes of them.

:func:`recam_core.guest.guest` asks here for whom a page works; so every function that looks into the folder of runs or
of data sets, or follows a path, looks into the visitor's. On the own machine nobody is a guest.
"""

import os
import threading
import time
from pathlib import Path

import streamlit as st
from streamlit.runtime import exists, get_instance
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.guard import sentences
from app.hosted import allows, is_hosted
from app.jobs import Job, board
from app.visitor import visitor_name
from recam_core.atomic_write import sweep
from recam_core.cache import cache_folder
from recam_core.checkpoint.places import ROOT, host_runs_folder
from recam_core.data.places import data_root
from recam_core.guest import Guest, ask_for_guests, guest, shown_folders
from recam_core.guest_room import drop_left, note_use
from recam_core.trainings.forget import forget_trainings, live_visitors

#: Seconds between two looks for what visitors left.
_SWEEP = 300.0


def visitors_folder() -> Path:
    """The folder that holds one folder a visitor; ``RECAM_VISITORS`` in the environment names another one."""
    return Path(os.environ.get("RECAM_VISITORS") or ROOT / "visitors").absolute()


def guest_here() -> Guest | None:
    """The visitor whose page is being drawn; None where the app is not hosted.

    Raises:
        RuntimeError: no page is being drawn here, so nobody can say whose folders are meant.
    """
    if not is_hosted():
        return None
    context = get_script_run_ctx(suppress_warning=True)
    if context is None:
        raise RuntimeError("a thread of the hosted app does not know for which visitor it works")
    return _guest(visitor_name())


def _guest(name: str) -> Guest:
    return Guest(
        name,
        visitors_folder() / name,
        shown_folders(),
        may_train=allows("RECAM_HOSTED_TRAININGS"),
        may_download=allows("RECAM_HOSTED_DOWNLOADS"),
    )


def may_train() -> bool:
    """Whether whoever looks at this page may train whole networks. What starts one asks again."""
    one = guest()
    return one is None or one.may_train


def may_download() -> bool:
    """Whether whoever looks at this page may have something downloaded to this computer. As :func:`may_train`."""
    one = guest()
    return one is None or one.may_download


def welcome() -> None:
    """Note that the visitor is here, and see to it that what others left goes; at the beginning of every page."""
    _sweep_once()
    one = guest()
    if one is None:
        return
    context = get_script_run_ctx(suppress_warning=True)
    visits = _visits()
    visits.here[context.session_id] = one.name
    note_use(one.folder)
    with sentences():  # a setting that is no number
        visits.sweep()


class _Visits:
    """Which visitor has which session open."""

    def __init__(self) -> None:
        self.here: dict[str, str] = {}
        self._lock = threading.Lock()
        self._swept = 0.0

    def sweep(self) -> None:
        """Drop what visitors left, unless that was done just now."""
        with self._lock:
            if time.monotonic() - self._swept < _SWEEP:
                return
            self._swept = time.monotonic()
        if exists():
            runtime = get_instance()
            for session in [one for one in list(self.here) if not runtime.is_active_session(one)]:
                self.here.pop(session, None)
        busy = {job.starter for job in board().running(Job)} | live_visitors() | set(self.here.values())
        forget_trainings(drop_left(visitors_folder(), busy))


@st.cache_resource(show_spinner=False)
def _visits() -> _Visits:
    return _Visits()


@st.cache_resource(show_spinner=False)
def _sweep_once() -> None:
    """Remove what processes that were killed left half-written; once a server."""
    sweep(cache_folder(), own=True)
    sweep(host_runs_folder(), own=True)
    if not is_hosted():  # visitors' own folders go as a whole
        sweep(data_root(), own=False)


ask_for_guests(guest_here)
