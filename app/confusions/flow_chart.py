"""Where the pixels of a class go, as a Sankey diagram whose bands can be pressed."""

import altair as alt
import pandas as pd

from app.confusions.ink import Ink
from recam_core.analysis.class_flow import OTHERS, Sankey

#: Name of the selection that a press makes, and the fields that it tells.
PRESSED = "band"
PRESSED_FIELDS = ("truth_value", "predicted_value")
#: Classes with a bar of their own; the rest share one.
MOST_OTHERS = 3
#: Between bars: a line of words needs so much of the height.
GAP = 0.08
_HEIGHT = 190
#: Of the chart, where the diagram takes 1 and words the rest.
_WIDTH = 1.32


def flow_chart(sankey: Sankey, names: tuple[str, ...], ink: Ink) -> alt.LayerChart:
    """The diagram of one class.

    Args:
        sankey: what ``sankey_bands`` made of one row.
        names: K + 1 names.
        ink: colours of the page.
    """
    kinds = alt.Scale(domain=["right", "lost", "wrong"], range=[ink.right, ink.lost, ink.wrong])
    colour = alt.Color("kind:N", scale=kinds, legend=None)
    # All layers say the same about scales and axes: Vega-Lite cannot merge an axis with none.
    across = {"scale": alt.Scale(domain=[0, _WIDTH], nice=False), "axis": None}
    down = {"scale": alt.Scale(domain=[0, 1], reverse=True, nice=False), "axis": None}
    x, y = alt.X("x:Q", **across), alt.Y("top:Q", **down)
    press = alt.selection_point(name=PRESSED, fields=list(PRESSED_FIELDS), on="click", toggle=False, clear=False)
    bands = (
        alt.Chart(_bands(sankey, names))
        .mark_area(opacity=0.42, cursor="pointer", line=False)
        .encode(
            x,
            y,
            y2="bottom:Q",
            color=colour,
            detail=["truth_value:Q", "predicted_value:Q"],
            tooltip=[
                alt.Tooltip("words:N", title="to"),
                alt.Tooltip("share:Q", title="share of the class's pixels", format=".2%"),
                alt.Tooltip("pixels:Q", title="pixels", format=",d"),
            ],
        )
        .add_params(press)
    )
    bars, labels = _bars(sankey, names)
    blocks = alt.Chart(bars).mark_rect().encode(alt.X("left:Q", **across), y, x2="right:Q", y2="bottom:Q", color=colour)
    words = (
        alt.Chart(labels)
        .mark_text(align="left", baseline="middle", fontSize=12, color=ink.text, tooltip=None, dx=7)
        .encode(x, alt.Y("middle:Q", **down), text="words:N")
    )
    return alt.layer(bands, blocks, words).properties(height=_HEIGHT).configure_view(strokeWidth=0)


def _kind(truth: int, predicted: int) -> str:
    if truth == predicted:
        return "right"
    return "lost" if predicted == 0 else "wrong"


def _name(value: int, names: tuple[str, ...]) -> str:
    return "others" if value == OTHERS else names[value]


def _bands(sankey: Sankey, names: tuple[str, ...]) -> pd.DataFrame:
    rows = []
    for band in sankey.bands:
        for (x, top), (_, bottom) in zip(band.top.tolist(), band.bottom.tolist(), strict=True):
            rows.append(
                {
                    "truth_value": band.truth,
                    "predicted_value": band.predicted,
                    "kind": _kind(band.truth, band.predicted),
                    "words": "right" if band.right else _name(band.predicted, names),
                    "share": band.share,
                    "pixels": band.pixels,
                    "x": x,
                    "top": top,
                    "bottom": bottom,
                }
            )
    return pd.DataFrame(rows)


def _bars(sankey: Sankey, names: tuple[str, ...]) -> tuple[pd.DataFrame, pd.DataFrame]:
    truth = next(bar.value for bar in sankey.bars if bar.side == "truth")
    bars, labels = [], []
    for bar in sankey.bars:
        kind = "right" if bar.side == "truth" else _kind(truth, bar.value)
        bars.append({"left": bar.left, "right": bar.right, "top": bar.top, "bottom": bar.bottom, "kind": kind})
        if bar.side == "predicted":
            word = "right" if bar.value == truth else _name(bar.value, names)
            labels.append({"x": bar.right, "middle": (bar.top + bar.bottom) / 2, "words": f"{word}  {bar.share:.1%}"})
    return pd.DataFrame(bars), pd.DataFrame(labels)
