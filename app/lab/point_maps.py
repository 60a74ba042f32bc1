"""The maps behind a point: the run before, what was chosen, and the setting that was pressed, in the viewer."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import streamlit as st

from app.carried import settled, taken_over
from app.catalogue import Entry, Family
from app.datasets import dataset
from app.guard import sentences
from app.lab.keep import keep_panel, keep_run_panel, readable_head
from app.lab.lab_job import LabJob
from app.lab.lab_result import GridResult, LabResult, look_at, looked_at, setting_at
from app.links import keep, kept
from app.map_cache import Inference, payload_of
from app.methods import Method, method_of_entry, method_of_heads
from app.models import shared_run
from app.pictures import picture_of_set
from app.plain_words import plain
from app.shared_state import CHOSEN_PICTURE
from app.viewer import viewer
from recam_core.checkpoint.run_folder import read_info
from recam_core.data.match_classes import match_classes
from recam_core.experiments.lab import SettingResult
from recam_core.experiments.part_score import picture_changes
from recam_core.experiments.protocol import REPORT
from recam_core.views.charts.setting_points import REFERENCE_PLACE

#: Orders of the pictures: those where the setting has more pixels right than the run before come first, or last.
_GAINS, _LOSSES, _AS_LISTED = _ORDERS = ("most gained first", "most lost first", "as listed")


def point_maps(job: LabResult, family: Family, place: int, seed: int) -> None:
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


def _picture(job: LabResult, changes: np.ndarray, is_reference: bool) -> str:
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


def seed_of(one: SettingResult, seed: int) -> int:
    """A seed that the setting has."""
    return min(seed, len(one.select) - 1)


def methods_of(shown: LabResult, place: int, seed: int) -> list[Method]:
    """The run before first, as differences of scores are taken to it.

    Raises:
        UserError: a run was deleted meanwhile.
    """
    one = setting_at(shown, place)
    others = [one] if place != REFERENCE_PLACE else []
    found = shown.found
    if found.chosen is not None and found.chosen != one.label:
        others.insert(0, found.setting(found.chosen))
    return [_before(shown), *(_of_setting(shown, each, seed_of(each, seed)) for each in others)]


def _before(shown: LabResult) -> Method:
    entry, reference = shown.entry, shown.found.reference
    before = method_of_entry(entry, "fc1")
    key, title = f"lab/{shown.id}/before", f"{entry.title}, not retrained"
    threshold = reference.select[0].scores.threshold
    if not reference.heads:
        return replace(before, key=key, title=title, threshold=threshold)
    head = reference.heads[0]
    return method_of_heads(key, title, shared_run(entry), head.fc1, head.fc2, before.rule, threshold)


def _of_setting(shown: LabResult, one: SettingResult, seed: int) -> Method:
    key = f"lab/{shown.id}/{one.label}"
    title = one.label + (", chosen" if one.label == shown.found.chosen else "")
    threshold = one.select[seed].scores.threshold
    if one.heads:
        head = readable_head(one, seed)
        return method_of_heads(
            key, title, shared_run(shown.entry), head.fc1, head.fc2, head.recipe.rule, threshold
        )  # fmt: skip
    path = Path(one.runs[seed])
    trained = method_of_entry(Entry(path, read_info(path), False), one.setting.recipes[seed].rule)
    # No entry: nobody looks among the user's runs for maps of this one.
    return replace(trained, key=key, title=title, threshold=threshold, entry=None)


def point_section(job: LabResult, family: Family) -> None:
    """Draw the section; a hint before a setting was pressed."""
    place = looked_at(job)
    _by_keyboard(job, place)
    if place is None:
        st.caption(
            ":material/touch_app: Press a point of the chart, or mark a row of the table, to see the maps behind it."
        )
        return
    one = setting_at(job, place)
    with st.container(key="lab_point"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"#### Maps of {plain(one.label)}", width="stretch")
            seed = 0
            if len(one.select) > 1:
                seed = st.segmented_control(
                    "Seed",
                    range(len(one.select)),
                    default=0,
                    required=True,
                    format_func=lambda seed: f"seed {one.setting.recipes[seed].seed}",
                    key=f"lab_seed_{job.id}",
                    label_visibility="collapsed",
                )
        with sentences():
            point_maps(job, family, place, seed or 0)
        if place == REFERENCE_PLACE:
            return
        picture = st.session_state.get("lab_picture_choice", job.scored[0])
        if isinstance(job, LabJob):
            keep_panel(job, one, seed or 0, picture)
        elif isinstance(job, GridResult):
            keep_run_panel(job, one, seed or 0, picture)


def _by_keyboard(job: LabResult, place: int | None) -> None:
    """A field that does what a press in the chart or the table does, which take no keys."""
    key = f"lab_point_choice_{job.id}"
    st.session_state[key] = place
    st.selectbox(
        "Setting whose maps are shown",
        [REFERENCE_PLACE, *range(len(job.found.settings))],
        format_func=lambda place: setting_at(job, place).label,
        key=key,
        placeholder="Press a point, or choose here",
        on_change=lambda: look_at(job.id, st.session_state[key]),
        width=420,
    )
