"""A class-by-class matrix: one small picture for the colours, words and numbers as text on top of it."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL import Image

from recam_core.report.markup import Markup, data_address, percent, points, tag
from recam_core.views.marks import GREEN, SKY_BLUE, VERMILION

#: Up to so many classes every cell has its number and a tooltip; beyond, only those that stand out.
_MANY = 26
#: The strongest colour still lets text be read on it, on a light and on a dark page.
_STRONGEST = 0.72
_LETTER = 6.3


def share_matrix(shares: np.ndarray, names: Sequence[str], title: str) -> Markup:
    """Shares of each row's pixels, 0..1 (nan in rows without pixels): what is right in blue, confusions in red.

    Colours go by the square root, as most confusions are small; numbers are in per cent.
    """
    known = np.nan_to_num(shares)
    own = np.eye(len(names), dtype=bool)
    most = max(float(known[~own].max(initial=0)), 0.02)
    strength = np.where(own, known, np.sqrt(known / most))
    colours = np.where(own[..., None], SKY_BLUE, VERMILION)
    return _matrix(strength, colours, shares, names, title, percent, 0.005)


def difference_matrix(difference: np.ndarray, names: Sequence[str], title: str) -> Markup:
    """Differences of shares: green where the second method is better (more on the diagonal, less beside it)."""
    known = np.nan_to_num(difference)
    own = np.eye(len(names), dtype=bool)
    most = max(float(np.abs(known).max(initial=0)), 0.02)
    better = (known > 0) == own
    colours = np.where(better[..., None], GREEN, VERMILION)
    return _matrix(np.sqrt(np.abs(known) / most), colours, difference, names, title, points, 0.005)


def _matrix(
    strength: np.ndarray,
    colours: np.ndarray,
    values: np.ndarray,
    names: Sequence[str],
    title: str,
    words: object,
    least: float,
) -> Markup:
    count = len(names)
    few = count <= _MANY
    cell = 34 if count <= 12 else 26 if few else 11
    letter = _LETTER if few else 5.2
    longest = max((len(name) for name in names), default=1)
    left = min(int(longest * letter) + 12, 170)
    # Narrow columns have no room for slanted names.
    slope, rise = (-48, 0.75) if few else (-90, 1.0)
    top = min(int(longest * letter * rise) + 16, 150)
    side = count * cell
    pixels = np.zeros((count, count, 4), dtype=np.uint8)
    pixels[..., :3] = colours
    pixels[..., 3] = np.rint(np.clip(strength, 0, 1) * _STRONGEST * 255)
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", optimize=True)
    parts = [
        tag(
            "image",
            href=data_address(stream.getvalue(), "image/png"),
            x=left,
            y=top,
            width=side,
            height=side,
            preserveAspectRatio="none",
            class_="cells",
        )
    ]
    lines = "".join(f"M{left} {top + k * cell}h{side}M{left + k * cell} {top}v{side}" for k in range(count + 1))
    parts.append(tag("path", d=lines, class_="grid"))
    for k, name in enumerate(names):
        middle = (k + 0.5) * cell
        parts.append(tag("text", _short(name), x=left - 6, y=top + middle, class_="row"))
        x, y = left + middle + (0 if few else 3), top - 6
        parts.append(tag("text", _short(name), x=x, y=y, class_="column", transform=f"rotate({slope} {x:g} {y:g})"))
    shown = np.nan_to_num(np.abs(values)) >= (least if few else 0.02)
    for row, column in np.argwhere(shown).tolist():
        text = words(values[row, column])
        box = tag(
            "rect", x=left + column * cell, y=top + row * cell, width=cell, height=cell, class_="spot"
        )  # takes the pointer
        note = tag("title", f"{names[row]} → {names[column]}: {text}")
        number = ""
        if few:
            whole = words(values[row, column], 0)
            number = tag("text", whole, x=left + (column + 0.5) * cell, y=top + (row + 0.5) * cell, class_="number")
        parts.append(tag("g", note, box, number))
    width, height = left + side + (max(int(top * 0.9), 12) if few else 12), top + side + 6
    chart = tag(
        "svg",
        tag("title", title),
        *parts,
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        class_="matrix" if few else "matrix many",
    )
    return tag("div", chart, class_="wide", tabindex="0", role="region", aria_label=title)


def _short(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:23]}…"
