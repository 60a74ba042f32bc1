"""Two figures of each setting against each other."""

import plotly.graph_objects as go

from recam_core.experiments.experiment import Experiment
from recam_core.experiments.protocol import REPORT
from recam_core.views.charts.setting_points import (
    DASHES,
    PART_WORDS,
    REFERENCE_PLACE,
    colours_of,
    groups_of,
    hover_of,
    marks,
    panel_points,
    percent_axis,
)
from recam_core.views.charts.style import Palette, plain, template

_HEIGHT = 390


def scatter_chart(experiment: Experiment, title: str, marked: int | None, palette: Palette) -> go.Figure:
    """Each setting as a point, the run before it was retrained as a cross.

    ``customdata`` of either is the place of the setting, :data:`REFERENCE_PLACE` for the crosses.

    Args:
        experiment: whose chart is of the kind ``scatter``.
        title: of the panel.
        marked: place of the setting whose maps are shown.
        palette: of the page.
    """
    chart = experiment.chart
    points = panel_points(experiment, title, marked)
    before = chart.reference or {}
    across, up = before.get("confused", {}), before.get(chart.y_title, {})
    parts = [part for part in DASHES if part in across and part in up]
    crosses = go.Scatter(
        x=[across[part] for part in parts],
        y=[up[part] for part in parts],
        mode="markers",
        name="not retrained",
        marker={
            "symbol": "cross",
            "size": 13,
            "color": [palette.wrong if part == REPORT else palette.ground for part in parts],
            "line": {"color": palette.wrong, "width": 1.8},
        },
        customdata=[[REFERENCE_PLACE] for _ in parts],
        hovertext=[
            f"<b>not retrained</b><br>{_words(chart.y_title, up[part])}<br>on the part that {PART_WORDS[part]}"
            f"<br>{_words(chart.x_title, across[part])}"
            for part in parts
        ],
        hoverinfo="text",
    )
    at = {point: (float(point.x), point.y) for point in points}
    hover = {
        point: f"{hover_of(point, chart.y_title, up)}<br>{_words(chart.x_title, at[point][0])}" for point in points
    }
    figure = go.Figure([crosses, *marks(points, at, hover, colours_of(groups_of(experiment), palette), palette)])
    figure.update_layout(
        template=template(palette),
        height=_HEIGHT,
        margin={"t": 30, "r": 14},
        showlegend=False,
        xaxis={"title": {"text": plain(chart.x_title)}, **percent_axis(x for x, _ in at.values())},
        yaxis={"title": {"text": plain(chart.y_title)}, **percent_axis(y for _, y in at.values())},
    )
    return figure


def _words(title: str, share: float) -> str:
    return plain(f"{title}: {100 * share:.2f} %")
