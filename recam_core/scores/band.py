"""The band along contours of the ground truth, in which masks are hardest to get right: scores of its pixels alone."""

import numpy as np
from scipy import ndimage

from recam_core.data.sample import VOID
from recam_core.errors import UserError
from recam_core.words import counted


def check_band(pixels: int) -> None:
    """Raises UserError unless a band can be so wide."""
    if pixels < 1:
        raise UserError(f"The band along contours is 1 pixel wide or more, not {pixels}.")


def contour_band(mask: np.ndarray, pixels: int) -> np.ndarray:
    """H x W bool: what lies less than so many pixels from a pixel at a contour, where two values of a mask meet.

    The edge of void is a contour, too: VOC draws a rim of void around each object, so that there is no other.

    Args:
        mask: H x W, uint8 ground truth; 255 void.
        pixels: how far the band reaches; of each side so many pixels lie in it.

    Raises:
        UserError: fewer than 1 pixel.
    """
    check_band(pixels)
    contour = np.zeros(mask.shape, dtype=bool)
    for ahead, behind in (
        ((slice(1, None), slice(None)), (slice(None, -1), slice(None))),
        ((slice(None), slice(1, None)), (slice(None), slice(None, -1))),
    ):
        differ = mask[ahead] != mask[behind]
        contour[ahead] |= differ
        contour[behind] |= differ
    if not contour.any():
        return contour
    return ndimage.distance_transform_edt(~contour) < pixels


def within_band(mask: np.ndarray, pixels: int | None) -> np.ndarray:
    """A mask (H x W uint8) with everything void that lies beyond the band; the mask itself where ``pixels`` is None."""
    return mask if pixels is None else np.where(contour_band(mask, pixels), mask, np.uint8(VOID))


def band_words(pixels: int) -> str:
    """What is scored, in words."""
    return f"within {counted(pixels, 'pixel')} of a contour"
