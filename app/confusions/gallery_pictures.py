"""The pictures of a gallery: found by the index, drawn from the stored maps, kept between reruns."""

import numpy as np
import streamlit as st

from app.confusions.compared import Compared
from app.confusions.results import index_of, listed_pictures
from app.confusions.selection import ANY, Selection
from app.datasets import dataset
from recam_core.analysis.analysed import Analysed
from recam_core.analysis.cell_pixels import cell_pixels
from recam_core.data.match_classes import match_classes
from recam_core.data.sample import ClassList
from recam_core.errors import UserError
from recam_core.maps.activation_maps import seed_mask, winner_and_level
from recam_core.views.encode import data_url
from recam_core.views.outlined import outlined


def worst_pictures(compared: Compared, key: str, wanted: Selection) -> tuple[np.ndarray, np.ndarray]:
    """Positions in the counts and pixels of the pictures that have such pixels under a method, most first."""
    index, threshold = index_of(compared.method(key)), compared.thresholds[key]
    chosen = listed_pictures(compared)
    if wanted.truth == ANY:
        return index.false_positives(wanted.predicted - 1, threshold, chosen)
    if wanted.predicted == ANY:
        return index.false_negatives(wanted.truth - 1, threshold, chosen)
    return index.pictures(wanted.truth, wanted.predicted, threshold, chosen)


@st.cache_resource(max_entries=8, ttl="30m", show_spinner=False)
def _places(spec: str) -> dict[str, int]:
    return {picture: place for place, picture in enumerate(dataset(spec).ids)}


# What a moved threshold needs again is kept: decoding (or drawing) a picture takes most of the time.


@st.cache_resource(max_entries=96, ttl="30m", show_spinner=False)
def _picture(spec: str, picture: str, classes: ClassList) -> tuple[np.ndarray, np.ndarray]:
    """H x W x 3 image and H x W mask, both uint8."""
    found = dataset(spec)
    sample = found.load(_places(spec)[picture])
    return sample.image, match_classes(found.classes, classes).mask(sample.mask)


@st.cache_resource(max_entries=192, ttl="30m", show_spinner=False)
def _reading(maps: str, picture: str, _method: Analysed) -> tuple[np.ndarray, np.ndarray]:
    """Winner and level, both H x W uint8."""
    return winner_and_level(_method.store[picture])


@st.cache_data(max_entries=1000, ttl="1h", show_spinner=False)
def _outlined(
    maps: str, spec: str, picture: str, threshold: float | None, truth: int, predicted: int, _method: Analysed
) -> str:
    classes = _method.counts.classes
    image, mask = _picture(spec, picture, classes)
    winner, level = _reading(maps, picture, _method)
    if mask.shape != winner.shape:
        raise UserError(f"{picture} has another size than its maps; make them again.")
    pixels = cell_pixels(
        seed_mask(winner, level, threshold),
        mask,
        None if truth == ANY else truth,
        None if predicted == ANY else predicted,
        classes.has_background,
    )
    return data_url(outlined(image, pixels), "jpeg")


def outlined_url(compared: Compared, key: str, picture: str, wanted: Selection) -> str | None:
    """A small picture with the pixels outlined, as a data address; None where the picture is broken by now."""
    method = compared.method(key)
    try:
        return _outlined(
            str(method.store.path),
            compared.spec,
            picture,
            compared.thresholds[key],
            wanted.truth,
            wanted.predicted,
            method,
        )
    except (UserError, KeyError):
        return None
