"""Where the pixels of classes go, as a Sankey diagram; at the ends of its bands are squares that can be pressed."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from recam_core.analysis.confusions import OTHERS, Flow, class_flows
from recam_core.views.charts.style import Palette, plain, template, translucent

_LEAST_HEIGHT, _A_BAR, _GAP, _EDGE = 190, 26, 15, 6
#: Room above the bars for Plotly's buttons, which would cover the first name.
_BUTTONS = 30
_LONGEST_NAME, _LETTER = 18, 6.4
_BAR_WIDTH, _SQUARE = 12, 13
#: Where the bands end and the strip of squares begins, in parts of the width.
_STRIP = 0.95


def flow_chart(
    confusion: np.ndarray, truths: Sequence[int], names: Sequence[str], palette: Palette, *, most: int = 3
) -> go.Figure | None:
    """The diagram: ground truth at the left, what the pixels were given to at the right.

    With one ground truth each band ends at a square, whose ``customdata`` are the values of ground truth and
    prediction (or OTHERS): Streamlit hears of presses on marks, and not of any on a band.

    Args:
        confusion: (K+1) x (K+1) pixels, rows ground truth, index 0 the background.
        truths: rows to draw, from top to bottom.
        names: K + 1, index 0 the background.
        palette: of the page.
        most: predictions that get a bar of their own besides those of ``truths`` and the background.

    Returns:
        None where these rows have no pixels.
    """
    flows = class_flows(confusion, truths, most=most)
    if not flows:
        return None
    left = list(dict.fromkeys(flow.truth for flow in flows))
    ends = dict.fromkeys(flow.predicted for flow in flows)
    # Within a row they are in order; over all rows, what stands for all comes last.
    right = sorted(ends, key=lambda value: _place(value, left, confusion))
    alone = len(left) == 1
    bars = max(len(left), len(right))
    inner = max(_LEAST_HEIGHT - 2 * _EDGE, _A_BAR * bars)
    gap = min(_GAP, 0.5 * inner / bars)
    whole = sum(flow.pixels for flow in flows)
    scale = (inner - gap * (bars - 1)) / whole
    from_left = _middles([_pixels(flows, truth=value) for value in left], scale, inner, gap)
    to_right = _middles([_pixels(flows, predicted=value) for value in right], scale, inner, gap)
    kinds = [_kind(left[0], value) if alone else "quiet" for value in right]
    bar_colours = [getattr(palette, name) for name in ["right" if alone else "quiet"] * len(left) + kinds]
    colours = [getattr(palette, _kind(flow.truth, flow.predicted)) for flow in flows]
    figure = go.Figure(
        go.Sankey(
            domain={"x": [0, _STRIP], "y": [0, 1]},
            arrangement="fixed",
            node={
                # Plotly takes 0 for no place at all.
                "x": [1e-3] * len(left) + [1 - 1e-3] * len(right),
                "y": [max(middle, 1e-6) for middle in (*from_left, *to_right)],
                "pad": gap,
                "thickness": _BAR_WIDTH,
                "color": bar_colours,
                "line": {"width": 0},
                "label": [""] * (len(left) + len(right)),
                "customdata": [
                    *(f"{plain(names[value])}<br>pixels: {_pixels(flows, truth=value):,}" for value in left),
                    *(f"{_name(value, names)}<br>pixels: {_pixels(flows, predicted=value):,}" for value in right),
                ],
                "hovertemplate": "%{customdata}<extra></extra>",
            },
            link={
                "source": [left.index(flow.truth) for flow in flows],
                "target": [len(left) + right.index(flow.predicted) for flow in flows],
                "value": [flow.pixels for flow in flows],
                "color": [translucent(colour, 0.42) for colour in colours],
                "hovercolor": [translucent(colour, 0.75) for colour in colours],
                "customdata": [_words(flow, names) for flow in flows],
                "hovertemplate": "%{customdata}<extra></extra>",
            },
        )
    )
    words = [_name(value, names, _LONGEST_NAME) for value in right]
    if alone:
        by_end = {flow.predicted: flow for flow in flows}
        words = [
            f"{'right' if value == left[0] else name}  {by_end[value].share:.1%}"
            for value, name in zip(right, words, strict=True)
        ]
    as_drawn = {"marker": {"opacity": 1}, "textfont": {"color": palette.text}}
    figure.add_scatter(
        x=[0.5] * len(right),
        y=to_right,
        mode="markers+text" if alone else "text",
        text=words,
        textposition="middle right",
        textfont={"color": palette.text, "size": 12},
        marker={"symbol": "square", "size": _SQUARE, "color": bar_colours[len(left) :]},
        selected=as_drawn,
        unselected=as_drawn,
        cliponaxis=False,
        showlegend=False,
        **(
            {
                "customdata": [(left[0], value) for value in right],
                "hovertext": [_words(by_end[value], names) for value in right],
                "hovertemplate": "%{hovertext}<extra></extra>",
            }
            if alone
            else {"hoverinfo": "skip"}
        ),
    )
    if not alone:
        for value, middle in zip(left, from_left, strict=True):
            figure.add_annotation(
                x=0, y=1 - middle, xref="paper", yref="paper", xanchor="right", yanchor="middle", xshift=-_BAR_WIDTH,
                text=plain(names[value], _LONGEST_NAME), font={"size": 12, "color": palette.text}, showarrow=False,
            )  # fmt: skip
    longest = max(map(len, words)) + 1
    figure.update_layout(
        template=template(palette),
        height=inner + _BUTTONS + _EDGE,
        margin={
            "l": _BAR_WIDTH
            if alone
            else round(_LETTER * max(min(len(names[value]), _LONGEST_NAME) for value in left)) + 24,
            "r": round(_LETTER * longest),
            "t": _BUTTONS,
            "b": _EDGE,
        },
        dragmode=False,
    )
    axis = {"visible": False, "fixedrange": True}
    figure.update_xaxes(domain=[_STRIP, 1], range=[0, 1], **axis)
    figure.update_yaxes(domain=[0, 1], range=[1, 0], **axis)
    return figure


def _place(value: int, left: Sequence[int], confusion: np.ndarray) -> tuple[int, float]:
    """The rows' own first, then others by what arrives there, the background, and what was put together."""
    if value == OTHERS:
        return 3, 0
    if value == 0:
        return 2, 0
    return (0, left.index(value)) if value in left else (1, -float(confusion[list(left), value].sum()))


def _kind(truth: int, predicted: int) -> str:
    """The name of a colour in the palette."""
    if truth == predicted:
        return "right"
    return "lost" if predicted == 0 else "wrong"


def _name(value: int, names: Sequence[str], most: int | None = None) -> str:
    return "others" if value == OTHERS else plain(names[value], most)


def _words(flow: Flow, names: Sequence[str]) -> str:
    to = "right" if flow.truth == flow.predicted else f"taken for: {_name(flow.predicted, names)}"
    share = f"share of the class's pixels: {flow.share:.2%}"
    return f"{plain(names[flow.truth])}<br>{to}<br>{share}<br>pixels: {flow.pixels:,}"


def _pixels(flows: Sequence[Flow], truth: int | None = None, predicted: int | None = None) -> int:
    """Of those that begin or end at a bar."""
    return sum(flow.pixels for flow in flows if truth in (None, flow.truth) and predicted in (None, flow.predicted))


def _middles(pixels: Sequence[int], scale: float, height: float, gap: float) -> list[float]:
    """Middles of bars one below the other, in parts of the height; fewer bars than at the other side spread."""
    sizes = np.array(pixels, dtype=np.float64) * scale
    left = height - sizes.sum()
    gap, top = (left / (len(sizes) - 1), 0.0) if len(sizes) > 1 else (0.0, left / 2)
    tops = top + np.cumsum(sizes) - sizes + gap * np.arange(len(sizes))
    return ((tops + sizes / 2) / height).tolist()
