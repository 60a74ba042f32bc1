"""Making a large photograph small enough to be looked at and computed on at once."""

import numpy as np
from PIL import Image


def fit_photo(image: np.ndarray, longest: int) -> np.ndarray:
    """H x W x 3 uint8, scaled down so that no side exceeds ``longest`` pixels; smaller pictures stay as they are."""
    size = _fitting(image.shape[:2], longest)
    if size is None:
        return image
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


def fit_mask(mask: np.ndarray, longest: int) -> np.ndarray:
    """H x W uint8, scaled as :func:`fit_photo` scales its photo; class numbers are picked, never mixed."""
    size = _fitting(mask.shape, longest)
    if size is None:
        return mask
    return np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))


def _fitting(shape: tuple[int, int], longest: int) -> tuple[int, int] | None:
    """(width, height) to scale to, or None where the picture fits."""
    height, width = shape
    scale = longest / max(height, width)
    if scale >= 1:
        return None
    return max(1, round(width * scale)), max(1, round(height * scale))
