"""Augmentation: random size, mirror, colour and crop, the same for an image and its mask."""

import numpy as np
from PIL import Image, ImageOps
from torchvision.transforms.v2 import functional as TF

from recam_core.data.sample import VOID
from recam_core.train.recipe import Recipe


def augment(
    image: np.ndarray, mask: np.ndarray | None, recipe: Recipe, fill: tuple[int, int, int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray | None]:
    """One random view of an image, as the published experiments take it.

    Args:
        image: H x W x 3 uint8.
        mask: H x W uint8 or None.
        recipe: gives the range of sizes, the jitter and the crop.
        fill: colour of the padding; the mean that the network subtracts, so that it becomes zero.
        rng: the only source of randomness.

    Returns:
        crop x crop x 3 uint8, and crop x crop uint8 (padding is void) or None.
    """
    low, high = recipe.resize_long
    height, width = image.shape[:2]
    factor = rng.integers(low, high + 1) / max(height, width)
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    photo = Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)
    truth = None if mask is None else Image.fromarray(mask).resize(size, Image.Resampling.NEAREST)
    if rng.random() < 0.5:
        photo = ImageOps.mirror(photo)
        truth = None if truth is None else ImageOps.mirror(truth)
    # Crop before the colours change: what is cut away needs none.
    left, top = (_offset(length, recipe.crop, rng) for length in size)
    box = (left, top, left + recipe.crop, top + recipe.crop)
    inside = (max(left, 0), max(top, 0), min(box[2], size[0]), min(box[3], size[1]))
    corner = (inside[0] - left, inside[1] - top)
    canvas = Image.new("RGB", (recipe.crop, recipe.crop), fill)
    canvas.paste(_jitter(photo.crop(inside), recipe.jitter, rng), corner)
    if truth is None:
        return np.asarray(canvas), None
    labels = Image.new("L", (recipe.crop, recipe.crop), VOID)
    labels.paste(truth.crop(inside), corner)
    return np.asarray(canvas), np.asarray(labels)


def _offset(length: int, crop: int, rng: np.random.Generator) -> int:
    """Where the crop begins: inside a longer image, before a shorter one."""
    slack = length - crop
    return int(rng.integers(min(slack, 0), max(slack, 0) + 1))


def _jitter(photo: Image.Image, strengths: tuple[float, ...], rng: np.random.Generator) -> Image.Image:
    """Brightness, contrast, saturation and hue, each by a random amount and in random order."""
    brightness, contrast, saturation, hue = strengths
    change = [
        (TF.adjust_brightness, 1 + brightness * rng.uniform(-1, 1), brightness),
        (TF.adjust_contrast, 1 + contrast * rng.uniform(-1, 1), contrast),
        (TF.adjust_saturation, 1 + saturation * rng.uniform(-1, 1), saturation),
        (TF.adjust_hue, hue * rng.uniform(-1, 1), hue),
    ]
    for number in rng.permutation(len(change)):
        function, amount, strength = change[number]
        if strength > 0:
            photo = function(photo, amount)
    return photo
