"""The panes: one method each, side by side, over its scores."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from app.controls import DISAGREEMENT, ERRORS, HEAT, View
from app.legend import class_legend, heat_legend, mark_legend
from app.map_cache import Inference, maps_of, plane_of, reading_of
from app.methods import Method
from app.pictures import Picture
from recam_core.data.sample import VOID, ClassList
from recam_core.maps.activation_maps import seed_mask
from recam_core.scores.picture import PictureScores, picture_scores
from recam_core.views.disagreement import DISAGREEMENTS, disagreement_codes, disagreement_overlay, disagreement_share
from recam_core.views.encode import encode
from recam_core.views.enlarge import enlarge_codes, enlarge_levels, enlarge_photo, screen_factor
from recam_core.views.error_overlay import LOST_TO_BACKGROUND, UNSCORED, error_codes, error_marks, error_overlay
from recam_core.views.heat_overlay import heat_overlay
from recam_core.views.seed_overlay import seed_overlay

#: Seeds and heat cover whole areas evenly, so the same opacity hides more of the photo than error marks do.
_FILLED = 0.7
#: Label, attribute, what it says, and whether more of it is better.
_FIGURES = (
    ("IoU", "iou", "Intersection over union: right pixels / (right + falsely claimed + lost).", True),
    ("Precision", "precision", "Of the pixels that the method claims, the share that is right.", True),
    ("Recall", "recall", "Of the pixels of the ground truth, the share that the method finds.", True),
    ("Wrong class", "wrong_class", "Of the pixels of the ground truth, the share given to another class.", False),
)


@dataclass(frozen=True)
class Shown:
    """One pane, computed: how its method reads the picture under the current view."""

    method: Method
    level: np.ndarray
    seeds: np.ndarray
    threshold: float | None
    scores: PictureScores | None


def compute(
    methods: Sequence[Method],
    picture: Picture,
    present: tuple[int, ...],
    classes: ClassList,
    view: View,
    how: Inference,
) -> list[Shown]:
    """Maps (from the cache, where they are there), seeds and scores of each pane."""
    shown = []
    for method in methods:
        winner, level = reading_of(method, picture, present, how)
        threshold = view.threshold_of(method)
        seeds = seed_mask(winner, level, threshold)
        scores = None
        if picture.has_truth:
            scores = picture_scores(seeds, picture.mask, classes, view.class_index)
        if view.kind == HEAT and view.class_index is not None:
            level = plane_of(maps_of(method, picture, present, how), view.class_index)
        shown.append(Shown(method, level, seeds, threshold, scores))
    return shown


def draw_panes(shown: Sequence[Shown], picture: Picture, classes: ClassList, view: View, reference: str) -> None:
    """The row of panes with their legend.

    Args:
        shown: what :func:`compute` returned.
        picture: what is looked at.
        classes: its classes.
        view: the settings.
        reference: key of the method that differences are taken to.
    """
    base = next((pane.scores for pane in shown if pane.method.key == reference), None)
    factor = screen_factor(picture.image.shape[:2])
    photo = enlarge_photo(picture.image, factor)
    with st.container(key="panes"):
        for column, (place, pane) in zip(st.columns(len(shown), gap="medium"), enumerate(shown), strict=True):
            with column:
                _draw_pane(pane, place, shown, picture, photo, factor, classes, view, base, reference)
    _legend(shown, picture, classes, view)


def _draw_pane(
    pane: Shown,
    place: int,
    shown: Sequence[Shown],
    picture: Picture,
    photo: np.ndarray,
    factor: int,
    classes: ClassList,
    view: View,
    base: PictureScores | None,
    reference: str,
) -> None:
    method = pane.method
    st.markdown(f"**{method.title}**")
    if view.kind == HEAT:
        image = heat_overlay(photo, enlarge_levels(pane.level, factor), view.colour_map, view.opacity * _FILLED)
    elif view.kind == ERRORS and picture.mask is not None:
        codes = error_codes(pane.seeds, picture.mask, view.class_index)
        image = error_overlay(photo, enlarge_codes(codes, factor), view.opacity)
    elif view.kind == DISAGREEMENT:
        codes = disagreement_codes([other.seeds for other in shown], place, view.class_index)
        image = disagreement_overlay(photo, enlarge_codes(codes, factor), view.opacity)
    else:
        seeds = enlarge_codes(pane.seeds, factor)
        image = seed_overlay(photo, seeds, len(classes), view.opacity * _FILLED, view.class_index)
    about = "all present classes" if view.class_index is None else classes.names[view.class_index]
    st.image(encode(image, "jpeg"), width="stretch", alt=f"{method.title}, {view.kind} of {about}")
    cut = "every pixel to its arg-max class" if pane.threshold is None else f"threshold {pane.threshold:.2f}"
    st.caption(f"{method.about} · {cut}")
    if pane.scores is not None:
        _figures(pane.scores, None if method.key == reference else base, view.class_index is None)


def _figures(scores: PictureScores, base: PictureScores | None, mean: bool) -> None:
    """The four scores, two by two, with their differences to the reference."""
    for pair in (_FIGURES[:2], _FIGURES[2:]):
        for column, (label, name, meaning, more_is_better) in zip(st.columns(2, wrap=False), pair, strict=True):
            value = getattr(scores, name)
            column.metric(
                f"m{label}" if mean and name == "iou" else label,
                _percent(value),
                _difference(value, None if base is None else getattr(base, name)),
                delta_color="normal" if more_is_better else "inverse",
                help=meaning + (" The mean over the classes in the picture." if mean and more_is_better else ""),
            )


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.1%}"


def _difference(value: float, base: float | None) -> str | None:
    """Signed points of per cent to the reference, or nothing where there is nothing to compare."""
    if base is None or math.isnan(value) or math.isnan(base):
        return None
    return f"{100 * (value - base):+.1f} points"


def _legend(shown: Sequence[Shown], picture: Picture, classes: ClassList, view: View) -> None:
    if view.kind == ERRORS:
        marks = error_marks(view.class_index, classes.has_background)
        unused = set()
        if not (picture.mask == VOID).any():
            unused.add(UNSCORED)
        if all(pane.threshold is None for pane in shown):
            unused.add(LOST_TO_BACKGROUND)
        mark_legend(mark for mark in marks if mark.code not in unused)
    elif view.kind == HEAT:
        heat_legend(view.colour_map)
    elif view.kind == DISAGREEMENT:
        mark_legend(DISAGREEMENTS)
        share = disagreement_share([pane.seeds for pane in shown], view.class_index)
        st.markdown(f"The methods disagree on **{share:.1%}** of the pixels.")
    else:
        values = {int(value) - 1 for pane in shown for value in np.unique(pane.seeds) if value}
        if view.class_index is not None:
            values &= {view.class_index}
        class_legend(classes.names, sorted(values))
