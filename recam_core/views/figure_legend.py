"""The legend below a comparison: samples of colour and pattern with their words, in as many lines as they need."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from recam_core.views.class_colours import class_colours
from recam_core.views.figure_style import POINTS_PER_INCH, FigureStyle
from recam_core.views.figure_text import plain, put, text_width
from recam_core.views.heat_overlay import colour_bar
from recam_core.views.marks import Mark, swatch

#: Room after each entry, in widths of the font.
_GAP = 1.6


@dataclass(frozen=True)
class LegendEntry:
    """One sample with its words.

    Attributes:
        text: what it means.
        width: of the sample in multiples of the font size.
        sample: (height, width in pixels) -> H x W x 3 uint8; or None for a line.
        colour, halo: of the line and of what stands out around it, red, green, blue 0..255.
        line: width of the line in points; 0 where there is none.
        around: by how many points the halo is wider.
    """

    text: str
    width: float = 2.2
    sample: Callable[[int, int], np.ndarray] | None = None
    colour: tuple[int, int, int] = (0, 0, 0)
    line: float = 0.0
    halo: tuple[int, int, int] = (0, 0, 0)
    around: float = 0.0


def mark_entry(mark: Mark) -> LegendEntry:
    """An area's colour and pattern."""
    return LegendEntry(mark.name, sample=lambda height, width: swatch(mark, height, width))


def class_entry(name: str, class_index: int, num_classes: int) -> LegendEntry:
    """The colour of a class."""
    colour = class_colours(num_classes)[class_index + 1]
    return LegendEntry(name, 1.2, lambda height, width: np.broadcast_to(colour, (height, width, 3)))


def heat_entry(colour_map: str, text: str = "activation, 0 to the map's maximum") -> LegendEntry:
    """The colours of activations."""
    return LegendEntry(text, 9.0, lambda height, width: colour_bar(colour_map, width, height))


def line_entry(
    text: str, colour: tuple[int, int, int], halo: tuple[int, int, int], line: float, around: float
) -> LegendEntry:
    """A line of ``line`` points within one of another colour that is wider by ``around``."""
    return LegendEntry(text, 1.8, None, colour, line, halo, around)


def heading(text: str) -> LegendEntry:
    """The name of the group of entries that follow."""
    return LegendEntry(text + ":", 0.0)


def legend_lines(entries: Sequence[LegendEntry], width: float, size: float) -> list[list[LegendEntry]]:
    """The entries broken into lines of at most ``width`` inches, in type of ``size`` points."""
    lines: list[list[LegendEntry]] = []
    used = 0.0
    for entry in entries:
        needed = _width(entry, size)
        if not lines or used + needed > width:
            lines.append([])
            used = 0.0
        lines[-1].append(entry)
        used += needed + _GAP * size / POINTS_PER_INCH
    return lines


def draw_legend(
    figure: Figure, lines: Sequence[Sequence[LegendEntry]], left: float, top: float, style: FigureStyle, size: float
) -> None:
    """Draw the lines, the first one's upper edge ``top`` inches above the figure's lower edge."""
    em = size / POINTS_PER_INCH
    width, height = figure.get_size_inches()
    for order, line in enumerate(lines):
        middle = top - (order + 0.5) * legend_line_height(size)
        x = left
        for entry in line:
            sample, tall = entry.width * em, 1.1 * em
            if entry.sample is None and entry.line:
                for colour, wide in ((entry.halo, entry.line + entry.around), (entry.colour, entry.line)):
                    ends = [x / width, (x + sample) / width]
                    shade = tuple(value / 255 for value in colour)
                    figure.add_artist(Line2D(ends, [middle / height] * 2, color=shade, linewidth=wide))
            elif entry.sample is not None:
                axes = figure.add_axes(
                    (x / width, (middle - tall / 2) / height, sample / width, tall / height), label=plain(entry.text)
                )
                axes.set_axis_off()
                pixels = entry.sample(max(2, round(tall * style.dpi)), max(2, round(sample * style.dpi)))
                axes.imshow(pixels, interpolation="none", aspect="auto")
            colour = style.ink if sample else style.faint_ink
            start = x + (sample + 0.45 * em if sample else 0)
            put(figure, start / width, middle / height, entry.text, size, colour, va="center_baseline")
            x += _width(entry, size) + _GAP * em


def legend_line_height(size: float) -> float:
    """In inches, for type of ``size`` points."""
    return 1.65 * size / POINTS_PER_INCH


def _width(entry: LegendEntry, size: float) -> float:
    sample = (entry.width + 0.45) * size / POINTS_PER_INCH if entry.width else 0.0
    return sample + text_width(entry.text, size)
