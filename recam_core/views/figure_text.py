"""Text in figures: names come from users, and must neither break a file nor be read as mathematics.

Matplotlib's own font has no Chinese, Japanese or Korean letters. For what it lacks, a font of this computer is taken
that has them; where there is none, :func:`missing_font` says so.
"""

import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache

import numpy as np
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

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


def put(figure: Figure, x: float, y: float, text: str, size: float, colour: str, **options: object) -> Text:
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
