"""Occlusion: what a classifier loses where a part of the picture is hidden."""

import math

import torch
from captum.attr import Occlusion
from torch import Tensor

from recam_core.attribution.asked import Asked


def occlusion(asked: Asked) -> Tensor:
    """The mean loss of each answer over the windows that hide a pixel: n x H x W, signed. All answers share a pass."""
    side, stride = window_of(tuple(asked.x.shape[-2:]), asked.settings.window)
    height, width = asked.x.shape[-2:]
    with torch.no_grad():
        found = Occlusion(asked.whole()).attribute(
            asked.x,
            sliding_window_shapes=(3, min(side, height), min(side, width)),
            strides=(3, stride, stride),
            perturbations_per_eval=asked.rows,
        )
    # All three colours are hidden together, so that each says the same.
    return found[:, 0]


def windows(size: tuple[int, int], share: float) -> int:
    """How many windows hide parts of a picture of size (H, W)."""
    side, stride = window_of(size, share)
    return math.prod(math.ceil((length - min(side, length)) / stride) + 1 for length in size)


def window_of(size: tuple[int, int], share: float) -> tuple[int, int]:
    """(side of the window, by how much it moves), in pixels of a picture of size (H, W)."""
    side = max(round(max(size) * share), 2)
    return side, side // 2
