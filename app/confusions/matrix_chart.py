"""The confusion matrix as a chart whose cells can be pressed."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from app.confusions.ink import Ink

#: Name of the selection that a press makes, and the fields that it tells.
PRESSED = "cell"
PRESSED_FIELDS = ("truth_value", "predicted_value")
#: With more rows than this there is no room for numbers in the cells.
_NUMBERED = 25
_TALLEST, _SMALLEST_CELL, _LARGEST_CELL = 860, 9, 36


def matrix_chart(cells: pd.DataFrame, names: Sequence[str], is_difference: bool, ink: Ink) -> alt.LayerChart:
    """The matrix, rows ground truth, columns prediction.

    Args:
        cells: what :func:`matrix_cells` or :func:`difference_cells` made.
        names: of the rows and columns, in their order.
        is_difference: whether colours run both ways from 0.
        ink: colours of the page.
    """
    side = int(np.clip(_TALLEST // max(len(names), 1), _SMALLEST_CELL, _LARGEST_CELL))
    rows = [name for name in names if (cells["truth"] == name).any()]
    columns = [name for name in names if (cells["predicted"] == name).any()]
    label_size = int(np.clip(side * 0.42, 7, 12))
    common = {"labelFontSize": label_size, "labelColor": ink.text, "titleColor": ink.quiet, "titleFontWeight": "normal"}
    common |= {
        "ticks": False,
        "domain": False,
        "grid": False,
        "labelOverlap": False,
        "labelFlush": False,
        "labelLimit": 110,
    }
    x = alt.X(
        "predicted:N",
        sort=columns,
        title="taken for",
        axis=alt.Axis(orient="top", labelAngle=-50 if side > 14 else -90, labelPadding=4, **common),
    )
    y = alt.Y("truth:N", sort=rows, title="ground truth", axis=alt.Axis(labelPadding=6, **common))
    press = alt.selection_point(name=PRESSED, fields=list(PRESSED_FIELDS), on="click", toggle=False, clear=False)
    gap = 1.5 if side > 14 else 0.5
    shapes = (
        alt.Chart(cells)
        .mark_rect(cursor="pointer", stroke=ink.ground, strokeWidth=gap, cornerRadius=3 if side > 14 else 0)
        .encode(x, y, color=alt.Color("colour:N", scale=None), tooltip=_tooltip(is_difference))
        .add_params(press)
    )
    layers: list[alt.Chart] = [shapes]
    if len(names) <= _NUMBERED:
        layers.append(
            alt.Chart(cells[cells["words"] != ""])
            .mark_text(fontSize=min(11, side // 3), tooltip=None)
            .encode(x, y, text="words:N", color=alt.Color("ink:N", scale=None))
        )
    layers.append(
        alt.Chart(cells[cells["marked"]])
        .mark_rect(fillOpacity=0, stroke=ink.text, strokeWidth=2.5, cornerRadius=3 if side > 14 else 0)
        .encode(x, y)
    )
    return alt.layer(*layers).properties(height=side * len(rows)).configure_view(strokeWidth=0)


def _tooltip(is_difference: bool) -> list[alt.Tooltip]:
    shown = [
        alt.Tooltip("truth:N", title="ground truth"),
        alt.Tooltip("predicted:N", title="taken for"),
        alt.Tooltip("share:Q", title="share of the class's pixels", format=".2%"),
        alt.Tooltip("pixels:Q", title="pixels", format=",d"),
    ]
    if is_difference:
        shown[2:] = [
            alt.Tooltip("before:Q", title="share before", format=".2%"),
            alt.Tooltip("share:Q", title="share now", format=".2%"),
            alt.Tooltip("change:Q", title="change", format="+.2%"),
            alt.Tooltip("pixels_change:Q", title="pixels", format="+,d"),
        ]
    return shown
