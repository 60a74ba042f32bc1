"""Below the table: the setting that was pressed, its maps, and keeping it."""

import streamlit as st

from app.catalogue import Family
from app.guard import sentences
from app.lab.chosen_point import look_at, looked_at, setting_at
from app.lab.keep_panel import keep_panel
from app.lab.keep_run_panel import keep_run_panel
from app.lab.lab_job import LabJob
from app.lab.point_maps import point_maps
from app.lab.shown import Shown
from app.lab.shown_grid import ShownGrid
from app.plain_words import plain
from recam_core.views.charts.setting_points import REFERENCE_PLACE


def point_section(job: Shown, family: Family) -> None:
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
        elif isinstance(job, ShownGrid):
            keep_run_panel(job, one, seed or 0, picture)


def _by_keyboard(job: Shown, place: int | None) -> None:
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
