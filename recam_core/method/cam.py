"""Class activation maps: equation 2."""

import torch
import torch.nn.functional as F
from torch import Tensor

from recam_core.method.single_label import most_pairs, slots

#: Keeps the division by an empty map's maximum finite; such a map stays zero everywhere.
EPSILON = 1e-5


def responses(features: Tensor, weight: Tensor) -> Tensor:
    """w_k . f(x) at each pixel: B x K x h x w of features B x C x h x w and weights K x C, one row a class."""
    # A 1x1 convolution, in the form that reads the features as they lie in memory; the other one copies or crawls.
    if features.is_contiguous():
        maps = torch.bmm(weight.expand(len(features), -1, -1), features.flatten(2))
        return maps.unflatten(2, features.shape[2:])
    return F.conv2d(features, weight[:, :, None, None])


def raw_cam(features: Tensor, weight: Tensor) -> Tensor:
    """ReLU(w_k . f(x)), the numerator of equation 2.

    Args:
        features: B x C x h x w, f(x).
        weight: K x C, one row a class.

    Returns:
        B x K x h x w, not negative, not normalised.
    """
    return F.relu(responses(features, weight))


def normalise(raw: Tensor) -> Tensor:
    """Divide each map by its maximum over the pixels, the denominator of equation 2.

    Args:
        raw: ... x h x w, not negative.

    Returns:
        The same shape, in 0..1; a map without any activation stays zero.
    """
    return raw / raw.amax(dim=(-2, -1), keepdim=True).clamp_min(EPSILON)


def cam(features: Tensor, weight: Tensor) -> Tensor:
    """CAM_k = ReLU(w_k . f(x)) / max over the pixels of ReLU(w_k . f(x)); equation 2, B x K x h x w in 0..1."""
    return normalise(raw_cam(features, weight))


def pair_cams(features: Tensor, weight: Tensor, image: Tensor, category: Tensor, most: int | None = None) -> Tensor:
    """Equation 2 for the present pairs only, of any number of FC1s at once: ... x P x h x w in 0..1.

    What head retraining has instead of :func:`cam`, which makes the maps of absent classes as well;
    ``tests/test_equations.py::test_the_maps_of_pairs_are_those_of_equation_2`` holds the two equal.

    Args:
        features: B x C x h x w.
        weight: ... x K x C, one set of class weights or several.
        image, category: P int64, the pairs, sorted by image.
        most: see :func:`recam_core.method.single_label.most_pairs`, where it is known.
    """
    count, channels, height, width = features.shape
    sets = weight.reshape(-1, *weight.shape[-2:])
    most = most_pairs(image, count) if most is None else most
    if most == 0:
        return features.new_zeros((*weight.shape[:-2], 0, height, width))
    slot = slots(image, count)
    # The rows of each image's present classes, for every set of weights, meet its features in one batched product.
    rows = weight.new_zeros((count, most, len(sets), channels))
    rows = rows.index_put((image, slot), sets[:, category].transpose(0, 1))
    maps = torch.bmm(rows.flatten(1, 2), features.flatten(2)).relu()
    maps = maps.unflatten(1, (most, len(sets)))[image, slot].transpose(0, 1)
    return normalise(maps.reshape(*weight.shape[:-2], len(image), height, width))
