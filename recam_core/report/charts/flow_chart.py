"""Where the pixels of classes go, as bands from the ground truth (left) to the prediction (right)."""

from collections.abc import Sequence

import numpy as np

from recam_core.analysis.class_flow import OTHERS, Band, Bar, sankey_bands
from recam_core.report.markup import Markup, percent, tag
from recam_core.views.class_colours import class_colours

_INNER, _SIDE, _LETTER = 300, 118, 6.4
#: Bars thinner than this have no room for their name, in shares of the height.
_THIN = 0.012


def flow_chart(confusion: np.ndarray, truths: Sequence[int], names: Sequence[str], title: str, most: int = 6) -> Markup:
    """Draw some rows of a confusion matrix.

    Args:
        confusion: (K+1) x (K+1) pixels, rows ground truth, index 0 the background.
        truths: rows to draw, from top to bottom: k + 1 is class k.
        names: K + 1, index 0 the background.
        title: for screen readers.
        most: predictions that get a bar of their own besides.
    """
    flow = sankey_bands(confusion, truths, most=most)
    height = max(160, 26 * max(1, len({bar.value for bar in flow.bars})))
    colours = class_colours(len(names) - 1)
    parts = []
    for band in flow.bands:
        parts.append(_band(band, names, colours, height))
    for bar in flow.bars:
        parts.extend(_bar(bar, names, colours, height))
    width = _INNER + 2 * _SIDE
    chart = tag(
        "svg",
        tag("title", title),
        *parts,
        viewBox=f"0 -4 {width} {height + 8}",
        width=width,
        height=height + 8,
        role="img",
        class_="flow",
    )
    return tag("div", chart, class_="wide", tabindex="0", role="region", aria_label=title)


def _band(band: Band, names: Sequence[str], colours: np.ndarray, height: int) -> Markup:
    xy = " ".join(f"{_SIDE + x * _INNER:.1f},{y * height:.1f}" for x, y in band.outline.tolist())
    to = "all other classes" if band.predicted == OTHERS else names[band.predicted]
    kind = "right" if band.right else "lost" if band.predicted == 0 else "wrong"
    note = f"{names[band.truth]} → {to}: {percent(band.share)}% ({band.pixels:,} pixels)"
    return tag(
        "polygon",
        tag("title", note),
        points=xy,
        fill=_colour(band.truth, colours),
        class_=f"band {kind}",
    )


def _bar(bar: Bar, names: Sequence[str], colours: np.ndarray, height: int) -> list[Markup]:
    name = "others" if bar.value == OTHERS else names[bar.value]
    left = _SIDE + bar.left * _INNER
    parts = [
        tag(
            "rect",
            tag("title", f"{name}: {bar.pixels:,} pixels"),
            x=f"{left:.1f}",
            y=f"{bar.top * height:.1f}",
            width=f"{(bar.right - bar.left) * _INNER:.1f}",
            height=f"{max((bar.bottom - bar.top) * height, 1):.1f}",
            fill=_colour(bar.value, colours),
            class_="bar",
        )
    ]
    if bar.bottom - bar.top >= _THIN:
        most = int(_SIDE / _LETTER) - 1
        text = name if len(name) <= most else f"{name[: most - 1]}…"
        at_left = bar.side == "truth"
        parts.append(
            tag(
                "text",
                text,
                x=_SIDE - 6 if at_left else _SIDE + _INNER + 6,
                y=f"{(bar.top + bar.bottom) / 2 * height:.1f}",
                class_="row" if at_left else "after",
            )
        )
    return parts


def _colour(value: int, colours: np.ndarray) -> str:
    if value in (0, OTHERS):
        return "#8a919b"
    red, green, blue = colours[value].tolist()
    return f"#{red:02x}{green:02x}{blue:02x}"
