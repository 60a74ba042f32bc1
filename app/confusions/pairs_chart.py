"""Company against confusion: whether classes are taken for each other because they are seen together."""

import altair as alt
import pandas as pd

from app.confusions.ink import Ink

#: Name of the selection that a press makes, and the fields that it tells.
PRESSED = "pair"
PRESSED_FIELDS = ("truth_value", "predicted_value")
#: Pairs whose names stand beside their points.
_NAMED = 6
_HEIGHT = 380


def pairs_chart(pairs: pd.DataFrame, ink: Ink) -> alt.LayerChart:
    """One point a pair; further right are classes that occur together more often, further up those confused more.

    Args:
        pairs: one row a pair: truth_value, predicted_value, words, together_share, share, pixels, together, marked;
            most pixels first.
        ink: colours of the page.
    """
    press = alt.selection_point(name=PRESSED, fields=list(PRESSED_FIELDS), on="click", toggle=False, clear=False)
    axis = {"grid": True, "gridColor": ink.line, "domain": False, "ticks": False, "labelColor": ink.quiet}
    axis |= {"titleColor": ink.quiet, "titleFontWeight": "normal"}
    x = alt.X(
        "together_share:Q",
        title="how often the class is seen with the other one",
        axis=alt.Axis(format="%", tickCount=5, **axis),
    )
    y = alt.Y(
        "share:Q",
        title="share of its pixels taken for the other one",
        axis=alt.Axis(format=".1%", tickCount=5, **axis),
    )
    points = (
        alt.Chart(pairs)
        .mark_circle(opacity=0.75, cursor="pointer")
        .encode(
            x,
            y,
            size=alt.Size("pixels:Q", scale=alt.Scale(range=[24, 520]), legend=None),
            color=alt.condition("datum.marked", alt.value(ink.wrong), alt.value(ink.right)),
            tooltip=[
                alt.Tooltip("words:N", title="pair"),
                alt.Tooltip("share:Q", title="share of the class's pixels", format=".2%"),
                alt.Tooltip("pixels:Q", title="pixels", format=",d"),
                alt.Tooltip("together:Q", title="pictures with both", format=",d"),
                alt.Tooltip("together_share:Q", title="of the class's pictures", format=".0%"),
            ],
        )
        .add_params(press)
    )
    named = pd.concat([pairs.head(_NAMED), pairs[pairs["marked"]]]).drop_duplicates(list(PRESSED_FIELDS))
    # Words run towards the middle, where there is room for them.
    to_the_left = named["together_share"] > pairs["together_share"].max() / 2
    names = [
        alt.Chart(named[side])
        .mark_text(align=align, dx=dx, dy=-6, fontSize=11, color=ink.text, tooltip=None)
        .encode(x, y, text="words:N")
        for side, align, dx in ((to_the_left, "right", -12), (~to_the_left, "left", 12))
    ]
    return alt.layer(points, *names).properties(height=_HEIGHT).configure_view(strokeWidth=0)
