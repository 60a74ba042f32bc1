"""Maps and what is read off them, kept between reruns: moving a slider runs no network."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from app.analysed import kept_analysis
from app.methods import Method
from app.pictures import Picture
from recam_core.maps.activation_maps import ActivationMaps, full_size, winner_and_level
from recam_core.maps.inference import (
    QUICK_SCALES,
    class_probabilities,
    maps_from_features,
    picture_features,
    predicted_classes,
)


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


@st.cache_data(max_entries=100, show_spinner=False)
def _reading(
    weights: str, picture: str, classes: tuple[int, ...], how: Inference, _maps: ActivationMaps
) -> tuple[np.ndarray, np.ndarray]:
    return winner_and_level(_maps)


@st.cache_data(max_entries=200, show_spinner=False)
def _prediction(weights: str, picture: str, _method: Method, _image: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
    with _method.shared.lock:
        # Probabilities come from scale 1 alone, so the others need not be computed.
        features = picture_features(_method.shared.run.network, _image, scales=(1.0,))
    found = predicted_classes(features, _method.softmax)
    return class_probabilities(features, _method.softmax), tuple(found.tolist())


def maps_of(method: Method, picture: Picture, classes: tuple[int, ...], how: Inference) -> ActivationMaps:
    """The maps of the classes; computed once for a method's weights, a picture's pixels and the settings."""
    stored = _stored_maps(method, picture, classes, how)
    return _maps(method.weights_key, picture.key, classes, how, method, picture.image, stored)


def _stored_maps(method: Method, picture: Picture, classes: tuple[int, ...], how: Inference) -> ActivationMaps | None:
    """The maps that were made for the whole data set, where there are any."""
    if method.entry is None or picture.source is None or how != Inference():
        return None
    spec, picture_id = picture.source
    found = kept_analysis(method.entry, method.rule, spec)
    if found is None or picture_id not in found.store:
        return None
    maps = found.store[picture_id]
    return maps if tuple(maps.classes.tolist()) == classes and maps.size == picture.image.shape[:2] else None


def reading_of(
    method: Method, picture: Picture, classes: tuple[int, ...], how: Inference
) -> tuple[np.ndarray, np.ndarray]:
    """Winner and level (both H x W uint8) of the maps; see ``winner_and_level``."""
    maps = maps_of(method, picture, classes, how)
    return _reading(method.weights_key, picture.key, classes, how, maps)


def plane_of(maps: ActivationMaps, class_index: int) -> np.ndarray:
    """H x W uint8: the activations of one class at the size of the picture."""
    chosen = maps.classes == class_index
    return full_size(ActivationMaps(maps.id, maps.size, maps.classes[chosen], maps.activations[chosen]))[0]


def prediction_of(method: Method, picture: Picture) -> tuple[np.ndarray, tuple[int, ...]]:
    """K class probabilities, and the classes that count as seen."""
    return _prediction(method.weights_key, picture.key, method, picture.image)
