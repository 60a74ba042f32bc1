"""Which parts of a picture speak for class A, and which for class B: a colour for either, over the quietened photo."""

import numpy as np
from PIL import Image

from recam_core.views.blend import blend, muted

#: Red, green, blue of what speaks for A and for B; those of the bars of channels.
FOR_A, FOR_B = (224, 123, 57), (47, 148, 166)
_OPACITY = 0.85


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
