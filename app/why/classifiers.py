"""Classifiers from elsewhere: loaded by a job, shared by all sessions, and few at a time."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

import streamlit as st

from app.jobs import Job, board
from app.models import device
from recam_core.attribution.classifier import ForeignClassifier, foreign_classifier
from recam_core.attribution.maps import refused_methods

#: Larger ones are left to the command line: 800 MB each, and a job works on a copy.
MOST_WEIGHTS = 200_000_000
#: So many stay in memory, whoever loaded them; the one that was asked longest ago goes first.
_KEPT = 3


@dataclass(frozen=True)
class Wanted:
    """What is to be loaded.

    Attributes:
        name: ``timm:NAME`` or ``torchvision:NAME``.
        weights: a file of them; None downloads the library's own, unless they are to be random.
        classes: a file with one name a line; None takes ImageNet's.
        untrained: with random weights.
    """

    name: str
    weights: BinaryIO | None = None
    classes: BinaryIO | None = None
    untrained: bool = False


@dataclass(frozen=True, eq=False)
class Loaded:
    """A classifier that can be asked.

    Attributes:
        key: stands for architecture, weights and class names.
        classifier: itself; its own lock is held while it is asked, and long work is done on a copy.
        weights: where its weights come from, in words.
        untrained: whether they are random.
        refused: by method, why it cannot be asked so.
    """

    key: str
    classifier: ForeignClassifier
    weights: str
    untrained: bool
    refused: Mapping[str, str]


class Shelf:
    """The classifiers of this server."""

    def __init__(self) -> None:
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()
        self._lock = threading.Lock()
        #: Held while one is loaded: two at once would take the memory of both.
        self.loading = threading.Lock()

    def get(self, key: str) -> Loaded | None:
        """The classifier of a key; None for one that was never there, or is no longer."""
        with self._lock:
            if key in self._loaded:
                self._loaded.move_to_end(key)
            return self._loaded.get(key)

    def put(self, loaded: Loaded) -> None:
        """Keep one."""
        with self._lock:
            self._loaded[loaded.key] = loaded
            self._loaded.move_to_end(loaded.key)
            while len(self._loaded) > _KEPT:
                self._loaded.popitem(last=False)


@st.cache_resource(show_spinner=False)
def shelf() -> Shelf:
    """The one of this server."""
    return Shelf()


@dataclass
class LoadJob(Job):
    """Loading a classifier. It does not hold the files, which may be large and are of no use later.

    Attributes:
        name: of the architecture.
        found: the key of what was loaded, at the end.
    """

    name: str
    found: str = field(default="", kw_only=True)


def start_loading(wanted: Wanted) -> LoadJob:
    """Load it in the background, beside other work; a download may take minutes."""
    place = shelf()
    return board().start(LoadJob(wanted.name), lambda job: _load(job, wanted, place), at_once=True)


def _load(job: LoadJob, wanted: Wanted, place: Shelf) -> None:
    with place.loading:
        job.begin(f"Reading {wanted.name}")
        classifier = foreign_classifier(
            wanted.name, wanted.weights, wanted.classes, untrained=wanted.untrained, most_weights=MOST_WEIGHTS
        )
        parts = [classifier.name, classifier.digest, str(wanted.untrained), *classifier.classes]
        key = hashlib.blake2b("\n".join(parts).encode(), digest_size=12).hexdigest()
        if place.get(key) is None:
            classifier.to(device())
            job.begin("Which methods it takes, method")
            refused = refused_methods(classifier, job.progress)
            place.put(Loaded(key, classifier, _words(wanted), wanted.untrained, refused))
        job.found = key


def _words(wanted: Wanted) -> str:
    if wanted.untrained:
        return "random weights"
    return "its library's weights" if wanted.weights is None else f"weights of {wanted.weights.name}"
