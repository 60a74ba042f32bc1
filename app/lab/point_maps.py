"""The maps behind a point: the run before, what was chosen, and the setting that was pressed, in the viewer."""

import numpy as np
import streamlit as st

from app.carried import settled, taken_over
from app.catalogue import Family
from app.datasets import dataset
from app.lab.chosen_point import setting_at
from app.lab.point_methods import methods_of, seed_of
from app.lab.shown import Shown
from app.links import keep, kept
from app.map_cache import Inference, payload_of
from app.pictures import picture_of_set
from app.shared_state import CHOSEN_PICTURE
from app.viewer import viewer
from recam_core.data.match_classes import match_classes
from recam_core.experiments.part_score import picture_changes
from recam_core.experiments.protocol import REPORT
from recam_core.views.charts.setting_points import REFERENCE_PLACE

#: Orders of the pictures: those where the setting has more pixels right than the run before come first, or last.
_GAINS, _LOSSES, _AS_LISTED = _ORDERS = ("most gained first", "most lost first", "as listed")


def point_maps(job: Shown, family: Family, place: int, seed: int) -> None:
    """Draw the viewer with its choice of pictures.

    Raises:
        UserError: the run was deleted meanwhile, or a picture is broken.
    """
    one = setting_at(job, place)
    methods = methods_of(job, place, seed)
    spec = job.found.protocol.report
    changes = picture_changes(one.on(REPORT)[seed_of(one, seed)], job.found.reference.on(REPORT)[0])
    picture_id = _picture(job, changes, is_reference=place == REFERENCE_PLACE)
    found = dataset(spec)
    picture = picture_of_set(found, list(found.ids).index(picture_id), match_classes(found.classes, family.classes))
    if not picture.labels:
        st.info("This picture has no labels, so there is no class to make maps of.", icon=":material/label:")
        return
    # As the scores were made: the threshold belongs to maps of these scales.
    how = Inference() if job.found.exact else Inference(scales=(1.0,), mirror=False)
    with st.spinner("Computing maps", show_time=True):
        payload = payload_of(methods, picture, picture.labels, family.classes, how, methods[0].key)
    shown = viewer(payload, st.session_state.get("lab_view"), key="lab_viewer", can_step=len(job.scored) > 1)
    st.session_state["lab_view"] = shown["view"]
    if shown["step"]:
        st.session_state["lab_step"] = shown["step"]
        st.rerun()
    st.caption(
        "Maps as they were scored: "
        + ("at the usual scales with mirror images" if job.found.exact else "at scale 1 without mirror images")
        + ", each at the background threshold that the choosing part gave it. Arrow keys step through the pictures."
    )


def _picture(job: Shown, changes: np.ndarray, is_reference: bool) -> str:
    """The picture that was chosen, or stepped to; the first in order to begin with."""
    left, right = st.columns([1.2, 2], gap="medium")
    order = left.segmented_control(
        "Pictures in order",
        _ORDERS,
        default=_ORDERS[0],
        required=True,
        key="lab_order",
        persist_state="session",
        wrap=True,
        help="By how many more of their pixels are right with this setting than without retraining.",
    )
    signs = {_GAINS: -1.0, _LOSSES: 1.0, _AS_LISTED: 0.0}
    places = np.argsort(signs[order or _GAINS] * np.nan_to_num(changes), kind="stable").tolist()
    ids = [job.scored[place] for place in places]
    words = {job.scored[place]: f" ({100 * changes[place]:+.1f} % of its pixels)" for place in places}
    spec, named = job.found.protocol.report, bool(kept("picture"))
    elsewhere = taken_over(CHOSEN_PICTURE, spec, "lab_shown", named)
    if elsewhere in ids:
        st.session_state["lab_picture"] = elsewhere
    wanted = st.session_state.get("lab_picture") or kept("picture")
    at = ids.index(wanted) if wanted in ids else 0
    at = (at + st.session_state.pop("lab_step", 0)) % len(ids)
    st.session_state["lab_picture_choice"] = ids[at]
    right.selectbox(
        "Picture of the part that reports",
        ids,
        format_func=lambda id: id if is_reference else id + words[id],
        key="lab_picture_choice",
        on_change=lambda: st.session_state.update(lab_picture=st.session_state["lab_picture_choice"]),
    )
    if wanted in ids or at:
        st.session_state["lab_picture"] = ids[at]
    settled(CHOSEN_PICTURE, spec, "lab_shown", ids[at], named)
    keep("picture", ids[at], ids[0])
    return ids[at]
