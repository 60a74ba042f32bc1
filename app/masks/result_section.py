"""From seed to mask: the steps of one way, or several ways side by side, in the viewer."""

import numpy as np
import streamlit as st

from app.copy_link import copy_link
from app.guard import sentences
from app.links import keep, keep_view, kept, view_in_address
from app.masks.choose import USUAL_FINISH, Scene
from app.masks.climb_job import climb_panel
from app.masks.export_section import export_section
from app.masks.refined import (
    MASK,
    SEEDS,
    WHOLE_WALK,
    boundary_of,
    lacks,
    pane_of_way,
    seeds_of,
    seeds_threshold,
    stands_for,
)
from app.plain_words import as_code, plain
from app.viewer import threshold_in_view, viewer
from app.visitors import may_train
from recam_core.analysis.taken_back import change_sentence, what_changed
from recam_core.maps.activation_maps import FULL, no_activation_words, seed_mask
from recam_core.method.extraction import LOG_ODDS, gives_log_odds
from recam_core.refine.finishes import FINISHES
from recam_core.refine.known_boundaries import scores_words
from recam_core.refine.random_walk import STAGES
from recam_core.refine.ways import WAYS, Route
from recam_core.typed_path import as_typed
from recam_core.views.viewer_payload import ViewerPane, ViewerPayload, ViewerSheet, pane_of_maps, viewer_payload

_WALK, _CLIMBED = "walk", "advcam"


def result_section(scene: Scene) -> None:
    """Say what is lacking, and show what can be shown."""
    without_boundaries, without_climb = map(any, zip(*(lacks(scene, way) for way in scene.ways), strict=True))
    if without_boundaries:
        _no_boundaries(scene)
    if without_climb:
        climb_panel(scene)
    ways = tuple(way for way in scene.ways if not any(lacks(scene, way)))
    finish = scene.finish
    if not ways:
        ways, finish = ("direct",), finish if finish != "none" else USUAL_FINISH
    _look(scene, ways, finish)


def _no_boundaries(scene: Scene) -> None:
    entry = scene.entry
    learn = f"boundaries {as_typed(entry.path)} --data {entry.info.data or 'SPEC@train'}"
    command = f"python -m recam_core {learn} --preset small --out runs/boundaries"
    by = "the form below or by" if may_train() else "the command"
    st.info(
        f"A walk keeps within boundaries, and none have been learnt on the features of {plain(entry.title)}, so this "
        f"shows the direct way. Boundaries are learnt within minutes to hours by {by} {as_code(command)}, and are "
        "found here once they lie among the runs.",
        icon=":material/fence:",
    )


@st.fragment
def _look(scene: Scene, ways: tuple[str, ...], finish: str) -> None:
    """The viewer and what is said of it, redrawn by themselves when the walk is turned or the viewer reports a view."""
    with sentences():
        lead = st.container(key="masks_lead")
        stage = _stage(ways)
        with st.spinner("Refining", show_time=True):
            panes, sheets = _panes(scene, ways, finish, stage)
            payload = _payload(scene, ways, finish, stage, panes, sheets)
        for pane in panes[:1]:
            if words := no_activation_words(seeds_of(scene), scene.family.classes.names):
                st.warning(f"**{plain(pane.title)}**: {plain(words)}", icon=":material/visibility_off:")
        if "masks_view" not in st.session_state:
            st.session_state["masks_view"] = view_in_address(scene.family.classes)
        shown = viewer(payload, st.session_state["masks_view"], key="masks_viewer")
        st.session_state["masks_view"] = shown["view"]
        keep_view(shown["view"], scene.family.classes)
        with lead:
            _sentence(scene, panes, shown["view"])
        with st.container(horizontal=True, vertical_alignment="center"):
            copy_link(["It holds the picture, the method, the ways and the view."], key="masks_link")
        export_section(scene, ways, finish, shown["view"])


def _stage(ways: tuple[str, ...]) -> int:
    """How far the walk has gone, as a place in the stages; all of it where nothing walks."""
    if not any(WAYS[way].walks for way in ways):
        return WHOLE_WALK
    if "masks_steps" not in st.session_state:
        named = kept("steps")
        st.session_state["masks_steps"] = int(named) if named in map(str, STAGES) else STAGES[-1]
    steps = st.select_slider(
        "Steps of the walk", STAGES, key="masks_steps", persist_state="session",
        help="Each power of two is kept, so nothing is computed anew: drag, or use the arrow keys, and watch the mask "
        "spread up to the boundaries.",
    )  # fmt: skip
    keep("steps", str(steps), str(STAGES[-1]))
    return STAGES.index(steps)


def _panes(scene: Scene, ways: tuple[str, ...], finish: str, stage: int) -> tuple[list[ViewerPane], list[ViewerSheet]]:
    """Seeds first, which the others are held against; then each step of one way, or the end of each of several."""
    seeds, rule = seeds_of(scene), scene.method.rule
    first = pane_of_maps(
        seeds, key=SEEDS, title="Seeds", threshold=seeds_threshold(scene),
        about=f"{scene.method.title}, {scene.method.about}", log_odds=LOG_ODDS if gives_log_odds(rule) else None,
    )  # fmt: skip
    panes = [first]
    (way, *others) = ways
    if others:
        for one in ways:
            title = Route(one, finish).title or WAYS[one].title
            panes.append(pane_of_way(scene, one, one, title, finish=finish, stage=stage))
    else:
        steps = [(_CLIMBED, "advcam", WAYS["advcam"].title, "none")] if WAYS[way].climbs else []
        steps += [(_WALK, way, f"Walk, {STAGES[stage]} steps", "none")] if WAYS[way].walks else []
        steps += [(MASK, way, f"Mask by {FINISHES[finish].title}", finish)] if finish != "none" else []
        for place, (key, one, title, by) in enumerate(steps, start=1):
            # Whatever comes last is the mask.
            key = MASK if place == len(steps) else key
            panes.append(pane_of_way(scene, one, key, title, finish=by, stage=stage))
    sheets = []
    if any(WAYS[one].walks for one in ways):
        levels = np.rint(boundary_of(scene) * FULL).astype(np.uint8)
        sheets.append(ViewerSheet("boundaries", "Boundaries", "Where boundaries were seen.", levels, after=SEEDS))
    return panes, sheets


@st.cache_data(max_entries=60, show_spinner=False)
def _packed(stands_for: tuple, _scene: Scene, _panes: list[ViewerPane], _sheets: list[ViewerSheet]) -> ViewerPayload:
    picture = _scene.picture
    return viewer_payload(
        picture.title, picture.image, _scene.family.classes, _panes, picture.mask, reference=SEEDS, sheets=_sheets
    )


def _payload(
    scene: Scene, ways: tuple[str, ...], finish: str, stage: int, panes: list[ViewerPane], sheets: list[ViewerSheet]
) -> ViewerPayload:
    known = tuple(stands_for(scene, way) for way in ways)
    look = tuple((pane.key, pane.title, pane.threshold) for pane in panes)
    return _packed((scene.picture.key_with_mask, known, finish, stage, look), scene, panes, sheets)


def _sentence(scene: Scene, panes: list[ViewerPane], view: dict) -> None:
    """What becomes of the seeds, in words."""
    hidden = view.get("hidden", [])
    last = next((pane for pane in reversed(panes) if pane.key not in hidden), panes[-1])
    if scene.picture.truth is not None and last is not panes[0]:
        seeds, mask = (
            seed_mask(one.argmax, one.activation, threshold_in_view(view, one.key, one.threshold))
            for one in (panes[0], last)
        )
        change = what_changed(seeds, mask, scene.picture.truth, scene.family.classes)
        if change is not None:
            words = change_sentence(change, scene.family.classes, scene.method.title, last.title)
            st.markdown(f"**{plain(words)}**")
    if scene.boundaries is not None and any(WAYS[way].walks for way in scene.ways):
        st.caption(plain(scores_words(scene.boundaries)))
