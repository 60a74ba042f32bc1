"""Laying colours over a picture."""

import numpy as np

#: Luma weights of red, green and blue (ITU-R BT.601), in 1/256.
_LUMA = np.array([77, 150, 29], dtype=np.uint16)


def blend(below: np.ndarray, above: np.ndarray, alpha: np.ndarray | float) -> np.ndarray:
    """``below`` covered by ``above``.

    Args:
        below: H x W x 3, uint8.
        above: H x W x 3, uint8.
        alpha: how much of ``above`` is seen, 0..1: one number, or one a pixel (H x W).

    Returns:
        H x W x 3, uint8.
    """
    # Whole numbers of 1/256: this runs on every move of a slider, and floats would take three times as long.
    share = np.rint(np.asarray(alpha, dtype=np.float32) * 256).astype(np.int32)
    if share.ndim == 2:
        share = share[:, :, None]
    lower = below.astype(np.int32)
    return (lower + (((above.astype(np.int32) - lower) * share + 128) >> 8)).astype(np.uint8)


def muted(image: np.ndarray, colour: float = 0.25, light: float = 0.5) -> np.ndarray:
    """A quieter picture for marks to stand out from.

    Args:
        image: H x W x 3, uint8.
        colour: how much of the saturation is kept, 0..1.
        light: how far the picture is moved towards mid-grey, 0..1 (which is right on dark and on light pages).

    Returns:
        H x W x 3, uint8.
    """
    grey = ((image.astype(np.uint16) * _LUMA).sum(axis=2, dtype=np.uint32) >> 8).astype(np.uint8)
    quiet = blend(np.repeat(grey[:, :, None], 3, axis=2), image, colour)
    return blend(quiet, np.full_like(quiet, 140), light)
