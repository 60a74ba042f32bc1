"""The chart of a result, with its legend."""

from html import escape

import plotly.graph_objects as go
import streamlit as st

from app.chart import key_while, palette, pressed, show_chart
from app.lab.lab_result import LabResult, look_at
from app.plain_words import as_code, plain
from recam_core.experiments.figures import FIGURES
from recam_core.experiments.protocol import SELECT
from recam_core.views.charts.dots import dot_chart
from recam_core.views.charts.heat import heat_chart
from recam_core.views.charts.lines import line_chart
from recam_core.views.charts.scatter import scatter_chart
from recam_core.views.charts.setting_points import colours_of, groups_of
from recam_core.views.charts.style import Palette

_DIRECTIONS = {title: "more is better" if more else "less is better" for _, title, more in FIGURES.values()}
_PANELS = {"line": line_chart, "bar": dot_chart, "scatter": scatter_chart}


def chart_section(job: LabResult, marked: int | None) -> None:
    """Draw it; a press on a mark looks at its setting."""
    colours = palette()
    with st.container(key="lab_chart"):
        if job.found.chart.kind == "heat":
            _heats(job, marked, colours)
        else:
            _panels(job, marked, colours)


def _panels(job: LabResult, marked: int | None, colours: Palette) -> None:
    found, chart = job.found, job.found.chart
    _legend(chart.kind == "scatter", groups_of(found), _has_spread(job), colours)
    columns: list[st.delta_generator.DeltaGenerator] = []
    for place, title in enumerate(chart.panels):
        if not columns:
            # Row by row, so that the panels keep their order below one another in a narrow window.
            columns = st.columns(2 if len(chart.panels) > 1 else 1, gap="large")
        with columns.pop(0):
            if chart.kind != "scatter":
                st.markdown(f"**{plain(title)}** :gray[{_DIRECTIONS.get(title, '')}]")
            drawn = _PANELS[chart.kind](found, title, marked, colours)
            _chart(f"lab_panel_{place}", drawn, job, marked, f"{found.title}: {title}")


def _heats(job: LabResult, marked: int | None, colours: Palette) -> None:
    chart = job.found.chart
    columns = st.columns(len(chart.heats), gap="large")
    for place, (column, heat) in enumerate(zip(columns, chart.heats, strict=True)):
        spec = getattr(job.found.protocol, heat.part)
        before = (chart.reference or {}).get("mIoU", {}).get(heat.part)
        with column:
            words = "Chosen on" if heat.part == SELECT else "Reported on"
            rest = "" if before is None else f" :gray[mIoU in percent; not retrained {100 * before:.1f}]"
            st.markdown(f"**{words}** {as_code(spec)}{rest}")
            drawn = heat_chart(job.found, heat, marked, colours)
            _chart(f"lab_heat_{place}", drawn, job, marked, f"mIoU of each cell, {words.lower()} {spec}")
    st.html(
        f'<div class="legend"><span>low <i class="ramp" style="background:linear-gradient(90deg,{colours.middle},'
        f'{",".join(colours.better)})"></i> high</span><span><i class="lab-cell" style="border-color:'
        f'{colours.methods[1]}"></i>the part that chooses prefers it</span>'
        '<span>press a cell to see its maps</span></div>'
    )  # fmt: skip


def _chart(name: str, drawn: go.Figure, job: LabResult, marked: int | None, words: str) -> None:
    def place(key: str) -> int | None:
        found = pressed(key)
        return int(found[0][0]) if found else None

    key = key_while(f"{name}_{job.id}", lambda key: place(key) in (None, marked))
    with st.container(key=name):
        show_chart(
            drawn,
            key=key,
            modes=("points",),
            name=name,
            alt=f"{words}. The table below has the same figures; the field below it chooses a setting by keyboard.",
            on_press=lambda: look_at(job.id, place(key)),
        )


def _has_spread(job: LabResult) -> bool:
    panels = job.found.chart.panels.values()
    return any(low is not None for panel in panels for series in panel for low in series.low)


def _legend(is_scatter: bool, groups: list[str], has_spread: bool, colours: Palette) -> None:
    """What colours, fillings, lines and rings stand for."""
    tints = colours_of(groups, colours)
    first = next(iter(tints.values()))
    named = [
        f'<span><i class="lab-dot" style="background:{tint};border-color:{tint}"></i>{escape(group)}</span>'
        for group, tint in tints.items()
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
