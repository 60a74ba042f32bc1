"""Activations as heat over the picture."""

import numpy as np

from recam_core.views.blend import blend
from recam_core.views.colour_maps import colourise


def heat_overlay(
    image: np.ndarray,
    levels: np.ndarray,
    colour_map: str = "viridis",
    opacity: float = 0.6,
) -> np.ndarray:
    """The picture under the colours of its activations.

    Args:
        image: H x W x 3, uint8.
        levels: H x W, uint8 activations, 255 being the maximum.
        colour_map: a key of :data:`~recam_core.views.colour_maps.COLOUR_MAPS`.
        opacity: of the colours, 0..1, the same everywhere, so that a colour always means one activation.

    Returns:
        H x W x 3, uint8.
    """
    return blend(image, colourise(levels, colour_map), opacity)


def colour_bar(colour_map: str = "viridis", width: int = 256, height: int = 12) -> np.ndarray:
    """H x W x 3 uint8: the colours from activation 0 (left) to the maximum (right)."""
    values = np.linspace(0, 255, width).round().astype(np.uint8)
    return colourise(np.broadcast_to(values, (height, width)), colour_map)
