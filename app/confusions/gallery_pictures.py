"""The pictures of a gallery: found by the index, drawn from the stored maps, kept between reruns."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from app.confusions.comparison import Comparison, index_of, listed_pictures
from app.confusions.moved import Moved
from app.confusions.selection import ANY, Selection
from app.datasets import dataset, sample_of
from recam_core.analysis.analysed import Analysed
from recam_core.analysis.taken_back import TakenBack, moved_pixels
from recam_core.analysis.wrong_regions import cell_pixels
from recam_core.data.match_classes import match_classes
from recam_core.data.sample import ClassList
from recam_core.errors import UserError
from recam_core.maps.activation_maps import argmax_and_activation, seed_mask
from recam_core.scores.band import within_band
from recam_core.views.pictures import data_url, outlined_on, quietened
from recam_core.views.pixel_kinds import TAKEN_BACK_MARKS


def worst_pictures(compared: Comparison, key: str, wanted: Selection) -> tuple[np.ndarray, np.ndarray]:
    """Positions in the counts and pixels of the pictures that have such pixels under a method, most first."""
    index, threshold = index_of(compared.method(key)), compared.thresholds[key]
    chosen = listed_pictures(compared)

    def cell(truth: int, predicted: int) -> tuple[np.ndarray, np.ndarray]:
        if truth == ANY:
            return index.false_positives(predicted - 1, threshold, chosen)
        if predicted == ANY:
            return index.false_negatives(truth - 1, threshold, chosen)
        return index.pictures(truth, predicted, threshold, chosen)

    return _together([cell(*values) for values in wanted.each])


def _together(found: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Positions and pixels of several cells, as one list, most first."""
    if len(found) == 1:
        return found[0]
    positions, places = np.unique(np.concatenate([each for each, _ in found]), return_inverse=True)
    pixels = np.zeros(len(positions), dtype=np.int64)
    np.add.at(pixels, places, np.concatenate([each for _, each in found]))
    order = np.argsort(-pixels, kind="stable")
    return positions[order], pixels[order]


def _asked(wanted: Selection, moved: Moved) -> tuple[tuple[int | None, int | None], ...]:
    """Row and column of the pixels that moved, of each cell; None for any."""
    if not moved.of_cell:
        return ((None, None),)
    # On the diagonal is what is right: there, any error is taken back into it, or lost from it.
    return tuple(
        (None if truth == ANY else truth, None if predicted in (ANY, truth) else predicted)
        for truth, predicted in wanted.each
    )


def moved_pictures(
    compared: Comparison, wanted: Selection, moved: Moved, found: TakenBack
) -> tuple[np.ndarray, np.ndarray]:
    """Positions and pixels of the pictures in which pixels were taken back or lost, most first."""
    chosen = listed_pictures(compared)
    cells = _asked(wanted, moved)
    return _together([found.pictures(*cell, kind=moved.kind, lost=moved.lost, chosen=chosen) for cell in cells])


@st.cache_resource(max_entries=8, ttl="30m", show_spinner=False)
def _places(spec: str) -> dict[str, int]:
    return {picture: place for place, picture in enumerate(dataset(spec).ids)}


# What a moved threshold needs again is kept: decoding (or drawing) a picture takes most of the time.


@st.cache_resource(max_entries=96, ttl="30m", show_spinner=False)
def _picture(spec: str, picture: str, classes: ClassList) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The small picture and the quiet one, both h x w x 3, and the H x W mask; all uint8."""
    found = dataset(spec)
    sample = sample_of(found, _places(spec)[picture])
    if sample.mask is None:
        raise UserError(f"{picture} has no ground truth.")
    return *quietened(sample.image), match_classes(found.classes, classes).mask(sample.mask)


@st.cache_resource(max_entries=192, ttl="30m", show_spinner=False)
def _reading(maps: str, picture: str, _method: Analysed) -> tuple[np.ndarray, np.ndarray]:
    """Arg-max class and activation, both H x W uint8."""
    return argmax_and_activation(_method.store[picture])


@st.cache_data(max_entries=1000, ttl="1h", show_spinner=False)
def _outlined(
    maps: str, spec: str, picture: str, threshold: float | None, cells: tuple[tuple[int, int], ...], _method: Analysed
) -> str:
    classes = _method.counts.classes
    small, quiet, mask = _picture(spec, picture, classes)
    winner, level = _reading(maps, picture, _method)
    if mask.shape != winner.shape:
        raise UserError(f"{picture} has another size than its maps; make them again.")
    seeds, mask = seed_mask(winner, level, threshold), within_band(mask, _method.band)
    pixels = np.zeros(mask.shape, dtype=bool)
    for cell in cells:
        truth, predicted = (None if value == ANY else value for value in cell)
        pixels |= cell_pixels(seeds, mask, truth, predicted, classes.has_background)
    return data_url(outlined_on(small, quiet, pixels), "jpeg")


@st.cache_data(max_entries=1000, ttl="1h", show_spinner=False)
def _outlined_moved(
    maps: tuple[str, str],
    spec: str,
    picture: str,
    thresholds: tuple[float | None, float | None],
    cells: tuple[tuple[int | None, int | None], ...],
    kind: str | None,
    lost: bool,
    _methods: tuple[Analysed, Analysed],
) -> str:
    classes = _methods[0].counts.classes
    small, quiet, mask = _picture(spec, picture, classes)
    seeds = [
        seed_mask(*_reading(name, picture, method), threshold)
        for name, method, threshold in zip(maps, _methods, thresholds, strict=True)
    ]
    if any(each.shape != mask.shape for each in seeds):
        raise UserError(f"{picture} has another size than its maps; make them again.")
    mask = within_band(mask, _methods[0].band)
    pixels = np.zeros(mask.shape, dtype=bool)
    before, after = seeds
    for truth, wrong in cells:
        pixels |= moved_pixels(before, after, mask, truth, wrong, classes.has_background, kind=kind, lost=lost)
    # The colours of the view of Explore that a press opens.
    taken_back, lost_mark, _ = TAKEN_BACK_MARKS
    return data_url(outlined_on(small, quiet, pixels, (lost_mark if lost else taken_back).colour), "jpeg")


def outlined_url(
    compared: Comparison, key: str, picture: str, wanted: Selection, moved: Moved | None = None
) -> str | None:
    """A small picture with the pixels outlined, as a data address; None where the picture is broken by now."""
    method = compared.method(key)
    try:
        if moved is not None:
            before = compared.method(moved.before)
            return _outlined_moved(
                (before.identity, method.identity),
                compared.spec,
                picture,
                (compared.thresholds[moved.before], compared.thresholds[key]),
                _asked(wanted, moved),
                moved.kind,
                moved.lost,
                (before, method),
            )
        return _outlined(
            method.identity,
            compared.spec,
            picture,
            compared.thresholds[key],
            wanted.each,
            method,
        )
    except (UserError, KeyError):
        return None
