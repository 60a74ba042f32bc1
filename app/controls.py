"""How the panes are drawn: everything here only draws anew, nothing is computed again."""

from dataclasses import dataclass

import streamlit as st

from app.links import keep, kept
from app.methods import Method
from app.pictures import Picture
from recam_core.data.sample import ClassList
from recam_core.views.colour_maps import COLOUR_MAPS

ERRORS, HEAT, SEEDS, DISAGREEMENT = "errors", "heat", "seeds", "disagreement"
_VIEW_LABELS = {
    ERRORS: ":material/rule: Errors",
    HEAT: ":material/local_fire_department: Heat map",
    SEEDS: ":material/grass: Seed mask",
    DISAGREEMENT: ":material/call_split: Disagreement",
}
_VIEW_HELP = """
- **Errors** marks what is right and what is wrong, and in which of two ways: pixels claimed falsely, and pixels lost.
- **Heat map** shows the activation of the class, as the share of the map's maximum.
- **Seed mask** gives each pixel to the class with the greatest activation, or to the background below the threshold.
- **Disagreement** needs no ground truth: it shows where the methods do not say the same.
"""
_NO_TRUTH = "This picture has no ground truth, so errors cannot be told: *Disagreement* shows where the methods differ."
#: Where no run of the family has a threshold of its own.
_USUAL_THRESHOLD = 0.25
_ALL = "all classes"


@dataclass(frozen=True)
class View:
    """What the controls are set to.

    Attributes:
        kind: ``ERRORS``, ``HEAT``, ``SEEDS`` or ``DISAGREEMENT``.
        class_index: the class that is looked at (from 0), or None for all that are present.
        own_thresholds: whether each method's seeds are cut at its own threshold.
        threshold: the threshold for all otherwise; None gives each pixel to its arg-max class.
        opacity: of what is laid over the photo, 0..1.
        colour_map: of heat maps.
    """

    kind: str
    class_index: int | None
    own_thresholds: bool
    threshold: float | None
    opacity: float
    colour_map: str

    def threshold_of(self, method: Method) -> float | None:
        """The background threshold of one method's seeds."""
        if self.own_thresholds and method.threshold is not None:
            return method.threshold
        return self.threshold


def view_controls(picture: Picture, present: tuple[int, ...], classes: ClassList, methods: list[Method]) -> View:
    """Draw the controls above the panes and return what they are set to."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        kind = _view_kind(picture)
        class_index = _class_choice(present, classes)
    threshold_column, opacity_column, colour_column = st.columns([2, 1, 1], gap="medium", vertical_alignment="bottom")
    with threshold_column:
        own, threshold = _threshold(classes, methods)
    opacity = opacity_column.slider(
        "Opacity",
        0.0,
        1.0,
        0.8,
        0.05,
        key="opacity",
        persist_state="session",
        help="How strongly marks and colours cover the photo.",
    )
    colour_map = colour_column.selectbox(
        "Colour map",
        list(COLOUR_MAPS),
        key="colours",
        persist_state="session",
        disabled=kind != HEAT,
        help="For heat maps. Viridis is even to the eye: equal steps of activation look equally large.",
    )
    return View(kind, class_index, own, threshold, opacity, colour_map)


def _view_kind(picture: Picture) -> str:
    """The chosen view; without ground truth there are no errors to show."""
    options = [ERRORS, HEAT, SEEDS, DISAGREEMENT] if picture.has_truth else [HEAT, SEEDS, DISAGREEMENT]
    # What was wanted is kept apart from the widget, so that a picture without ground truth does not lose it.
    wanted = st.session_state.setdefault("wanted_view", kept("view", ERRORS))
    st.session_state["view_kind"] = wanted if wanted in options else DISAGREEMENT
    kind = st.segmented_control(
        "View",
        options,
        required=True,
        format_func=_VIEW_LABELS.__getitem__,
        key="view_kind",
        wrap=True,
        help=_VIEW_HELP if picture.has_truth else f"{_NO_TRUTH}\n{_VIEW_HELP}",
        on_change=lambda: st.session_state.update(wanted_view=st.session_state["view_kind"]),
    )
    keep("view", st.session_state["wanted_view"], ERRORS)
    return kind or HEAT


def _class_choice(present: tuple[int, ...], classes: ClassList) -> int | None:
    """The chosen class among the present ones, or None for all."""
    names = [_ALL, *(classes.names[k] for k in present)]
    wanted = st.session_state.setdefault("wanted_class", kept("class", _ALL))
    st.session_state["class_choice"] = wanted if wanted in names else _ALL
    name = st.pills(
        "Class",
        names,
        required=True,
        key="class_choice",
        help="Which class the panes and the scores are about: one that is present in the picture, or all of them.",
        on_change=lambda: st.session_state.update(wanted_class=st.session_state["class_choice"]),
    )
    keep("class", st.session_state["wanted_class"], _ALL)
    return None if name in (None, _ALL) else classes.names.index(name)


def _threshold(classes: ClassList, methods: list[Method]) -> tuple[bool, float | None]:
    """Whether each method has its own threshold, and the one for all."""
    if not classes.has_background:
        return False, _threshold_without_background()
    own_ones = [method.threshold for method in methods if method.threshold is not None]
    usual = own_ones[0] if own_ones else _USUAL_THRESHOLD
    slider, switch = st.columns([3, 2], gap="small", vertical_alignment="bottom")
    with switch:
        own = st.toggle(
            "Each method's own",
            value=True,
            key="own_thresholds",
            persist_state="session",
            disabled=not own_ones,
            help="Cut each method at the threshold that was best for it on a part of the training pictures (it stands "
            "under the pane). Moving the slider sets one threshold for all.",
        )
    value = slider.slider(
        "Background threshold",
        0.0,
        1.0,
        usual,
        0.01,
        key="threshold",
        persist_state="session",
        on_change=lambda: st.session_state.update(own_thresholds=False),
        help="Pixels whose greatest activation is at or below it go to the background. Only draws anew: the maps stay.",
    )
    return own and bool(own_ones), value


def _threshold_without_background() -> float | None:
    """For classes that cover everything: off gives each pixel to its arg-max class."""
    slider, switch = st.columns([3, 2], gap="small", vertical_alignment="bottom")
    with switch:
        cut = st.toggle(
            "Leave weak pixels out",
            value=False,
            key="cut",
            persist_state="session",
            help="These classes cover whole pictures: there is no background. Off, every pixel goes to the class with "
            "the greatest activation. On, pixels at or below the threshold stay unlabelled and count as missed.",
        )
    value = slider.slider(
        "Threshold for labelling",
        0.0,
        1.0,
        _USUAL_THRESHOLD,
        0.01,
        key="label_threshold",
        persist_state="session",
        disabled=not cut,
        help="Only used with *Leave weak pixels out*: these classes have no background to give weak pixels to.",
    )
    return value if cut else None
