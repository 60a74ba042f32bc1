"""One colour for each class."""

import colorsys
from functools import lru_cache

import numpy as np

#: Turning the hue by this share each time spreads any number of colours evenly (the golden ratio less 1).
_TURN = 0.6180339887498949


@lru_cache(maxsize=16)
def class_colours(count: int) -> np.ndarray:
    """(count + 1) x 3 uint8 (read-only): the colour of each seed mask value; row 0, the background, is black.

    Neighbouring classes get far-apart hues, and lightness takes turns as well: hue alone would be lost on a
    colour-blind reader. Names stand beside colours wherever they are shown.
    """
    table = np.zeros((count + 1, 3), dtype=np.uint8)
    for k in range(count):
        lightness = (0.62, 0.46, 0.74)[k % 3]
        red, green, blue = colorsys.hls_to_rgb((0.55 + k * _TURN) % 1.0, lightness, 0.72)
        table[k + 1] = np.rint(np.array([red, green, blue]) * 255)
    table.flags.writeable = False
    return table
