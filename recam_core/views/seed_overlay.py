"""Seed masks and ground truth in the colours of their classes."""

import numpy as np

from recam_core.data.sample import VOID
from recam_core.views.blend import blend, muted
from recam_core.views.class_colours import class_colours
from recam_core.views.marks import GREY
from recam_core.views.outline import outline


def seed_overlay(
    image: np.ndarray,
    seeds: np.ndarray,
    num_classes: int,
    opacity: float = 0.7,
    class_index: int | None = None,
) -> np.ndarray:
    """The picture with each pixel of a mask in the colour of its class, and borders between classes.

    Args:
        image: H x W x 3, uint8, at screen size.
        seeds: H x W, uint8: 0 background, k + 1 class k, 255 void (drawn grey).
        num_classes: K; fixes the colours.
        opacity: of the colours, 0..1.
        class_index: show only this class (from 0); None shows all.

    Returns:
        H x W x 3, uint8.
    """
    if class_index is not None:
        seeds = np.where((seeds == class_index + 1) | (seeds == VOID), seeds, 0)
    colours = np.zeros((256, 3), dtype=np.uint8)
    colours[: num_classes + 1] = class_colours(num_classes)
    colours[VOID] = GREY
    covered = seeds != 0
    alpha = np.where(covered, opacity, 0.0)
    edge = outline(seeds) & covered
    picture = blend(muted(image, colour=0.5, light=0.35 * opacity), colours[seeds], alpha)
    return np.where(edge[:, :, None], blend(colours[seeds], np.full_like(picture, 255), 0.55), picture)
