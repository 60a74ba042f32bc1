"""Visitors: whether strangers use this app, who is at a page, and where their things are.

Where the app is hosted, each visitor is a guest with folders of their own: :func:`recam_core.guest.guest` asks here for
whom a page works, so every function that looks into the folder of runs or of data sets, or follows a path, looks into
the visitor's. On the own machine nobody is a guest.

Somebody who signed in is known by that. Anybody else is known by a secret that the app gives their browser in a cookie:
whoever has it has the things that were made with it, as with the key of a locker. The secret itself is written nowhere.
"""

import hashlib
import ipaddress
import os
import re
import secrets
import threading
import time
from pathlib import Path

import streamlit as st
from streamlit.runtime import exists, get_instance
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.guard import sentences
from app.jobs import Job, board
from app.shared_state import VISITOR
from recam_core.atomic_write import sweep
from recam_core.cache import cache_folder
from recam_core.folders import data_root, host_runs_folder
from recam_core.guest import Guest, ask_for_guests, guest, shown_folders
from recam_core.guest_room import drop_left, note_use
from recam_core.home import ROOT
from recam_core.queue.listing import forget_trainings, live_visitors


def is_hosted() -> bool:
    """``RECAM_HOSTED`` in the environment decides, and only 0 says no; else the app is hosted where others than this
    computer can reach it: it listens at another address than a loopback one.
    """
    if said := os.environ.get("RECAM_HOSTED", "").strip():
        return said != "0"
    return not _is_loopback(st.get_option("server.address"))


def _is_loopback(address: str | None) -> bool:
    """Of no address at all the server listens at every one."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address((address or "").strip("[]")).is_loopback
    except ValueError:
        return False


def allows(setting: str) -> bool:
    """Whether the environment allows guests what they may not do otherwise."""
    return os.environ.get(setting, "").strip() == "1"


# Who ------------------------------------------------------------------------------------------------------------------

#: Of the cookie, which the browser sends when a page is loaded, and not before.
COOKIE = "recam_visitor"
_FORM = "[A-Za-z0-9_-]{43}"
_SECRET = re.compile(_FORM)
#: Days for which the browser keeps it.
_DAYS = 30
#: Where another tab was quicker, this one is loaded again to be the same visitor. A cookie of another form is replaced.
_GIVE = """<script>
(() => {
  const name = "%(name)s=";
  const has = document.cookie.split("; ").some((one) => /^%(name)s=%(form)s$/.test(one));
  if (has && %(fresh)s) {
    if (!sessionStorage.getItem(name)) {
      sessionStorage.setItem(name, "1");
      location.reload();
    }
    return;
  }
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${name}%(secret)s; Max-Age=%(seconds)d; Path=/; SameSite=Strict${secure}`;
})();
</script>"""


def visitor() -> str:
    """Stands for the visitor, on the own machine: the address that they come from, or else the session. Where the app
    is hosted it is :func:`visitor_name`.
    """
    if is_hosted():
        return visitor_name()
    address = st.context.ip_address  # none on the own machine, and no text where no server is
    return address if isinstance(address, str) and address else VISITOR.setdefault(secrets.token_urlsafe(8))


def visitor_name() -> str:
    """16 hexadecimal digits that stand for a visitor of a hosted app: from their account, or their browser's secret."""
    return hashlib.sha256(f"recam visitor\0{_account() or _secret()}".encode()).hexdigest()[:16]


def visitor_address() -> str:
    """Stands for the network address of a visitor of a hosted app; "" where that is not known, or that of a proxy on
    this computer, which all would share.
    """
    address = st.context.ip_address if is_hosted() else None
    try:
        if not isinstance(address, str) or ipaddress.ip_address(address).is_loopback:
            return ""
    except ValueError:
        return ""
    return hashlib.sha256(f"recam address\0{address}".encode()).hexdigest()[:16]


def give_cookie() -> None:
    """Have the browser keep the secret, so that a reload finds the same things; drawn below every page, and only where
    the app is hosted and nobody signed in.
    """
    if not is_hosted() or _account():
        return
    secret = _secret()
    values = {
        "name": COOKIE,
        "form": _FORM,
        "secret": secret,
        "seconds": _DAYS * 86_400,
        "fresh": str(_sent() is None).lower(),
    }
    st.html(_GIVE % values, unsafe_allow_javascript=True)


def _account() -> str:
    """Issuer and subject of who signed in; "" for others, and where nobody can."""
    try:
        if not st.user.is_logged_in:
            return ""
        return f"{st.user['iss']}\0{st.user['sub']}"
    except (AttributeError, KeyError):
        return ""


def _secret() -> str:
    """The browser's secret; a new one, for this session, where it has sent none."""
    return VISITOR.get("") or VISITOR.setdefault(_sent() or secrets.token_urlsafe(32))


def _sent() -> str | None:
    sent = st.context.cookies.get(COOKIE)
    return sent if isinstance(sent, str) and _SECRET.fullmatch(sent) else None


# Where their things are -----------------------------------------------------------------------------------------------

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
    visits = _visits()
    if (context := get_script_run_ctx(suppress_warning=True)) is not None:
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
