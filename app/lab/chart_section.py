"""The chart of a result, with its legend."""

from html import escape

import altair as alt
import streamlit as st

from app.confusions.ink import Ink, ink
from app.confusions.pressed import key_while, point
from app.lab.as_code import as_code
from app.lab.chart_points import PRESSED, PRESSED_FIELDS, colours_of, groups_of, heat_cells, panel_points
from app.lab.chosen_point import look_at
from app.lab.heat_chart import heat_chart
from app.lab.point_charts import dot_chart, line_chart, scatter_chart
from app.lab.shown import Shown
from recam_core.experiments.figures import FIGURES
from recam_core.experiments.protocol import SELECT

_DIRECTIONS = {title: "more is better" if more else "less is better" for _, title, more in FIGURES.values()}


def chart_section(job: Shown, marked: int | None) -> None:
    """Draw it; a press on a mark looks at its setting."""
    found, colours = job.found, ink()
    with st.container(key="lab_chart"):
        if found.chart.kind == "heat":
            _heats(job, marked, colours)
        else:
            _panels(job, marked, colours)


def _panels(job: Shown, marked: int | None, colours: Ink) -> None:
    found, chart = job.found, job.found.chart
    groups = groups_of(found)
    _legend(found.chart.kind == "scatter", groups, _has_spread(job), colours)
    columns: list[st.delta_generator.DeltaGenerator] = []
    for place, (title, series) in enumerate(chart.panels.items()):
        points, before = panel_points(found, series, marked), (chart.reference or {}).get(title, {})
        if not columns:
            # Row by row, so that the panels keep their order below one another in a narrow window.
            columns = st.columns(2 if len(chart.panels) > 1 else 1, gap="large")
        with columns.pop(0):
            if chart.kind == "scatter":
                drawn = scatter_chart(points, chart, colours)
            else:
                st.markdown(f"**{title}** :gray[{_DIRECTIONS.get(title, '')}]")
                draw = dot_chart if chart.kind == "bar" else line_chart
                arguments = (points, before) if chart.kind == "bar" else (points, chart, before)
                drawn = draw(*arguments, groups, colours)
            _chart(f"lab_panel_{place}", drawn, job, marked, f"{found.title}: {title}")


def _heats(job: Shown, marked: int | None, colours: Ink) -> None:
    chart = job.found.chart
    values = [value for heat in chart.heats for row in heat.values for value in row if value is not None]
    columns = st.columns(len(chart.heats), gap="large")
    for place, (column, heat) in enumerate(zip(columns, chart.heats, strict=True)):
        spec = getattr(job.found.protocol, heat.part)
        before = (chart.reference or {}).get("mIoU", {}).get(heat.part)
        with column:
            words = "Chosen on" if heat.part == SELECT else "Reported on"
            rest = "" if before is None else f" :gray[mIoU in percent; not retrained {100 * before:.1f}]"
            st.markdown(f"**{words}** {as_code(spec)}{rest}")
            cells = heat_cells(job.found, heat, marked)
            drawn = heat_chart(cells, heat, chart, (min(values), max(values)), colours)
            _chart(f"lab_heat_{place}", drawn, job, marked, f"mIoU of each cell, {words.lower()} {spec}")
    st.html(
        f'<div class="legend"><span>low <i class="ramp" style="background:linear-gradient(90deg,{colours.middle},'
        f'{",".join(colours.better)})"></i> high</span><span><i class="lab-cell" style="border-color:'
        f'{colours.methods[1]}"></i>the part that chooses prefers it</span>'
        '<span>press a cell to see its maps</span></div>'
    )  # fmt: skip


def _chart(name: str, drawn: alt.LayerChart, job: Shown, marked: int | None, words: str) -> None:
    def pressed(key: str) -> int | None:
        found = point(key, PRESSED, PRESSED_FIELDS)
        return None if found is None else found[0]

    key = key_while(f"{name}_{job.id}", lambda key: pressed(key) in (None, marked))
    with st.container(key=name):
        st.altair_chart(
            drawn,
            key=key,
            on_select=lambda: None if pressed(key) is None else look_at(job.id, pressed(key)),
            width="stretch",
            alt=f"{words}. The table below has the same figures, and its rows can be chosen by keyboard.",
        )


def _has_spread(job: Shown) -> bool:
    panels = job.found.chart.panels.values()
    return any(low is not None for panel in panels for series in panel for low in series.low)


def _legend(is_scatter: bool, groups: list[str], has_spread: bool, colours: Ink) -> None:
    """What colours, fillings, lines and rings stand for."""
    first, *_ = tints = colours_of(groups, colours)
    named = [
        f'<span><i class="lab-dot" style="background:{tint};border-color:{tint}"></i>{escape(group)}</span>'
        for group, tint in zip(groups, tints, strict=False)
        if group
    ]
    tint = colours.quiet if named else first
    entries = [
        *named,
        f'<span><i class="lab-dot" style="background:{tint};border-color:{tint}"></i>reported</span>',
        f'<span><i class="lab-dot" style="border-color:{tint}"></i>on the part that chooses</span>',
        f'<span><i class="lab-ring" style="border-color:{colours.methods[1]}"></i>chosen there</span>',
    ]
    line = f'<i class="lab-line" style="background:{colours.wrong}"></i>'
    cross = f'<b style="color:{colours.wrong}">✚</b>'
    entries.append(f"<span>{cross if is_scatter else line}not retrained</span>")
    if has_spread:
        entries.append(f'<span><i class="lab-bar" style="background:{tint}"></i>lowest to highest seed</span>')
    entries.append("<span>press a point to see its maps</span>")
    st.html(f'<div class="legend">{"".join(entries)}</div>')
