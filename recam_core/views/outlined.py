"""Small pictures in which some pixels are outlined: what a gallery of errors shows."""

import numpy as np
from PIL import Image

from recam_core.views.blend import blend, muted
from recam_core.views.marks import VERMILION
from recam_core.views.outline import outline

#: How strongly the outlined pixels are tinted; weak, so that what is seen in them stays visible.
_TINT = 0.28


def outlined(
    image: np.ndarray, chosen: np.ndarray, side: int = 256, colour: tuple[int, int, int] = VERMILION
) -> np.ndarray:
    """The whole picture made small (or large), quietened, with an outline around the chosen pixels.

    The line is white with a dark edge, so that it stands out from any picture.

    Args:
        image: H x W x 3, uint8.
        chosen: H x W, bool.
        side: of the longer side of the result, in pixels.
        colour: red, green, blue, 0..255, that the chosen pixels are tinted with.

    Returns:
        h x w x 3, uint8, in the proportions of the picture.
    """
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize(size, Image.Resampling.LANCZOS))
    # A box filter and half as the limit: thin lines stay where most of a pixel is chosen, and so do single pixels of
    # a large picture only if they are seen at this size at all.
    area = Image.fromarray(chosen.astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR)
    here = np.asarray(area) >= 128
    if chosen.any() and not here.any():
        here = np.asarray(area) > 0
    line = outline(here) & here
    edge = outline(here, 2) & ~line
    rest = muted(small, colour=0.35, light=0.25)
    picture = np.where(here[:, :, None], small, rest)
    picture = blend(picture, np.full_like(picture, colour), np.where(here, _TINT, 0.0))
    picture = blend(picture, np.zeros_like(picture), np.where(edge, 0.55, 0.0))
    picture[line] = 255
    return picture
