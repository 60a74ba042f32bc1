"""Single-label features out of a multi-label image: equation 3 and the pooling of equation 4.

Only the pairs (image, present class) matter, so only they are computed: P pairs instead of B x K, and one matrix
product a image instead of an outer product B x K x C x h x w.
"""

import torch
from torch import Tensor


def present_pairs(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Image index and class index of each present class.

    Args:
        labels: B x K, multi-hot.

    Returns:
        Two int64 tensors of P entries, sorted by image.
    """
    image, category = torch.nonzero(labels > 0, as_tuple=True)
    return image, category


def pooled_single_label(features: Tensor, masks: Tensor, image: Tensor) -> Tensor:
    """GAP(M_k * f(x)) for each pair of an image and a present class; equations 3 and 4.

    Args:
        features: B x C x h x w, f(x).
        masks: P x h x w, M_k of each pair.
        image: P int64, sorted; the image of each pair.

    Returns:
        P x C; row p is mean over the pixels of masks[p] * features[image[p]].
    """
    count, channels, height, width = features.shape
    pixels = height * width
    most = int(torch.bincount(image, minlength=count).max()) if len(image) else 0
    if most == 0:
        return features.new_zeros((0, channels))
    # Pad the pairs of each image to the same number of rows: one batched product [most, hw] x [hw, C] serves all.
    first = torch.searchsorted(image, torch.arange(count, device=image.device))
    slot = torch.arange(len(image), device=image.device) - first[image]
    rows = features.new_zeros((count, most, pixels)).index_put((image, slot), masks.reshape(len(image), pixels))
    pooled = torch.bmm(rows, features.reshape(count, channels, pixels).transpose(1, 2)) / pixels
    return pooled[image, slot]
