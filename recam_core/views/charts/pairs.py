"""Co-occurrence against confusion: whether classes are taken for each other because they are seen together."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from recam_core.analysis.confusions import ConfusedPair
from recam_core.views.charts.class_iou import SYMBOLS
from recam_core.views.charts.style import Palette, plain, template

#: Pairs whose names stand beside their points.
_NAMED = 6
_HEIGHT, _LONGEST_NAME = 400, 16
_SMALLEST, _LARGEST = 5.5, 26.0


def pairs_chart(
    pairs: Sequence[ConfusedPair],
    names: Sequence[str],
    titles: Mapping[str, str],
    palette: Palette,
    *,
    shown: Sequence[str] = (),
    marked: Collection[tuple[int, int]] = (),
    logarithmic: bool = False,
) -> go.Figure:
    """One point a pair and method, larger for more pixels; ``customdata`` are its ground truth and prediction.

    Further right are classes that occur together more often, further up those confused more. Of two methods or more,
    points of one pair are joined, so that its change is seen.

    Args:
        pairs: those whose share or co-occurrence is unknown are left out.
        names: K + 1 names by value.
        titles: by method key, in the order of their colours.
        palette: of the page.
        shown: keys of the methods that are drawn; the last one alone by default.
        marked: pairs in another colour, with their names.
        logarithmic: the upward axis by powers of ten, on which small shares are told apart.
    """
    shown = list(shown) or list(titles)[-1:]
    known = [
        pair
        for pair in pairs
        if pair.together_share == pair.together_share and any(pair.pixels.get(key, 0) > 0 for key in shown)
    ]
    # The largest are drawn first, so that small ones on top of them can be pressed.
    known.sort(key=lambda pair: -max(pair.pixels[key] for key in shown))
    most = max((pair.pixels[key] for pair in known for key in shown), default=1) or 1
    figure = go.Figure()
    if len(shown) > 1:
        figure.add_trace(_joined(known, shown, palette))
    for key in shown:
        mine = [pair for pair in known if pair.pixels[key] > 0]
        number = list(titles).index(key)
        usual = palette.methods[number % len(palette.methods)] if len(shown) > 1 else palette.right
        colours = [palette.wrong if (pair.truth, pair.predicted) in marked else usual for pair in mine]
        as_drawn = {"marker": {"opacity": 0.75}}
        figure.add_scatter(
            x=[pair.together_share for pair in mine],
            y=[pair.share[key] for pair in mine],
            name=plain(titles[key]),
            mode="markers",
            marker={
                "symbol": SYMBOLS[number % len(SYMBOLS)] if len(shown) > 1 else "circle",
                "size": [_SMALLEST + (_LARGEST - _SMALLEST) * np.sqrt(pair.pixels[key] / most) for pair in mine],
                "color": colours,
                "opacity": 0.75,
                "line": {"width": 0.5, "color": palette.ground},
            },
            selected=as_drawn,
            unselected=as_drawn,
            customdata=[(pair.truth, pair.predicted) for pair in mine],
            hovertext=[_words(pair, key, names, titles if len(shown) > 1 else None) for pair in mine],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    if known:
        figure.add_trace(_names(known, shown, names, marked, palette))
    figure.update_layout(
        template=template(palette),
        height=_HEIGHT,
        margin={"l": 8, "r": 12, "t": 40, "b": 8},
        showlegend=len(shown) > 1,
    )
    figure.update_xaxes(
        title="how often the class is seen with the other one", tickformat=".0%", nticks=6, rangemode="tozero"
    )
    figure.update_yaxes(title="share of its pixels taken for the other one", nticks=6)
    if logarithmic:
        figure.update_yaxes(type="log", tickformat="~p", dtick=1)
    else:
        figure.update_yaxes(tickformat=".1%", rangemode="tozero")
    return figure


def _joined(pairs: Sequence[ConfusedPair], shown: Sequence[str], palette: Palette) -> go.Scatter:
    x = [value for pair in pairs for value in (*[pair.together_share] * len(shown), None)]
    y = [value for pair in pairs for value in (*(pair.share[key] for key in shown), None)]
    line = {"color": palette.quiet, "width": 1}
    return go.Scatter(x=x, y=y, mode="lines", line=line, opacity=0.5, hoverinfo="skip", showlegend=False)


def _names(
    pairs: Sequence[ConfusedPair],
    shown: Sequence[str],
    names: Sequence[str],
    marked: Collection[tuple[int, int]],
    palette: Palette,
) -> go.Scatter:
    """Words beside the largest points and the marked ones."""
    named = list(pairs[:_NAMED])
    named += [pair for pair in pairs[_NAMED:] if (pair.truth, pair.predicted) in marked][:_NAMED]
    # Words run towards the middle, where there is room for them.
    middle = max(pair.together_share for pair in pairs) / 2
    return go.Scatter(
        x=[pair.together_share for pair in named],
        y=[pair.share[max(shown, key=pair.share.__getitem__)] for pair in named],
        mode="text",
        text=[
            # Wide blanks, which are not cut off, keep the words clear of the point.
            f"\u2003{plain(names[pair.truth], _LONGEST_NAME)} → {plain(names[pair.predicted], _LONGEST_NAME)}\u2003"
            for pair in named
        ],
        textposition=["top left" if pair.together_share > middle else "top right" for pair in named],
        textfont={"size": 11, "color": palette.text},
        selected={"textfont": {"color": palette.text}},
        hoverinfo="skip",
        showlegend=False,
    )


def _words(pair: ConfusedPair, key: str, names: Sequence[str], titles: Mapping[str, str] | None) -> str:
    method = f"{plain(titles[key])}<br>" if titles else ""
    return (
        f"{plain(names[pair.truth])} → {plain(names[pair.predicted])}<br>{method}"
        f"share of the class's pixels: {pair.share[key]:.2%}<br>pixels: {pair.pixels[key]:,}<br>"
        f"pictures with both: {pair.together:,}, {pair.together_share:.0%} of the class's pictures"
    )
