"""Text in figures: names come from users, and must neither break a file nor be read as mathematics."""

import unicodedata
from functools import lru_cache

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

_MEASURED_AT = 100


def plain(text: str) -> str:
    """The text without characters that XML forbids or that steer a terminal; line breaks become spaces."""
    return "".join(letter if unicodedata.category(letter)[0] != "C" else " " for letter in text).strip()


def put(figure: Figure, x: float, y: float, text: str, size: float, colour: str, **options: object) -> Text:
    """Write one line at a place in shares of the figure; a ``$`` in it stays a dollar sign."""
    return figure.text(x, y, plain(text), fontsize=size, color=colour, parse_math=False, **options)


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, weight: str = "normal") -> float:
    """How wide a line of text is, in inches."""
    figure = Figure(dpi=_MEASURED_AT)
    canvas = FigureCanvasAgg(figure)
    line = figure.text(0, 0, plain(text) or " ", fontsize=size, fontweight=weight, parse_math=False)
    return line.get_window_extent(canvas.get_renderer()).width / _MEASURED_AT


def lines_within(text: str, width: float, size: float, most: int, weight: str = "normal") -> list[str]:
    """Break text at spaces into lines of at most ``width`` inches; what is too long ends in an ellipsis.

    Args:
        text: one paragraph.
        width: in inches.
        size: of the font in points.
        most: lines at most.
        weight: of the font.
    """
    lines: list[str] = []
    words = plain(text).split()
    while words and len(lines) < most:
        count = len(words)
        if len(lines) < most - 1:
            while count > 1 and text_width(" ".join(words[:count]), size, weight) > width:
                count -= 1
        lines.append(_shortened(" ".join(words[:count]), width, size, weight))
        words = words[count:]
    return lines


def _shortened(line: str, width: float, size: float, weight: str) -> str:
    if text_width(line, size, weight) <= width:
        return line
    low, high = 0, min(len(line), 400)  # most letters that fit together with the ellipsis
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if text_width(line[:middle] + "…", size, weight) <= width else (low, middle - 1)
    return line[:low].rstrip() + "…"
