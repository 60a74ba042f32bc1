"""What all charts share: the palette in both lights, scales of colours, words shown as they are, and Plotly's template.

Blue-green stands for right and better, vermilion for confused and worse, violet for what goes to the background: pairs
that are told apart with every common form of colour blindness.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import plotly.graph_objects as go


@dataclass(frozen=True)
class Palette:
    """Colours as CSS writes them.

    Attributes:
        ground: of the page.
        text, quiet: of words, and of what only accompanies.
        line: of grids and empty cells.
        confused: from no confusion to much, for a scale.
        worse, better: ends of a diverging scale whose middle is ``middle``.
        given: to a background, or taken from it, for a scale that begins at ``middle``.
        right, lost, wrong: right pixels, pixels left to the background, pixels of a wrong class.
        methods: one colour a method, in the order in which they are compared.
    """

    ground: str
    text: str
    quiet: str
    line: str
    middle: str
    confused: tuple[str, ...]
    worse: tuple[str, ...]
    better: tuple[str, ...]
    given: tuple[str, ...]
    right: str
    lost: str
    wrong: str
    methods: tuple[str, ...]


LIGHT = Palette(
    ground="#fcfcfa",
    text="#1c2528",
    quiet="#66747a",
    line="#e4e9e7",
    middle="#f1f3f1",
    confused=("#f3f4f1", "#fbe0c4", "#f5b883", "#e58443", "#c8560c", "#8d3703"),
    worse=("#f8d3b4", "#e58443", "#a94404"),
    better=("#bfe0e5", "#55a3b2", "#0b5a6b"),
    given=("#d9d0e6", "#a794c4", "#75609a"),
    right="#2f94a6",
    lost="#9a86b8",
    wrong="#e07b39",
    methods=("#8a969b", "#e69f00", "#0f7c90", "#8d6bb8", "#d55e00", "#56b4e9"),
)
DARK = Palette(
    ground="#12181b",
    text="#e6ecec",
    quiet="#93a2a8",
    line="#253036",
    middle="#1c2529",
    confused=("#1b2327", "#43301f", "#7c4a20", "#b7651f", "#ea8a3c", "#ffc793"),
    worse=("#5a3a20", "#b7651f", "#ffae66"),
    better=("#1d4650", "#2f8c9e", "#8fdbe8"),
    given=("#332c40", "#63547f", "#a793cb"),
    right="#3fa3b5",
    lost="#a893cc",
    wrong="#e9873f",
    methods=("#9aa7ac", "#e9ac24", "#3fb3c8", "#ae8fd8", "#ea7a2a", "#7cc6f0"),
)


#: Places of the two losses in ``methods``.
LOSS_COLOURS = {"bce": 1, "sce": 2}


def translucent(colour: str, share: float) -> str:
    """A colour written as ``#rrggbb`` that covers a share (0..1) of what is below it."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share:g})"


def loss_bar(palette: Palette, loss: str) -> dict[str, object]:
    """The marker of a loss's bars, which are told apart without colour, too; words inside stay readable."""
    hatch = {"shape": "/", "fillmode": "overlay", "fgcolor": palette.ground, "fgopacity": 0.45, "solidity": 0.2}
    return {"color": palette.methods[LOSS_COLOURS[loss]], "pattern": hatch if loss == "sce" else {}}


_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "%": "&#37;", "$": "&#36;", "\n": " ", "\r": " "})


def plain(text: object, most: int | None = None) -> str:
    """The text for a title, label, legend, hover or hover template of Plotly, with nothing in it interpreted.

    Whatever a user, a file or a data set has named goes through here once, on its way into a figure; ``customdata``
    that a hover template shows is text of Plotly, too.

    Args:
        text: as it is meant to be read.
        most: characters that have room; a longer text is cut and ends with an ellipsis.
    """
    words = str(text)
    if most is not None and len(words) > most:
        words = words[: max(most - 1, 0)].rstrip() + "…"
    return words.translate(_MARKUP)


#: Weights of red, green and blue in what the eye takes for lightness (ITU-R BT.601).
_LUMA = np.array([0.299, 0.587, 0.114])
#: Of each scale: so much is left at its end, that no rounding carries a tone into the next one.
_SAFE = 1e-3


def colour_scale(stops: Sequence[str]) -> list[list[float | str]]:
    """Evenly spaced colours as a colour scale of Plotly."""
    return [[place / (len(stops) - 1), colour] for place, colour in enumerate(stops)]


def colour_bar(palette: Palette, **more: object) -> dict[str, object]:
    """What says which value a colour stands for."""
    return {"thickness": 10, "outlinewidth": 0, "tickfont": {"color": palette.quiet}, **more}


def ramp(stops: Sequence[str], strength: np.ndarray) -> np.ndarray:
    """CSS colours, of the shape of ``strength`` (0..1), between evenly spaced colours written as ``#rrggbb``."""
    table = np.array([_channels(stop) for stop in stops], dtype=np.float64)
    places = np.linspace(0, 1, len(stops))
    values = np.nan_to_num(strength).ravel()
    mixed = np.stack([np.interp(values, places, table[:, channel]) for channel in range(3)], axis=1)
    text = [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in np.rint(mixed).astype(int).tolist()]
    return np.array(text, dtype=object).reshape(np.shape(strength))


def readable(colours: Iterable[str]) -> list[str]:
    """For each ground colour that of the words that are read on it."""
    return ["#10181b" if np.dot(_LUMA, _channels(colour)) > 128 else "#ffffff" for colour in colours]


def tones(scale: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Where on :func:`end_to_end` a colour lies.

    Args:
        scale: int, which of the scales.
        strength: 0..1 along it, of the same shape; nan is 0.

    Returns:
        float64 of that shape, 0 up to the number of scales.
    """
    return scale + np.clip(np.nan_to_num(strength), 0, 1) * (1 - _SAFE)


def end_to_end(scales: Sequence[Sequence[str]]) -> list[tuple[float, str]]:
    """One colour scale of Plotly that holds several: scale k takes the tones from k to k + 1."""
    found = []
    for number, stops in enumerate(scales):
        ends = np.linspace(0, 1 - _SAFE, len(stops)) if len(stops) > 1 else np.zeros(1)
        found += [(float((number + end) / len(scales)), stop) for end, stop in zip(ends, stops, strict=True)]
        found.append(((number + 1) / len(scales), stops[-1]))
    return found


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


FONT = '"Source Sans", "Source Sans Pro", "Segoe UI", system-ui, sans-serif'


@lru_cache(maxsize=4)
def template(palette: Palette) -> go.layout.Template:
    """The template of a light or a dark page; builders give it to ``layout.template``.

    The ground is left transparent, so that a chart stands on whatever the page has.
    """
    axis = {
        "gridcolor": palette.line,
        "zeroline": False,
        "showline": False,
        "ticks": "",
        "tickfont": {"color": palette.quiet, "size": 12},
        "title": {"font": {"color": palette.quiet, "size": 12}, "standoff": 8},
        "automargin": True,
    }
    # A press marks what it means on the page; that Plotly fades everything else would say something else.
    as_drawn = {"marker": {"opacity": 1}}
    return go.layout.Template(
        data={"scatter": [go.Scatter(selected=as_drawn, unselected=as_drawn)]},
        layout={
            "font": {"family": FONT, "color": palette.text, "size": 12},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": list(palette.methods),
            "xaxis": axis,
            "yaxis": axis,
            "margin": {"l": 8, "r": 8, "t": 28, "b": 8},
            "hoverlabel": {
                "bgcolor": palette.ground,
                "bordercolor": palette.line,
                "font": {"family": FONT, "color": palette.text, "size": 12},
                "align": "left",
            },
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": palette.quiet, "activecolor": palette.text},
            "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "font": {"color": palette.text}},
            "dragmode": "zoom",
            "hovermode": "closest",
            "clickmode": "event+select",
        },
    )


def names_axis(names: Iterable[object], most: int | None = None, **more: Any) -> dict[str, Any]:
    """An axis on which names stand at 0, 1, ..., each with room for so many characters; and what else is said of it."""
    words = [plain(name, most) for name in names]
    return {"tickmode": "array", "tickvals": list(range(len(words))), "ticktext": words, **more}


def cell_frame(row: int, column: int, width: float, colour: str) -> dict[str, Any]:
    """The shape of a frame around a cell of a heat map."""
    ends = {"x0": column - 0.5, "x1": column + 0.5, "y0": row - 0.5, "y1": row + 0.5}
    return {"type": "rect", **ends, "line": {"color": colour, "width": width}}


def unseen_marks(size: float) -> dict[str, Any]:
    """Marks on the cells of a heat map: of presses on the cells themselves Streamlit does not hear.

    The nearest one is pressed, which is always the cell's own.
    """
    return {"symbol": "square", "size": size, "color": "rgba(0,0,0,0)"}
