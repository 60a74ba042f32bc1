"""Kinds of pixels, and how they are drawn: each by a colour and by a pattern, so that either alone tells them apart.

The colours are those that Okabe and Ito chose to be told apart with every common form of colour blindness.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from recam_core.views.colours import blend, muted

#: Distance between two lines or dots, in screen pixels.
PITCH = 12
#: Width of a line, in screen pixels.
LINE = 3


def _coordinates(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(shape[0])[:, None], np.arange(shape[1])[None, :]


def solid(shape: tuple[int, int]) -> np.ndarray:
    """No pattern: the even tint that the area has anyway."""
    return np.zeros(shape, dtype=bool)


def rising(shape: tuple[int, int]) -> np.ndarray:
    """Lines from the lower left to the upper right."""
    row, column = _coordinates(shape)
    return (row + column) % PITCH < LINE


def falling(shape: tuple[int, int]) -> np.ndarray:
    """Lines from the upper left to the lower right."""
    row, column = _coordinates(shape)
    return (row - column) % PITCH < LINE


def crossed(shape: tuple[int, int]) -> np.ndarray:
    """Both kinds of slanted lines."""
    return rising(shape) | falling(shape)


def dotted(shape: tuple[int, int]) -> np.ndarray:
    """Round dots in rows, every other row moved by half a step."""
    row, column = _coordinates(shape)
    line, within = np.divmod(row, PITCH)
    across = (column + (line % 2) * (PITCH // 2)) % PITCH
    centre = (PITCH - 1) / 2
    return (within - centre) ** 2 + (across - centre) ** 2 <= (PITCH / 4) ** 2


def level_lines(shape: tuple[int, int]) -> np.ndarray:
    """Horizontal lines."""
    row, column = _coordinates(shape)
    return np.broadcast_to((row % PITCH < LINE) & (column >= 0), shape)


PATTERNS: dict[str, Callable[[tuple[int, int]], np.ndarray]] = {
    "solid": solid,
    "rising": rising,
    "falling": falling,
    "crossed": crossed,
    "dotted": dotted,
    "level": level_lines,
}


def outline(codes: np.ndarray, width: int = 1) -> np.ndarray:
    """H x W bool: pixels that have a pixel of another value within ``width`` steps above, below, left or right."""
    edge = np.zeros(codes.shape, dtype=bool)
    for step in range(1, width + 1):
        down = codes[step:] != codes[:-step]
        edge[step:] |= down
        edge[:-step] |= down
        across = codes[:, step:] != codes[:, :-step]
        edge[:, step:] |= across
        edge[:, :-step] |= across
    return edge


SKY_BLUE = (86, 180, 233)
ORANGE = (230, 159, 0)
VERMILION = (213, 94, 0)
YELLOW = (240, 228, 66)
PURPLE = (204, 121, 167)
GREEN = (0, 158, 115)
BLUE = (0, 114, 178)
GREY = (150, 150, 150)

#: How strongly an area's tint shows, as a share of the opacity of its lines: weak where lines must stand out from it.
TINT, SOLID_TINT = 0.34, 0.62
#: Distance of two lines of equal activation, in 8-bit levels: an eighth of the range.
CONTOUR_STEP = 32
#: The cut at the threshold: a light line within, a dark one without, seen on every ground.
WITHIN, WITHOUT = (255, 255, 255), (20, 24, 26)


@dataclass(frozen=True)
class Mark:
    """One kind of pixel.

    Attributes:
        code: its value in a code picture; 0 is left for "nothing to say".
        name: a few words for the legend.
        meaning: a sentence for the legend's help.
        colour: red, green, blue, 0..255.
        pattern: a key of :data:`~recam_core.views.marks.PATTERNS`.
    """

    code: int
    name: str
    meaning: str
    colour: tuple[int, int, int]
    pattern: str


def draw_marks(image: np.ndarray, codes: np.ndarray, marks: Sequence[Mark], opacity: float = 0.8) -> np.ndarray:
    """The picture, quietened, with every pixel whose code has a mark drawn in its colour and pattern.

    Args:
        image: H x W x 3, uint8, at screen size.
        codes: H x W, uint8; 0 and values without a mark stay unmarked.
        marks: how to draw the others.
        opacity: of lines and borders, 0..1; areas are tinted with about half of it, and the picture is muted by it.

    Returns:
        H x W x 3, uint8.
    """
    colours = np.zeros((256, 3), dtype=np.uint8)
    tint = np.zeros(256, dtype=np.float32)
    inked = np.zeros(codes.shape, dtype=bool)
    for mark in marks:
        colours[mark.code] = mark.colour
        tint[mark.code] = SOLID_TINT if mark.pattern == "solid" else TINT
        if mark.pattern != "solid" and (here := codes == mark.code).any():
            inked |= here & PATTERNS[mark.pattern](codes.shape)
    alpha = tint[codes]
    alpha[(inked | outline(codes)) & (alpha > 0)] = 1.0
    return blend(muted(image, colour=1 - 0.75 * opacity, light=0.4 * opacity), colours[codes], alpha * opacity)


def swatch(mark: Mark, height: int = 24, width: int = 36) -> np.ndarray:
    """H x W x 3 uint8: what an area with this mark looks like, for legends."""
    ground = np.full((height, width, 3), 118, dtype=np.uint8)
    codes = np.zeros((height, width), dtype=np.uint8)
    codes[2:-2, 2:-2] = mark.code  # a margin, so that the area's border is part of the sample
    return draw_marks(ground, codes, [mark], opacity=1.0)
