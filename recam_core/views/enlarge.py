"""From pixels of the picture to pixels of the screen, more or fewer."""

import numpy as np
from PIL import Image

#: The long side, in screen pixels, that a small picture is enlarged towards before marks are drawn on it.
SCREEN_SIDE = 720


def screen_factor(size: tuple[int, int], side: int = SCREEN_SIDE) -> int:
    """How many times a picture of ``size`` (H, W) is enlarged for the screen: a whole number, 1 for large pictures.

    Marks are drawn after enlarging, so that hatching and outlines have the same width on every picture.
    """
    return max(1, side // max(size))


def enlarge_photo(image: np.ndarray, factor: int) -> np.ndarray:
    """H x W x 3 uint8 -> (factor H) x (factor W) x 3, smoothly."""
    if factor == 1:
        return image
    height, width = image.shape[:2]
    return np.asarray(Image.fromarray(image).resize((width * factor, height * factor), Image.Resampling.BICUBIC))


def enlarge_levels(levels: np.ndarray, factor: int) -> np.ndarray:
    """H x W uint8 activations -> (factor H) x (factor W), bilinearly, for heat maps without steps."""
    if factor == 1:
        return levels
    height, width = levels.shape
    return np.asarray(Image.fromarray(levels).resize((width * factor, height * factor), Image.Resampling.BILINEAR))


def thumbnail(image: np.ndarray, side: int = 112) -> np.ndarray:
    """side x side x 3 uint8: the largest square in the middle of an H x W x 3 uint8 picture, made small."""
    height, width = image.shape[:2]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    square = Image.fromarray(np.ascontiguousarray(image[top : top + edge, left : left + edge]))
    return np.asarray(square.resize((side, side), Image.Resampling.LANCZOS))
