"""Attribution methods as panes: what they cost is told beforehand, long ones are made by a job, and all are kept."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st

from app.catalogue import Entry
from app.guard import sentences
from app.job_progress import duration, job_panel
from app.jobs import Job, board
from app.methods import Attribution, Method, method_of_entry
from app.models import LastUsed, device, device_words
from app.pictures import Picture
from app.plain_words import plain
from recam_core.attribution.maps import attribution_key, attribution_maps, cost, pass_seconds
from recam_core.attribution.table import METHODS, method_of
from recam_core.checkpoint.run_folder import load_run
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps
from recam_core.method.extraction import RULES
from recam_core.model.network import CamNetwork
from recam_core.progress import ProgressFn

#: Heads that can be explained, as people choose them.
HEADS = {"rule": "as its map", "fc1": "FC1", "fc2": "FC2"}
#: What takes longer is made by a job, after a press.
_AT_ONCE = 6.0
_REMEMBERED = 400


@st.cache_resource(show_spinner=False)
def kept_results() -> LastUsed[Any]:
    """What was made, or why a network cannot be asked so; of all sessions of this server."""
    return LastUsed(_REMEMBERED)


@dataclass
class AttributionJob(Job):
    """Making the attribution maps of one picture.

    Attributes:
        methods: whose.
        picture: of what.
        classes: the maps of which.
    """

    methods: tuple[Method, ...]
    picture: Picture
    classes: tuple[int, ...]


# A method as a pane ---------------------------------------------------------------------------------------------------


def head_of(entry: Entry, head: str) -> str:
    """The head of a run that can be explained, as near as it gets to the one that was chosen of :data:`HEADS`."""
    rule = entry.info.rule
    has_fc2 = bool(entry.info.network.get("has_fc2"))
    if head == "fc2" and has_fc2:
        return "fc2"
    if head == "rule" and rule in RULES and RULES[rule].makes_weights:
        return rule
    return "fc1"


def attribution_method(
    entry: Entry, method: str, head: str = "rule", against: Sequence[tuple[int, int]] = ()
) -> Method:
    """A run as an attribution method sees it; its network is not read yet.

    Args:
        entry: the run.
        method: a key of :data:`~recam_core.attribution.table.METHODS`.
        head: a key of :data:`HEADS`.
        against: pairs of a class and the other one that it is explained against.

    Raises:
        UserError: unknown method.
    """
    wanted, explained = method_of(method), head_of(entry, head)
    base, pairs = method_of_entry(entry), tuple(against)
    return replace(
        base,
        key=f"{method}/{explained}/{entry.key}",
        title=f"{wanted.title} of {base.title}",
        about=f"explains {'the weights of the rule ' if explained not in ('fc1', 'fc2') else ''}"
        f"{explained.upper() if explained in ('fc1', 'fc2') else explained.replace('_', ' ')}",
        weights_key=f"{entry.info.weights_sha256}:{method}:{explained}:{pairs}",
        # Chosen for other maps; shares of a maximum all the same.
        threshold=None,
        rule="fc1",
        attribution=Attribution(entry, method, explained, pairs),
    )


def how_attributed(method: Method) -> Attribution:
    """How another attribution method makes the maps of a pane; of what :func:`attribution_method` gave."""
    if method.attribution is None:
        raise TypeError(f"{method.title} is read off by a rule")
    return method.attribution


def methods_help() -> str:
    """What the methods do, as a list."""
    return "\n".join(f"- **{one.title}**: {one.about}" for one in METHODS.values())


def takes_long(seconds: float) -> bool:
    """Whether this is made by a job, after a press."""
    return seconds > _AT_ONCE


# Their maps -----------------------------------------------------------------------------------------------------------


def attributed_maps(method: Method, picture: Picture, classes: tuple[int, ...]) -> ActivationMaps:
    """The maps, kept or made now.

    Raises:
        UserError: the network's weights are missing, or it cannot be asked so.
    """
    store, key = kept_results(), stands_for(method, picture, classes)
    maps = store.get(key)
    if maps is None:
        network, lock = method.shared.run.network, method.shared.lock
        with lock:
            maps = _made_or_refused(method, network, picture, classes)
        store.put(key, maps)
    if isinstance(maps, UserError):
        raise UserError(str(maps))
    return maps


def _made_or_refused(
    method: Method,
    network: CamNetwork,
    picture: Picture,
    classes: tuple[int, ...],
    progress: ProgressFn | None = None,
) -> ActivationMaps | UserError:
    """What is kept: a refusal as well, which takes as long to find out."""
    try:
        return _made(method, network, picture, classes, progress)
    except UserError as error:
        return error


def _made(
    method: Method,
    network: CamNetwork,
    picture: Picture,
    classes: tuple[int, ...],
    progress: ProgressFn | None = None,
) -> ActivationMaps:
    how = how_attributed(method)
    against = {k: other for k, other in how.against if k in classes} or None
    return attribution_maps(
        network, picture.image, classes, how.method, head=how.head, against=against, progress=progress, id=picture.title
    )


def stands_for(method: Method, picture: Picture, classes: tuple[int, ...]) -> str:
    """The key of the maps of a method."""
    how = how_attributed(method)
    return attribution_key(
        how.entry.info.weights_sha256, picture.key, how.method, how.head, classes, dict(how.against) or None
    )


@st.cache_data(max_entries=64, ttl="1h", show_spinner=False)
def _pass_seconds(weights: str, size: tuple[int, int], _method: Method, _image: np.ndarray) -> float:
    with _method.shared.lock:
        return pass_seconds(_method.shared.run.network, _image)


def seconds_of(method: Method, picture: Picture, classes: Sequence[int], more: int = 0) -> float:
    """About how long the maps, and so many forward passes more, will take on this computer."""
    size, how = picture.image.shape[:2], how_attributed(method)
    passes = cost(how.method, len(classes), size)
    one = _pass_seconds(how.entry.info.weights_sha256, size, method, picture.image)
    return passes.seconds(one) + more * one


# Waiting for them -----------------------------------------------------------------------------------------------------


def ready_methods(methods: Sequence[Method], picture: Picture, classes: tuple[int, ...], key: str) -> list[Method]:
    """Those whose maps are there, or are made now; for the others a panel tells the cost and offers to make them.

    Args:
        methods: attribution methods.
        picture: what they look at.
        classes: the maps of which.
        key: of the widgets.
    """
    ready, waiting = [], []
    for method in methods:
        with sentences():  # one that cannot be asked spoils no other
            is_known = kept_results().get(stands_for(method, picture, classes)) is not None
            seconds = 0.0 if is_known else seconds_of(method, picture, classes)
            if not is_known and takes_long(seconds):
                waiting.append((method, seconds))
                continue
            words = f"{plain(method.title)}, about {duration(max(seconds, 1))}"
            with nullcontext() if is_known else st.spinner(words, show_time=True):
                attributed_maps(method, picture, classes)
            ready.append(method)
    if waiting:
        _panel(waiting, picture, classes, key)
    return ready


def _panel(waiting: list[tuple[Method, float]], picture: Picture, classes: tuple[int, ...], key: str) -> None:
    """What it costs, the button, how far it is."""
    words = ", ".join(f"**{plain(one.title)}** (about {duration(seconds)})" for one, seconds in waiting)
    store = kept_results()
    job = AttributionJob(tuple(one for one, _ in waiting), picture, classes)
    with st.container(border=True, key=f"{key}_panel"):
        job_panel(
            AttributionJob,
            "attribution",
            lambda: board().start(job, lambda job: _work(job, store)),
            key=key,
            label="Compute",
            words=f"Not made for this picture yet: {words}. It is done once and kept while the app runs.",
            caption=f"On {device_words()}; it goes on when you leave the page.",
            is_about_this=lambda ended: ended.picture.key == picture.key,
        )


def _work(job: AttributionJob, store: LastUsed[Any]) -> None:
    """Each method in turn, on a network of its own: the panes go on using the shared one meanwhile."""
    for number, method in enumerate(job.methods, start=1):
        job.begin(f"{method.title} ({number} of {len(job.methods)}), pass")
        network = load_run(how_attributed(method).entry.path, device()).network
        maps_in_job(method, network, job.picture, job.classes, job.progress, store)


def maps_in_job(
    method: Method,
    network: CamNetwork,
    picture: Picture,
    classes: tuple[int, ...],
    progress: ProgressFn,
    store: LastUsed[Any],
) -> ActivationMaps | UserError:
    """The maps, kept or made now by the job's own network, or why it cannot be asked so; they are kept."""
    key = stands_for(method, picture, classes)
    maps = store.get(key)
    if maps is None:
        maps = _made_or_refused(method, network, picture, classes, progress)
        store.put(key, maps)
    return maps
