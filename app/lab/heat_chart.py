"""A grid of settings as a heat map whose cells can be pressed."""

import altair as alt
import numpy as np
import pandas as pd

from app.confusions.colour_ramp import ramp, readable
from app.confusions.ink import Ink
from app.lab.chart_points import PRESSED, PRESSED_FIELDS
from recam_core.experiments.chart import Chart, Heat

_ROW, _SMALLEST_ROW, _TALLEST = 38, 18, 460
#: What names and title of the columns take of the height.
_HEAD = 105
#: With more columns than this there is no room for numbers in the cells.
_NUMBERED = 14


def heat_chart(cells: pd.DataFrame, heat: Heat, chart: Chart, span: tuple[float, float], ink: Ink) -> alt.LayerChart:
    """The heat map of one part.

    Args:
        cells: what :func:`~app.lab.chart_points.heat_cells` made.
        heat: names along the axes, in their order.
        chart: their titles.
        span: lowest and highest value, of the ends of the colours.
        ink: colours of the page.
    """
    low, high = span
    strength = (cells["value"].to_numpy(dtype=float) - low) / max(high - low, 1e-9)
    colours = ramp((ink.middle, *ink.better), np.clip(np.nan_to_num(strength), 0, 1))
    cells = cells.assign(colour=colours, ink=readable(colours))
    common = {"domain": False, "ticks": False, "grid": False, "labelColor": ink.text, "labelLimit": 120}
    common |= {"titleColor": ink.quiet, "titleFontWeight": "normal", "labelOverlap": False}
    x = alt.X("x:N", sort=list(heat.x), title=chart.x_title, axis=alt.Axis(orient="top", labelAngle=-35, **common))
    y = alt.Y("y:N", sort=list(heat.y), title=chart.y_title, axis=alt.Axis(**common))
    press = alt.selection_point(name=PRESSED, fields=list(PRESSED_FIELDS), on="click", toggle=False, clear=False)
    base = alt.Chart(cells)
    layers = [
        base.mark_rect(cursor="pointer", stroke=ink.ground, strokeWidth=1.5, cornerRadius=3)
        .encode(
            x,
            y,
            color=alt.Color("colour:N", scale=None),
            tooltip=[
                alt.Tooltip("key:N", title="setting"),
                alt.Tooltip("value:Q", title="mIoU", format=".2%"),
            ],
        )
        .add_params(press)
    ]
    if len(heat.x) <= _NUMBERED:
        text = base.mark_text(fontSize=11, tooltip=None)
        layers.append(text.encode(x, y, text="words:N", color=alt.Color("ink:N", scale=None)))
    for name, width, tint in (("chosen", 3, ink.methods[1]), ("marked", 2.5, ink.text)):
        ring = base.transform_filter(f"datum.{name}").mark_rect(
            fillOpacity=0, stroke=tint, strokeWidth=width, cornerRadius=3, tooltip=None
        )
        layers.append(ring.encode(x, y))
    height = int(np.clip(_TALLEST / max(len(heat.y), 1), _SMALLEST_ROW, _ROW)) * len(heat.y)
    return alt.layer(*layers).properties(height=height + _HEAD).configure_view(strokeWidth=0)
