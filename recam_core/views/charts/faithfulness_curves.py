"""Curves: what the network still sees of a class while the places that a map marks most are hidden, or shown, first."""

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from recam_core.attribution.map_scores import Faithfulness
from recam_core.views.charts.style import Palette, plain, template

_DASHES = ("solid", "dash", "dot", "dashdot")


def faithfulness_chart(found: Sequence[tuple[str, Faithfulness]], order: int, palette: Palette) -> go.Figure:
    """Deletion at the left, insertion at the right; one line a method.

    Args:
        found: names and scores of maps of the same picture and classes.
        order: the class, as its place in the scores.
        palette: of the page.
    """
    figure = make_subplots(
        cols=2, shared_yaxes=True, horizontal_spacing=0.05,
        subplot_titles=("hidden, strongest first: fall early", "shown, strongest first: rise early"),
    )  # fmt: skip
    for place, (title, one) in enumerate(found):
        name = plain(title)
        for column, curves in ((1, one.deletion), (2, one.insertion)):
            figure.add_trace(
                go.Scatter(
                    x=one.shares,
                    y=curves[order],
                    name=name,
                    legendgroup=name,
                    showlegend=column == 1,
                    mode="lines+markers",
                    marker={"size": 5},
                    line={
                        "color": palette.methods[place % len(palette.methods)],
                        "dash": _DASHES[place // len(palette.methods) % len(_DASHES)],
                        "width": 2,
                    },
                    hovertemplate=f"{name}<br>%{{x:.0%}} of the picture: %{{y:.2f}}<extra></extra>",
                ),
                row=1,
                col=column,
            )
    figure.update_layout(template=template(palette), height=340, margin={"t": 90}, legend={"y": 1.14})
    figure.update_annotations(font={"size": 12, "color": palette.quiet})
    figure.update_xaxes(range=[-0.02, 1.02], tickformat=".0%", title={"text": "share of the picture"})
    figure.update_yaxes(range=[-0.02, 1.02])
    figure.update_yaxes(title={"text": "probability of the class"}, col=1)
    return figure
