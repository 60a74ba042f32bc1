"""Networks, loaded once and shared by all sessions."""

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import streamlit as st
import torch

from app.catalogue import Entry
from recam_core.checkpoint.run_folder import Run, load_run
from recam_core.device import describe_device, pick_device

T = TypeVar("T")


class LastUsed(Generic[T]):
    """What sessions share and keep in memory: so many, of which the one that was asked for longest ago goes first."""

    def __init__(self, most: int) -> None:
        self._kept: OrderedDict[str, T] = OrderedDict()
        self._most = most
        self._lock = threading.Lock()

    def get(self, key: str) -> T | None:
        """The one of a key; None for one that was never there, or is no longer."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: str, kept: T) -> None:
        """Keep one."""
        with self._lock:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)


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
