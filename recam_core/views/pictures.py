"""Pictures made larger or smaller, with a ring or an outline, and as the bytes of a file."""

import base64
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw

from recam_core.views.colours import blend, muted
from recam_core.views.marks import VERMILION, outline

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


#: How strongly the outlined pixels are tinted; weak, so that what is seen in them stays visible.
_TINT = 0.28


def quietened(image: np.ndarray, side: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """The whole picture made small (or large), and the same quietened: what pixels are outlined on.

    Args:
        image: H x W x 3, uint8.
        side: of the longer side of the result, in pixels.

    Returns:
        Two of h x w x 3, uint8, in the proportions of the picture.
    """
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = image
    if size != (width, height):
        small = np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize(size, Image.Resampling.LANCZOS))
    return small, muted(small, colour=0.35, light=0.25)


def outlined_on(
    small: np.ndarray, quiet: np.ndarray, chosen: np.ndarray, colour: tuple[int, int, int] = VERMILION
) -> np.ndarray:
    """The quiet picture, with an outline around the chosen pixels, which stay as they are but for a weak tint.

    The line is white with a dark edge, so that it stands out from any picture.

    Args:
        small, quiet: h x w x 3, uint8, both from :func:`quietened`.
        chosen: H x W, bool, of the whole picture.
        colour: red, green, blue, 0..255, that the chosen pixels are tinted with.

    Returns:
        h x w x 3, uint8.
    """
    height, width = small.shape[:2]
    # A box filter and half as the limit: thin lines stay where most of a pixel is chosen, and so do single pixels of
    # a large picture only if they are seen at this size at all.
    area = Image.fromarray(chosen.astype(np.uint8) * 255).resize((width, height), Image.Resampling.BILINEAR)
    here = np.asarray(area) >= 128
    if chosen.any() and not here.any():
        here = np.asarray(area) > 0
    line = outline(here) & here
    edge = outline(here, 2) & ~line
    picture = quiet.copy()
    # Of a picture's pixels few are chosen: a gallery is drawn anew at each threshold.
    picture[here] = blend(small[here], np.array(colour, dtype=np.uint8), _TINT)
    picture[edge] = blend(picture[edge], np.zeros(3, dtype=np.uint8), 0.55)
    picture[line] = 255
    return picture


def outlined(
    image: np.ndarray, chosen: np.ndarray, side: int = 256, colour: tuple[int, int, int] = VERMILION
) -> np.ndarray:
    """A picture of its own by :func:`quietened` and :func:`outlined_on`.

    Args:
        image: H x W x 3, uint8.
        chosen: H x W, bool.
        side: of the longer side of the result, in pixels.
        colour: red, green, blue, 0..255, that the chosen pixels are tinted with.

    Returns:
        h x w x 3, uint8, in the proportions of the picture.
    """
    return outlined_on(*quietened(image, side), chosen, colour)


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


def encode(image: np.ndarray, kind: str = "png") -> bytes:
    """The bytes of an image file of an H x W x 3 uint8 picture; ``kind`` is "png" (exact) or "jpeg" (small)."""
    stream = BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(image))
    if kind == "jpeg":
        # Full colour resolution: halved chroma smears the thin coloured lines of patterns.
        picture.save(stream, "JPEG", quality=90, subsampling=0)
    else:
        picture.save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def data_address(content: bytes, kind: str) -> str:
    """An address that holds the content itself; ``kind`` is its media type."""
    return f"data:{kind};base64," + base64.b64encode(content).decode("ascii")


def data_url(image: np.ndarray, kind: str = "png") -> str:
    """An address that holds the picture, for style sheets and pages that must open on their own."""
    return data_address(encode(image, kind), f"image/{kind}")
