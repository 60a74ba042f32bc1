"""Maps and what is read off them, kept between reruns: moving a slider runs no network."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from app.analysed import kept_analysis
from app.attributions import attributed_maps
from app.methods import Method
from app.pictures import Picture
from app.viewer import threshold_in_view
from recam_core.data.sample import ClassList
from recam_core.maps.activation_maps import ActivationMaps, no_activation_words
from recam_core.maps.inference import (
    QUICK_SCALES,
    class_probabilities,
    maps_from_features,
    picture_features,
    predicted_classes,
)
from recam_core.method.extraction import LOG_ODDS, gives_log_odds
from recam_core.scores.thresholds import shown_threshold
from recam_core.views.viewer_payload import ViewerPayload, pane_of_maps, viewer_payload


@dataclass(frozen=True)
class Inference:
    """How a picture goes through the network."""

    scales: tuple[float, ...] = QUICK_SCALES
    mirror: bool = True


@st.cache_data(max_entries=400, show_spinner=False)
def _maps(
    weights: str,
    picture: str,
    classes: tuple[int, ...],
    how: Inference,
    _method: Method,
    _image: np.ndarray,
    _stored: ActivationMaps | None,
) -> ActivationMaps:
    if _stored is not None:
        return _stored
    with _method.shared.lock:
        features = picture_features(_method.shared.run.network, _image, how.scales, how.mirror)
        return maps_from_features(features, _method.weight, classes)


@st.cache_data(max_entries=200, show_spinner=False)
def _prediction(weights: str, picture: str, _method: Method, _image: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
    with _method.shared.lock:
        # Probabilities come from scale 1 alone, so the others need not be computed.
        features = picture_features(_method.shared.run.network, _image, scales=(1.0,))
    found = predicted_classes(features, _method.softmax)
    return class_probabilities(features, _method.softmax), tuple(found.tolist())


def maps_of(method: Method, picture: Picture, classes: tuple[int, ...], how: Inference) -> ActivationMaps:
    """The maps of the classes; computed once for a method's weights, a picture's pixels and the settings."""
    if method.attribution is not None:
        return attributed_maps(method, picture, classes)
    stored = _stored_maps(method, picture, classes, how)
    return _maps(method.weights_key, picture.key, classes, how, method, picture.image, stored)


def _stored_maps(method: Method, picture: Picture, classes: tuple[int, ...], how: Inference) -> ActivationMaps | None:
    """The maps that were made for the whole data set, where there are any."""
    if method.entry is None or method.attribution is not None or picture.source is None or how != Inference():
        return None
    spec, picture_id = picture.source
    found = kept_analysis(method.entry, method.rule, spec)
    if found is None or picture_id not in found.store:
        return None
    maps = found.store[picture_id]
    return maps if tuple(maps.classes.tolist()) == classes and maps.size == picture.image.shape[:2] else None


@st.cache_data(max_entries=400, show_spinner=False)
def _silence(
    weights: str,
    picture: str,
    classes: tuple[int, ...],
    how: Inference,
    names: tuple[str, ...],
    _maps: Callable[[], ActivationMaps],
) -> str:
    return no_activation_words(_maps(), names)


def silence_of(method: Method, picture: Picture, present: tuple[int, ...], classes: ClassList, how: Inference) -> str:
    """A sentence on the classes that a method shows nothing of in a picture; "" where it has maps of all."""
    maps = lambda: maps_of(method, picture, present, how)  # noqa: E731
    return _silence(method.weights_key, picture.key, present, how, classes.names, maps)


def make_ready(method: Method, picture: Picture, how: Inference) -> None:
    """Read the network of a method, unless the picture's maps are kept.

    Raises:
        UserError: the weights are missing, damaged or of another architecture.
    """
    if not picture.labels or _stored_maps(method, picture, picture.labels, how) is None:
        method.load()


@st.cache_data(max_entries=100, show_spinner=False)
def _payload(
    picture: str,
    title: str,
    panes: tuple[tuple[str, str, str, str, float | None, float | None], ...],
    present: tuple[int, ...],
    classes: ClassList,
    how: Inference,
    reference: str | None,
    _picture: Picture,
    _maps: Callable[[], list[ActivationMaps]],
) -> ViewerPayload:
    shown = [
        pane_of_maps(maps, key=key, title=name, threshold=threshold, about=about, log_odds=log_odds)
        for maps, (_, key, name, about, threshold, log_odds) in zip(_maps(), panes, strict=True)
    ]
    return viewer_payload(title, _picture.image, classes, shown, _picture.mask, reference)


def payload_of(
    methods: Sequence[Method],
    picture: Picture,
    present: tuple[int, ...],
    classes: ClassList,
    how: Inference,
    reference: str | None,
) -> ViewerPayload:
    """What the viewer draws: the picture and each method's maps of the present classes.

    Args:
        methods: one a pane.
        picture: what is looked at.
        present: indices of the classes to make maps of.
        classes: all classes.
        how: the inference settings.
        reference: key of the method that differences of scores are taken to.
    """
    panes = tuple(
        (
            method.weights_key,
            method.key,
            method.title,
            method.about,
            threshold_of(method, methods, classes),
            LOG_ODDS if gives_log_odds(method.rule) else None,
        )
        for method in methods
    )
    return _payload(
        picture.key_with_mask,
        picture.title,
        panes,
        present,
        classes,
        how,
        reference,
        picture,
        lambda: [maps_of(method, picture, present, how) for method in methods],
    )


def threshold_of(method: Method, methods: Sequence[Method], classes: ClassList) -> float | None:
    """A method's own background threshold, or a usual one where none was chosen; None without a background class."""
    return shown_threshold(method.rule, [(one.threshold, one.rule) for one in (method, *methods)], classes)


def threshold_now(
    method: Method, methods: Sequence[Method], classes: ClassList, view: Mapping[str, Any]
) -> float | None:
    """As the viewer has it: one for all, none, one set by hand for this pane, or the method's own."""
    return threshold_in_view(view, method.key, threshold_of(method, methods, classes))


def prediction_of(method: Method, picture: Picture) -> tuple[np.ndarray, tuple[int, ...]]:
    """K class probabilities, and the classes that count as seen."""
    return _prediction(method.weights_key, picture.key, method, picture.image)
