"""Text in figures, the legend below a comparison, and figures as files of PNG, SVG or PDF.

Names come from users, and must neither break a file nor be read as mathematics. Matplotlib's own font has no Chinese,
Japanese or Korean letters. For what it lacks, a font of this computer is taken that has them; where there is none,
:func:`missing_font` says so.
"""

import threading
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from io import BytesIO
from typing import Any

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.lines import Line2D
from matplotlib.text import Text

from recam_core.errors import UserError
from recam_core.views.colours import class_colours, colour_bar
from recam_core.views.figure_style import POINTS_PER_INCH, FigureStyle
from recam_core.views.marks import Mark, swatch

_MEASURED_AT = 100
#: The font that comes with matplotlib, which figures are set in.
_FONT = "DejaVu Sans"
#: Families that are asked first for letters that it lacks; then any other one.
_PREFERRED = (
    "Noto Sans CJK",
    "Noto Sans",
    "Source Han Sans",
    "WenQuanYi",
    "IPA",
    "Microsoft YaHei",
    "PingFang",
    "Malgun",
)
#: What to install, by the first word of a letter's name in Unicode.
_INSTALL = {"CJK": "Noto Sans CJK", "HIRAGANA": "Noto Sans CJK", "KATAKANA": "Noto Sans CJK", "HANGUL": "Noto Sans CJK"}


def plain(text: str) -> str:
    """The text without characters that XML forbids or that steer a terminal; line breaks become spaces."""
    return "".join(letter if unicodedata.category(letter)[0] != "C" else " " for letter in text).strip()


def put(figure: Figure, x: float, y: float, text: str, size: float, colour: str, **options: Any) -> Text:
    """Write one line at a place in shares of the figure; a ``$`` in it stays a dollar sign."""
    words = plain(text)
    return figure.text(
        x, y, words, fontsize=size, color=colour, fontfamily=families(words), parse_math=False, **options
    )


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, weight: str = "normal") -> float:
    """How wide a line of text is, in inches."""
    figure = Figure(dpi=_MEASURED_AT)
    canvas = FigureCanvasAgg(figure)
    words = plain(text) or " "
    for letter in _lacking(words, families(words)):
        words = words.replace(letter, "□")  # what is drawn in its place
    line = figure.text(0, 0, words, fontsize=size, fontweight=weight, fontfamily=families(words), parse_math=False)
    return line.get_window_extent(canvas.get_renderer()).width / _MEASURED_AT


def families(text: str) -> list[str]:
    """The fonts to set a text in: matplotlib's own, and behind it those that have the letters which it lacks."""
    return [_FONT, *_others(frozenset(_lacking(text, [_FONT])))]


def missing_font(figure: Figure) -> str:
    """A sentence on letters of a figure that no font of this computer has; "" where all can be drawn."""
    lacking: dict[str, None] = {}
    for text in figure.findobj(Text):
        lacking |= dict.fromkeys(_lacking(text.get_text(), families(text.get_text())))
    if not lacking:
        return ""
    shown = "".join(list(lacking)[:8]) + ("…" if len(lacking) > 8 else "")
    kinds = (unicodedata.name(letter, "").replace("-", " ").split(" ")[0] for letter in lacking)
    wanted = sorted({_INSTALL.get(kind, f"Noto Sans {kind.capitalize()}") for kind in kinds if kind})
    return (
        f"No font of this computer has the letters {shown}: in PNG and PDF a box stands for each, and SVG leaves them "
        "to the browser."
        + (f" Install a font that has them, such as {', '.join(wanted[:3])}, and start again." if wanted else "")
    )


def _lacking(text: str, fonts: list[str]) -> Iterator[str]:
    """The letters of a text that are in none of these fonts."""
    letters = sorted({letter for letter in text if not letter.isspace() and letter.isprintable() and letter > "~"})
    if letters:
        codes = np.array([ord(letter) for letter in letters], dtype=np.uint32)
        known = np.zeros(len(codes), dtype=bool)
        for family in fonts:
            # Not as a bare name, in which matplotlib would read a pattern.
            path = font_manager.findfont(font_manager.FontProperties(family=[family]))
            known |= np.isin(codes, _codes(path))
        yield from (letter for letter, is_known in zip(letters, known.tolist(), strict=True) if not is_known)


@lru_cache(maxsize=256)
def _others(letters: frozenset[str]) -> tuple[str, ...]:
    """Families of installed fonts that together have as many of these letters as can be had."""
    if not letters:
        return ()
    left = np.array(sorted(map(ord, letters)), dtype=np.uint32)
    entries = font_manager.fontManager.ttflist
    # The last resort has a box for every letter, which is what is to be told.
    others = [one for one in entries if one.name != _FONT and "Last Resort" not in one.name]
    # Of a family the upright one: that is the file which figures are set in, and slanted ones may have fewer letters.
    installed = {
        one.name: one.fname for one in sorted(others, key=lambda one: one.style == "normal" and one.weight == 400)
    }
    found = []
    for name in sorted(installed, key=lambda name: (not name.startswith(_PREFERRED), name)):
        has = np.isin(left, _codes(installed[name]))
        if has.any():
            found.append(name)
            left = left[~has]
        if not len(left):
            break
    return tuple(found)


@cache
def _codes(path: str) -> np.ndarray:
    """The letters that a font file has, as numbers of Unicode; none for a file that cannot be read."""
    try:
        return np.fromiter(FT2Font(path).get_charmap(), dtype=np.uint32)
    except (OSError, RuntimeError, ValueError):
        return np.zeros(0, dtype=np.uint32)


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
                    red, green, blue = (value / 255 for value in colour)
                    figure.add_artist(Line2D(ends, [middle / height] * 2, color=(red, green, blue), linewidth=wide))
            elif entry.sample is not None:
                axes = figure.add_axes(
                    (x / width, (middle - tall / 2) / height, sample / width, tall / height), label=plain(entry.text)
                )
                axes.set_axis_off()
                pixels = entry.sample(max(2, round(tall * style.dpi)), max(2, round(sample * style.dpi)))
                axes.imshow(pixels, interpolation="none", aspect="auto")
            shade = style.text if sample else style.quiet
            start = x + (sample + 0.45 * em if sample else 0)
            put(figure, start / width, middle / height, entry.text, size, shade, va="center_baseline")
            x += _width(entry, size) + _GAP * em


def legend_line_height(size: float) -> float:
    """In inches, for type of ``size`` points."""
    return 1.65 * size / POINTS_PER_INCH


def _width(entry: LegendEntry, size: float) -> float:
    sample = (entry.width + 0.45) * size / POINTS_PER_INCH if entry.width else 0.0
    return sample + text_width(entry.text, size)


#: File kinds and their media types.
FIGURE_KINDS: dict[str, str] = {"png": "image/png", "svg": "image/svg+xml", "pdf": "application/pdf"}
#: Text stays text (searchable, editable, with its fonts embedded in PDF); equal figures give equal bytes.
_SETTINGS: dict[Any, Any] = {"svg.fonttype": "none", "pdf.fonttype": 42, "svg.hashsalt": "recam"}
#: Settings of matplotlib belong to the process, and sessions of the app are threads.
_LOCK = threading.Lock()


def figure_bytes(figure: Figure, kind: str) -> bytes:
    """The bytes of a file of the figure, at the resolution that the figure was made for.

    Args:
        figure: any figure.
        kind: a key of :data:`FIGURE_KINDS`.

    Raises:
        UserError: the kind is unknown.
    """
    if kind not in FIGURE_KINDS:
        raise UserError(f"Figures are written as {', '.join(FIGURE_KINDS)}, not as {kind!r}.")
    stream = BytesIO()
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
    # Fonts of the computer may have outlines that PDF takes as shapes only.
    foreign = any(len(text.get_fontfamily()) > 1 for text in figure.findobj(Text))
    settings = _SETTINGS | ({"pdf.fonttype": 3} if foreign else {})
    with _LOCK, matplotlib.rc_context(settings), warnings.catch_warnings():
        # What no font has is drawn as boxes in PNG and PDF, which `figure_text.missing_font` tells.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(stream, format=kind, dpi=figure.dpi, facecolor=figure.get_facecolor(), metadata=dates[kind])
    return stream.getvalue()
