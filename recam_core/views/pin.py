"""A ring around a pixel that is asked about: white with a dark edge, so that it stands out from any picture."""

import numpy as np
from PIL import Image, ImageDraw


def draw_pin(image: np.ndarray, column: int, row: int, factor: int = 1) -> np.ndarray:
    """The picture with a ring and four strokes around a pixel.

    Args:
        image: H x W x 3, uint8, already enlarged.
        column, row: the pixel, in those of the picture before it was enlarged.
        factor: how many times it was enlarged.
    """
    picture = Image.fromarray(np.ascontiguousarray(image))
    draw = ImageDraw.Draw(picture)
    x, y = (column + 0.5) * factor, (row + 0.5) * factor
    radius = max(4.0, max(image.shape[:2]) / 70)
    for colour, width in (("#10181b", 5), ("#ffffff", 2)):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=width)
        for across, down in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            ends = [(x + across * radius * far, y + down * radius * far) for far in (1, 1.9)]
            draw.line(ends, fill=colour, width=width)
    return np.asarray(picture)
