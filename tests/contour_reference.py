"""The lines of equal activation, worked out pixel by pixel: what the viewer in the browser is to draw."""

import numpy as np

from recam_core.maps.activation_maps import threshold_level
from recam_core.views.colours import blend, colour_table, muted
from recam_core.views.marks import CONTOUR_STEP, WITHIN, WITHOUT


def _neighbourhood(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """H x W each: the least and the greatest value of a pixel and those above, below, left and right of it."""
    least, most = values.copy(), values.copy()
    for extreme, found in ((np.minimum, least), (np.maximum, most)):
        extreme(found[1:], values[:-1], out=found[1:])
        extreme(found[:-1], values[1:], out=found[:-1])
        extreme(found[:, 1:], values[:, :-1], out=found[:, 1:])
        extreme(found[:, :-1], values[:, 1:], out=found[:, :-1])
    return least, most


def contour_overlay(
    image: np.ndarray,
    levels: np.ndarray,
    threshold: float | None,
    colour_map: str = "viridis",
    opacity: float = 0.8,
) -> np.ndarray:
    """The picture under lines of equal activation; what the threshold leaves to the background is quietened.

    Args:
        image: H x W x 3, uint8, at screen size.
        levels: H x W, uint8 activations.
        threshold: background threshold 0..1; None claims everything, and draws no line for it.
        colour_map: gives a line the colour of its level.
        opacity: of the lines, 0..1; the picture is muted by it, too.

    Returns:
        H x W x 3, uint8.
    """
    least, most = _neighbourhood(levels)
    colours = colour_table(colour_map)[most // CONTOUR_STEP * CONTOUR_STEP]
    line = least // CONTOUR_STEP != most // CONTOUR_STEP
    ground = image
    if threshold is not None:
        cut = threshold_level(threshold)
        claimed = levels > cut
        border = (least <= cut) & (most > cut)
        colours[border & claimed], colours[border & ~claimed] = WITHIN, WITHOUT
        line |= border
        quiet = muted(image, colour=1 - 0.6 * opacity, light=0.5 * opacity)
        ground = np.where(claimed[:, :, None], image, quiet)
    alpha = np.where(line, np.float32(opacity), np.float32(0))
    return blend(ground, colours, alpha)
