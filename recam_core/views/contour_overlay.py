"""Activations as contour lines over the picture, for seeing where a threshold cuts."""

import numpy as np

from recam_core.maps.activation_maps import threshold_level
from recam_core.views.blend import blend, muted
from recam_core.views.colour_maps import colour_table

#: Distance of two lines, in 8-bit levels: an eighth of the range.
STEP = 32
#: The cut at the threshold: a light line within, a dark one without, seen on every ground.
WITHIN, WITHOUT = (255, 255, 255), (20, 24, 26)


def _above_a_neighbour(values: np.ndarray) -> np.ndarray:
    """H x W bool: pixels whose value is greater than that of a pixel above, below, left or right of it."""
    edge = np.zeros(values.shape, dtype=bool)
    edge[1:] |= values[1:] > values[:-1]
    edge[:-1] |= values[:-1] > values[1:]
    edge[:, 1:] |= values[:, 1:] > values[:, :-1]
    edge[:, :-1] |= values[:, :-1] > values[:, 1:]
    return edge


def contour_overlay(
    image: np.ndarray,
    levels: np.ndarray,
    threshold: float | None,
    colour_map: str = "viridis",
    opacity: float = 0.8,
) -> np.ndarray:
    """The picture, quietened, under lines of equal activation and the line at the threshold.

    Args:
        image: H x W x 3, uint8, at screen size.
        levels: H x W, uint8 activations.
        threshold: background threshold 0..1; None draws no line for it.
        colour_map: gives a line the colour of its level.
        opacity: of the lines, 0..1.

    Returns:
        H x W x 3, uint8.
    """
    bands = levels // STEP
    colours = colour_table(colour_map)[bands * STEP]
    line = _above_a_neighbour(bands)
    if threshold is not None:
        claimed = levels > threshold_level(threshold)
        within, without = _above_a_neighbour(claimed), _above_a_neighbour(~claimed)
        colours[within], colours[without] = WITHIN, WITHOUT
        line |= within | without
    alpha = np.where(line, np.float32(opacity), np.float32(0))
    return blend(muted(image, colour=1 - 0.5 * opacity, light=0.3 * opacity), colours, alpha)
