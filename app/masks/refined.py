"""What is made of the seeds of one picture, kept between reruns: no slider runs a network."""

from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st

from app.map_cache import maps_of, threshold_of
from app.masks.choose import Scene
from app.masks.climb_job import climb_of
from app.models import SharedRun
from recam_core.maps.activation_maps import GRID_STRIDE, ActivationMaps, silent_maps, strongest
from recam_core.method.extraction import LOG_ODDS, gives_log_odds
from recam_core.refine.boundaries import load_boundaries
from recam_core.refine.boundary_network import BoundaryNetwork
from recam_core.refine.finishes import FINISHES, finished_planes
from recam_core.refine.random_walk import STAGES
from recam_core.refine.ways import ACTIVATIONS, WAYS, Route, set_out, usual_way_threshold, walked_stages
from recam_core.views.viewer_payload import ViewerPane, pane_of_maps

#: The last stage of the walk, and the one place of ways that do not walk.
WHOLE_WALK = len(STAGES) - 1
#: Keys of panes: of the seeds, and of what comes last of a single way; of several ways each has its own name.
SEEDS, MASK = "seeds", "mask"


def seeds_of(scene: Scene) -> ActivationMaps:
    """The maps that go the ways."""
    return maps_of(scene.method, scene.picture, scene.present, scene.how)


# Boundaries -----------------------------------------------------------------------------------------------------------


@st.cache_resource(max_entries=12, show_spinner="Loading the boundaries")
def _heads(folder: str, changed: int, weights: str, _shared: SharedRun) -> BoundaryNetwork:
    return load_boundaries(folder, _shared.run)


@st.cache_data(max_entries=100, show_spinner=False)
def _boundary(folder: str, changed: int, weights: str, picture: str, _scene: Scene) -> np.ndarray:
    shared = _scene.method.shared
    heads = _heads(folder, changed, weights, shared)
    with shared.lock:
        return heads.boundary(_scene.picture.image)


def boundary_of(scene: Scene) -> np.ndarray:
    """h x w float32, 0..1, on the grid of the maps.

    Raises:
        UserError: the boundaries cannot be read.
        TypeError: the scene has none.
    """
    known = scene.boundaries
    if known is None:
        raise TypeError("no boundaries have been learnt for this run")
    weights = scene.entry.info.weights_sha256
    return _boundary(str(known.folder), known.changed, weights, scene.picture.key, scene)


# Ways -----------------------------------------------------------------------------------------------------------------


def lacks(scene: Scene, way: str) -> tuple[bool, bool]:
    """Whether a way lacks the boundaries that it walks within, and the maps of AdvCAM that it begins with."""
    return (
        WAYS[way].walks and scene.boundaries is None,
        WAYS[way].climbs and climb_of(scene) is None,
    )


@st.cache_data(max_entries=100, show_spinner=False)
def _stages(stands_for: tuple[Any, ...], _scene: Scene, _way: str) -> tuple[list[ActivationMaps], str]:
    climb = climb_of(_scene) if WAYS[_way].climbs else None
    maps, rule = set_out(_way, seeds_of(_scene), _scene.method.rule, None if climb is None else climb.maps)
    if not WAYS[_way].walks:
        return [maps], rule
    return walked_stages(maps, boundary_of(_scene), rule), ACTIVATIONS


def stands_for(scene: Scene, way: str) -> tuple[Any, ...]:
    """The key of what a way makes of the seeds, in caches."""
    known = scene.boundaries if WAYS[way].walks else None
    boundaries = None if known is None else (str(known.folder), known.changed)
    return (scene.method.weights_key, scene.picture.key, scene.present, scene.how, way, boundaries)


def maps_of_way(scene: Scene, way: str, stage: int = WHOLE_WALK) -> tuple[ActivationMaps, str]:
    """The maps after a way, or in the middle of its walk, and the rule that says what their values mean.

    All stages of a walk are made at once, and kept.

    Args:
        scene: what the page is about.
        way: one that lacks nothing.
        stage: a place in :data:`recam_core.refine.random_walk.STAGES`.
    """
    each, rule = _stages(stands_for(scene, way), scene, way)
    return each[min(stage, len(each) - 1)], rule


@st.cache_data(max_entries=200, show_spinner=False)
def _finished(
    stands_for: tuple[Any, ...],
    finish: str,
    has_background: bool,
    _maps: Callable[[], tuple[ActivationMaps, str]],
    _image: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    maps, rule = _maps()
    planes = finished_planes(maps, rule, _image, finish, has_background=has_background)
    argmax, activation = strongest(planes, (maps.classes + 1).tolist(), maps.size, silent_maps(maps).any())
    # Heat of one class, and the probe: every pixel at the middle of a cell.
    half = GRID_STRIDE // 2
    height, width = maps.size
    rows, columns = (np.minimum(np.arange(half, n + GRID_STRIDE - 1, GRID_STRIDE), n - 1) for n in (height, width))
    return argmax, activation, np.rint(planes[:, rows[:, None], columns]).astype(np.uint8)


def pane_of_way(scene: Scene, way: str, key: str, title: str, *, finish: str, stage: int = WHOLE_WALK) -> ViewerPane:
    """What a way and a finish make of the seeds, as a pane of the viewer."""
    maps, rule = maps_of_way(scene, way, stage)
    threshold = threshold_of_way(scene, way, finish)
    log_odds = LOG_ODDS if gives_log_odds(rule) else None
    if finish == "none":
        return pane_of_maps(maps, key=key, title=title, threshold=threshold, about=WAYS[way].about, log_odds=log_odds)
    argmax, activation, grids = _finished(
        (*stands_for(scene, way), stage),
        finish,
        scene.family.classes.has_background,
        lambda: (maps, rule),
        scene.picture.image,
    )
    present = tuple(maps.classes.tolist())
    if FINISHES[finish].crf is not None:
        log_odds = LOG_ODDS
    return ViewerPane(key, title, argmax, activation, threshold, Route(way, finish).title, present, grids, log_odds)


def seeds_threshold(scene: Scene) -> float | None:
    """The seeds' own background threshold; None without a background class."""
    return threshold_of(scene.method, [scene.method], scene.family.classes)


def threshold_of_way(scene: Scene, way: str, finish: str) -> float | None:
    """That of what a way and a finish make: as it was chosen on other pictures, or else a usual one."""
    seeds = seeds_threshold(scene)
    if seeds is None:
        return None
    known = scene.boundaries
    if known is not None and known.rule == scene.method.rule and scene.method.attribution is None:
        score = known.scores.get((way, finish))
        if score is not None and score.threshold is not None:
            return score.threshold
    return usual_way_threshold(way, finish, seeds)
