"""Pixel-adaptive mask refinement: maps become, again and again, means of their surroundings of like colour.

Araslanov and Roth, "Single-Stage Semantic Segmentation from Image Labels", CVPR 2020, section 3.3.
"""

import hashlib
import threading
from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

ITERATIONS = 10
DILATIONS = (1, 2, 4, 8, 12, 24)
#: The eight neighbours of a pixel, in units of a dilation.
_NEIGHBOURS = tuple((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0))


def pamr(
    image: np.ndarray, planes: np.ndarray, iterations: int = ITERATIONS, dilations: Sequence[int] = DILATIONS
) -> np.ndarray:
    """Refine maps by the colours of their picture.

    A pixel j around i weighs exp(k_ij) / sum_j exp(k_ij), k_ij the mean over the colours c of
    -|x_ic - x_jc| / (1e-8 + 0.1 sigma_ic), sigma_ic the standard deviation over the 3 x 3 windows of all dilations
    around i. Outside the picture its border goes on.

    Args:
        image: H x W x 3, uint8.
        planes: n x H x W, float32: probabilities or activations, each refined by itself.
        iterations: how often each pixel takes the weighted mean of its surroundings.
        dilations: distances of the eight neighbours that are looked at.

    Returns:
        n x H x W, float32; no value leaves the range of its plane.
    """
    weights = _kept.weights_of(image, tuple(dilations))
    current = torch.from_numpy(np.ascontiguousarray(planes, dtype=np.float32))
    for _ in range(iterations):
        mean = torch.zeros_like(current)
        for weight, shifted in zip(weights, _shifted(current, dilations), strict=True):
            mean.addcmul_(weight, shifted)
        current = mean
    return current.numpy()


class _LastWeights(threading.local):
    """The weights of the picture that this thread refined last: seeds and what became of them are refined in turn."""

    def __init__(self) -> None:
        self._named: tuple[bytes, object, object] | None = None
        self._weights: Tensor | None = None

    def forget(self) -> None:
        self._named = self._weights = None

    def weights_of(self, image: np.ndarray, dilations: tuple[int, ...]) -> Tensor:
        named = hashlib.blake2b(image.tobytes()).digest(), image.shape, dilations
        if self._weights is None or self._named != named:
            self._weights = None  # before the next ones take as much memory
            # Laid out plane by plane, in a third of the time.
            planes = np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32)
            self._weights = _weights(torch.from_numpy(planes), dilations)
            self._named = named
        return self._weights


_kept = _LastWeights()


def forget_weights() -> None:
    """Let go of the weights that this thread kept; before PAMR of a fresh picture is timed, for example."""
    _kept.forget()


def _weights(image: Tensor, dilations: Sequence[int]) -> Tensor:
    """8 D x H x W: what each neighbour of each pixel weighs; the sum over the first is 1."""
    count = len(dilations) * (len(_NEIGHBOURS) + 1)
    # Of the differences from the pixel itself, which is in the window of each dilation: they have the same deviation.
    total, squares, difference = torch.zeros_like(image), torch.zeros_like(image), torch.empty_like(image)
    for shifted in _shifted(image, dilations):
        torch.sub(shifted, image, out=difference)
        total += difference
        squares.addcmul_(difference, difference)
    sigma = ((squares - total.square() / count) / (count - 1)).clamp(min=0).sqrt()
    scale = -1 / (1e-8 + 0.1 * sigma)
    alike = image.new_empty(len(dilations) * len(_NEIGHBOURS), *image.shape[1:])
    for one, shifted in zip(alike, _shifted(image, dilations), strict=True):
        torch.sub(shifted, image, out=difference)
        torch.mean(difference.abs_().mul_(scale), dim=0, out=one)
    return alike.softmax(dim=0)


def _shifted(planes: Tensor, dilations: Sequence[int]) -> Iterator[Tensor]:
    """The planes, n x H x W, as each neighbour of each pixel sees them: one view a neighbour, dilation by dilation."""
    height, width = planes.shape[-2:]
    reach = max(dilations)
    padded = F.pad(planes[None], (reach,) * 4, mode="replicate")[0]
    for dilation in dilations:
        for y, x in _NEIGHBOURS:
            top, left = reach + y * dilation, reach + x * dilation
            yield padded[:, top : top + height, left : left + width]
