"""Activations as heat over the picture, and evidence for one of two classes."""

import numpy as np
from PIL import Image

from recam_core.views.blend import blend, muted
from recam_core.views.colour_maps import colourise

#: Red, green, blue of what speaks for A and for B; those of the bars of channels.
FOR_A, FOR_B = (224, 123, 57), (47, 148, 166)
#: Of evidence, where it is strongest.
_OPACITY = 0.85


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


def evidence_overlay(image: np.ndarray, evidence: np.ndarray, limit: float | None = None) -> np.ndarray:
    """The picture under its evidence.

    Args:
        image: H x W x 3, uint8.
        evidence: h x w, float; above 0 speaks for A, below 0 for B; enlarged bilinearly.
        limit: the evidence that is drawn in full; None takes the greatest.

    Returns:
        H x W x 3, uint8.
    """
    height, width = image.shape[:2]
    plane = np.asarray(evidence, dtype=np.float32)
    if plane.shape != (height, width):
        plane = np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR))
    whole = float(np.abs(plane).max(initial=0.0)) if limit is None else limit
    share = np.clip(np.abs(plane) / whole, 0, 1) if whole > 0 else np.zeros_like(plane)
    colours = np.where((plane > 0)[:, :, None], np.uint8(FOR_A), np.uint8(FOR_B))
    return blend(muted(image, colour=0.3, light=0.3), colours, _OPACITY * share)
