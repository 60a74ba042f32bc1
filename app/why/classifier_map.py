"""The map of a classifier from elsewhere: its cost told first, long ones made by a job, drawn by the viewer."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from app.attributions import kept_results, takes_long
from app.job_progress import duration, job_panel
from app.jobs import Job, board
from app.models import LastUsed, device_words
from app.pictures import Picture
from app.plain_words import plain
from app.viewer import viewer
from app.why.classifiers import LoadedClassifier
from recam_core.attribution.classifier import ForeignClassifier
from recam_core.attribution.maps import attribution_key, attribution_maps, cost, pass_seconds
from recam_core.attribution.table import METHODS
from recam_core.data.match_classes import one_class_mask
from recam_core.data.sample import ClassList
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps
from recam_core.progress import ProgressFn
from recam_core.scores.thresholds import shown_threshold
from recam_core.views.viewer_payload import ViewerPayload, pane_of_maps, viewer_payload


@dataclass(frozen=True, eq=False)
class MapQuestion:
    """What is asked.

    Attributes:
        loaded: who.
        picture: about which picture.
        truth: the classes of its ground truth.
        a: the class that is explained, from 0; ``b``: the one that it is held against, or None.
        method: a key of :data:`~recam_core.attribution.table.METHODS`.
    """

    loaded: LoadedClassifier
    picture: Picture
    truth: ClassList
    a: int
    b: int | None
    method: str

    @property
    def key(self) -> str:
        """Stands for the map."""
        return attribution_key(self.loaded.key, self.picture.key, self.method, "fc1", (self.a,), self.b)

    @property
    def words(self) -> str:
        """The question, in words."""
        names = self.loaded.classifier.classes
        return names[self.a] if self.b is None else f"{names[self.a]} and not {names[self.b]}"

    def made(self, network: ForeignClassifier, progress: ProgressFn | None = None) -> ActivationMaps | UserError:
        """The map, or why this network cannot be asked so, which takes as long to find out."""
        try:
            return attribution_maps(
                network, self.picture.image, [self.a], self.method, against=self.b, progress=progress,
                id=self.picture.title,
            )  # fmt: skip
        except UserError as error:
            return error


@dataclass
class MapJob(Job):
    """Making the map of one question.

    Attributes:
        key: of the map.
    """

    key: str


def show_map(question: MapQuestion) -> None:
    """The map where it is there, or can be made at once; else what it costs, and a button."""
    store = kept_results()
    found = store.get(question.key)
    if found is None:
        seconds = _seconds(question)
        if takes_long(seconds):
            _panel(question, seconds, store)
            return
        with st.spinner(f"{METHODS[question.method].title}, about {duration(max(seconds, 1))}", show_time=True):
            found = question.made(question.loaded.classifier)
        store.put(question.key, found)
    if isinstance(found, UserError):
        st.error(plain(str(found)), icon=":material/error:")
        return
    if not found.activations.any():
        st.info(f"Nothing speaks for {plain(question.words)} here by this method.", icon=":material/blur_off:")
    _draw(question, found)


def _seconds(question: MapQuestion) -> float:
    size = question.picture.image.shape[:2]
    one = _pass_seconds(question.loaded.key, size, question.loaded.classifier, question.picture.image)
    return cost(question.method, 1, size, network=question.loaded.classifier).seconds(one)


@st.cache_data(max_entries=64, ttl="1h", show_spinner=False)
def _pass_seconds(loaded: str, size: tuple[int, int], _classifier: ForeignClassifier, _image: np.ndarray) -> float:
    return pass_seconds(_classifier, _image)


def _panel(question: MapQuestion, seconds: float, store: LastUsed[Any]) -> None:
    """What it costs, the button, how far it is."""
    with st.container(border=True, key="why_other_panel"):
        job_panel(
            MapJob,
            "looking",
            lambda: board().start(MapJob(question.key), lambda job: _work(job, question, store)),
            key="why_other",
            label="Compute",
            words=f"Not made for this picture yet: **{plain(METHODS[question.method].title)}** takes about "
            f"{duration(seconds)}.",
            caption=f"On {device_words()}; it goes on when you leave the page, and is kept while the app runs.",
            is_about_this=lambda ended: ended.key == question.key,
            cancelled="Cancelled.",
        )


def _work(job: MapJob, question: MapQuestion, store: LastUsed[Any]) -> None:
    """On a copy: others go on asking the shared one meanwhile."""
    job.begin(f"{METHODS[question.method].title}, pass")
    store.put(job.key, question.made(question.loaded.classifier.copy(), job.progress))


def _draw(question: MapQuestion, maps: ActivationMaps) -> None:
    """The viewer, and what its errors mean."""
    name, picture = question.loaded.classifier.classes[question.a], question.picture
    mask = None if picture.truth is None else one_class_mask(picture.truth, question.truth, name)
    digest = "" if mask is None else hashlib.blake2b(mask.tobytes(), digest_size=8).hexdigest()
    title = METHODS[question.method].title
    payload = _payload(question.key, digest, picture.title, name, question.words, title, picture, maps, mask)
    shown = viewer(payload, st.session_state.get("why_other_view") or {"overlay": "heat"}, key="why_other_viewer")
    st.session_state["why_other_view"] = shown["view"]
    if mask is not None:
        st.caption(
            f"The ground truth has a class of the same name: errors and scores tell {plain(name)} from everything else "
            "that it names, which is called background here. Pixels that it does not name do not count."
        )
    elif picture.has_truth:
        st.caption(f"No errors are shown: the ground truth of these pictures has no class called {plain(name)}.")


@st.cache_data(max_entries=24, show_spinner=False)
def _payload(
    key: str,
    truth: str,
    title: str,
    name: str,
    words: str,
    method: str,
    _picture: Picture,
    _maps: ActivationMaps,
    _mask: np.ndarray | None,
) -> ViewerPayload:
    # A network may know thousands of classes, and a mask has 8 bits: the one that is explained is the only one here.
    classes = ClassList((name,))
    alone = ActivationMaps(_maps.id, _maps.size, np.arange(1), _maps.activations)
    threshold = shown_threshold("fc1", (), classes)
    pane = pane_of_maps(alone, key="map", title=method, threshold=threshold, about=words)
    return viewer_payload(title, _picture.image, classes, [pane], _mask, asked={0: words})
