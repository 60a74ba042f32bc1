"""Small square pictures for galleries."""

import numpy as np
from PIL import Image


def thumbnail(image: np.ndarray, side: int = 112) -> np.ndarray:
    """side x side x 3 uint8: the largest square in the middle of an H x W x 3 uint8 picture, made small."""
    height, width = image.shape[:2]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    square = Image.fromarray(np.ascontiguousarray(image[top : top + edge, left : left + edge]))
    return np.asarray(square.resize((side, side), Image.Resampling.LANCZOS))
