"""Colours of classes and of activations, and laying them over a picture."""

import colorsys
from functools import lru_cache

import numpy as np
from PIL import Image

#: Turning the hue by this share each time spreads any number of colours evenly (the golden ratio less 1).
_TURN = 0.6180339887498949


@lru_cache(maxsize=16)
def class_colours(count: int) -> np.ndarray:
    """(count + 1) x 3 uint8 (read-only): the colour of each seed mask value; row 0, the background, is black.

    Neighbouring classes get far-apart hues, and lightness takes turns as well: hue alone would be lost on a
    colour-blind reader. Names stand beside colours wherever they are shown.
    """
    table = np.zeros((count + 1, 3), dtype=np.uint8)
    for k in range(count):
        lightness = (0.62, 0.46, 0.74)[k % 3]
        red, green, blue = colorsys.hls_to_rgb((0.55 + k * _TURN) % 1.0, lightness, 0.72)
        table[k + 1] = np.rint(np.array([red, green, blue]) * 255)
    table.flags.writeable = False
    return table


#: What is offered, the perceptually even one first. The value is the name that matplotlib knows it by.
COLOUR_MAPS: dict[str, str] = {"viridis": "viridis", "turbo": "turbo", "grey": "gray"}


@lru_cache(maxsize=len(COLOUR_MAPS))
def colour_table(name: str) -> np.ndarray:
    """256 x 3 uint8 (read-only): the colour of each 8-bit value.

    Raises:
        KeyError: ``name`` is not in :data:`COLOUR_MAPS`.
    """
    from matplotlib import colormaps

    table = np.rint(colormaps[COLOUR_MAPS[name]](np.arange(256))[:, :3] * 255).astype(np.uint8)
    table.flags.writeable = False
    return table


def colourise(values: np.ndarray, name: str = "viridis") -> np.ndarray:
    """H x W uint8 values -> H x W x 3 uint8 colours."""
    return colour_table(name)[values]


#: Luma weights of red, green and blue (ITU-R BT.601), in 1/256.
_LUMA = np.uint16(77), np.uint16(150), np.uint16(29)


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
    red, green, blue = (image[:, :, place] * weight for place, weight in enumerate(_LUMA))  # 255 x 256 at most
    grey = ((red + green + blue) >> 8).astype(np.uint8)
    quiet = blend(np.repeat(grey[:, :, None], 3, axis=2), image, colour)
    return blend(quiet, np.full_like(quiet, 140), light)


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
        colour_map: a key of :data:`~recam_core.views.colours.COLOUR_MAPS`.
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
    colours = np.where((plane > 0)[:, :, None], np.array(FOR_A, dtype=np.uint8), np.array(FOR_B, dtype=np.uint8))
    return blend(muted(image, colour=0.3, light=0.3), colours, _OPACITY * share)
