"""Class activation maps: equation 2."""

import torch
import torch.nn.functional as F
from torch import Tensor

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
