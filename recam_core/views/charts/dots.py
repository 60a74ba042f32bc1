"""A figure of settings that are names: a row a name, so that names have room, and dots.

Shares that begin far from 0 need no bars.
"""

import plotly.graph_objects as go

from recam_core.experiments.experiment import Experiment
from recam_core.views.charts.setting_points import (
    colours_of,
    groups_of,
    hover_of,
    marks,
    panel_points,
    percent_axis,
    reference_lines,
    spread_bars,
)
from recam_core.views.charts.style import Palette, names_axis, template

_ROW = 26
#: What the axis below and the bar of buttons above take of the height.
_FOOT = 66
#: Characters that a name has room for beside the dots on a phone.
_NAME = 20


def dot_chart(experiment: Experiment, title: str, marked: int | None, palette: Palette) -> go.Figure:
    """One panel of an experiment; ``customdata`` of a point is the place of its setting.

    Args:
        experiment: whose chart is of the kind ``bar``.
        title: of the panel.
        marked: place of the setting whose maps are shown.
        palette: of the page.
    """
    points = panel_points(experiment, title, marked)
    reference = (experiment.chart.reference or {}).get(title, {})
    colours = colours_of(groups_of(experiment), palette)
    names = list(dict.fromkeys(str(point.x) for point in points))
    at = {point: (point.y, float(names.index(str(point.x)))) for point in points}
    hover = {point: hover_of(point, title, reference) for point in points}
    figure = go.Figure([*spread_bars(points, at, colours, "x"), *marks(points, at, hover, colours, palette)])
    figure.update_layout(
        template=template(palette),
        height=_ROW * len(names) + _FOOT,
        margin={"t": 30, "r": 14},
        showlegend=False,
        shapes=reference_lines(reference, "x", palette),
        xaxis=percent_axis(point.y for point in points),
        yaxis={
            **names_axis(names, _NAME),
            "tickfont": {"color": palette.text},
            "range": [len(names) - 0.5, -0.5],
            "griddash": "dot",
            "fixedrange": True,
        },
    )
    return figure
