"""Bars: which channels speak for class A, and which for class B."""

import plotly.graph_objects as go

from recam_core.analysis.why import Contributions
from recam_core.views.charts.style import Palette, plain, template

#: Height of a bar and of what surrounds them all, in pixels.
_BAR, _AROUND = 24, 96
#: Letters of a class name.
_LONGEST_NAME = 24


def contribution_chart(
    found: Contributions, a: str, b: str, palette: Palette, *, most: int = 8, pressed: int | None = None
) -> go.Figure:
    """The channels with the largest contributions for either class, those for A on top.

    Each bar carries its channel as ``customdata``, so that a page can tell which one was pressed.

    Args:
        found: of a place.
        a, b: names of the classes.
        palette: of the page.
        most: bars for each class.
        pressed: the channel that is looked at, which is outlined.
    """
    for_a, for_b = found.strongest(most), found.strongest(most, for_b=True)
    a, b = (plain(name, _LONGEST_NAME) for name in (a, b))
    figure = go.Figure()
    for channels, name, colour in ((for_a, a, palette.wrong), (for_b[::-1], b, palette.right)):
        figure.add_trace(
            go.Bar(
                x=found.values[channels],
                y=[f"channel {c}" for c in channels],
                customdata=[[int(c)] for c in channels],
                orientation="h",
                name=f"speaks for {name}",
                marker={
                    "color": colour,
                    "line": {"color": palette.text, "width": [2.5 if c == pressed else 0 for c in channels]},
                },
                selected={"marker": {"opacity": 1}},
                unselected={"marker": {"opacity": 1}},
                hovertemplate="<b>%{y}</b><br>contribution %{x:+.3g}<br>activation %{text}<extra></extra>",
                text=[f"{found.activation[c]:.3g}" for c in channels],
                textposition="none",
            )
        )
    count = len(for_a) + len(for_b)
    figure.update_layout(
        template=template(palette),
        height=_BAR * max(count, 3) + _AROUND,
        bargap=0.25,
        barmode="overlay",
        # The whole is in sight: dragging would only move it out of it.
        yaxis={"autorange": "reversed", "type": "category", "fixedrange": True},
        xaxis={"title": {"text": f"\u2190 {b}      contribution      {a} \u2192"}, "zeroline": True,
               "zerolinecolor": palette.quiet, "nticks": 6, "fixedrange": True},
        dragmode=False,
    )  # fmt: skip
    return figure
