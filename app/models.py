"""Networks, loaded once and shared by all sessions."""

import os
import threading
from dataclasses import dataclass, field

import streamlit as st
import torch

from app.catalogue import Entry
from recam_core.checkpoint.run_folder import Run, load_run
from recam_core.device import describe_device, pick_device


@dataclass
class SharedRun:
    """A loaded run and the lock under which its network is used: sessions are threads of one process."""

    run: Run
    lock: threading.Lock = field(default_factory=threading.Lock)


@st.cache_resource(show_spinner=False)
def device() -> torch.device:
    """The device of this app; ``RECAM_DEVICE`` may name one."""
    return pick_device(os.environ.get("RECAM_DEVICE") or "auto")


def device_words() -> str:
    """The device as the page names it."""
    return describe_device(device())


@st.cache_resource(max_entries=12, show_spinner="Loading the network")
def _load(path: str, weights: str) -> SharedRun:
    return SharedRun(load_run(path, device()))


def shared_run(entry: Entry) -> SharedRun:
    """The network of a run; a folder whose weights have changed is loaded anew.

    Raises:
        UserError: the weights are missing, damaged or of another architecture.
    """
    return _load(str(entry.path), entry.info.weights_sha256)
