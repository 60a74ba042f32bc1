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


def most_pairs(image: Tensor, images: int) -> int:
    """How many pairs the image with the most has; counted on a GPU, it makes everything wait for the answer.

    Args:
        image: P int64, the image of each pair.
        images: B.
    """
    return int(torch.bincount(image, minlength=images).max()) if len(image) else 0


def slots(image: Tensor, images: int) -> Tensor:
    """P int64: the place of each pair among those of its image.

    Args:
        image: P int64, sorted; the image of each pair.
        images: B.
    """
    first = torch.searchsorted(image, torch.arange(images, device=image.device))
    return torch.arange(len(image), device=image.device) - first[image]


def pooled_single_label(features: Tensor, masks: Tensor, image: Tensor, most: int | None = None) -> Tensor:
    """GAP(M_k * f(x)) for each pair of an image and a present class; equations 3 and 4.

    Args:
        features: B x C x h x w, f(x).
        masks: P x h x w, M_k of each pair.
        image: P int64, sorted; the image of each pair.
        most: see :func:`most_pairs`, where it is known.

    Returns:
        P x C; row p is mean over the pixels of masks[p] * features[image[p]].
    """
    count, channels, height, width = features.shape
    pixels = height * width
    most = most_pairs(image, count) if most is None else most
    if most == 0:
        return features.new_zeros((0, channels))
    # Pad the pairs of each image to the same number of rows: one batched product [most, hw] x [hw, C] serves all.
    slot = slots(image, count)
    rows = features.new_zeros((count, most, pixels)).index_put((image, slot), masks.reshape(len(image), pixels))
    return (torch.bmm(rows, _by_pixel(features)) / pixels)[image, slot]


def pooled_under(features: Tensor, masks: Tensor, image: Tensor, most: int | None = None) -> Tensor:
    """Equations 3 and 4 under N masks at once: N x P x C of features B x C x h x w and masks N x P x h x w.

    Every mask's pairs stand beside those of the others under their image, so that one product pools them all.
    """
    count, pairs = masks.shape[:2]
    most = None if most is None else most * count
    together = pooled_single_label(features, masks.transpose(0, 1).flatten(0, 1), image.repeat_interleave(count), most)
    return together.unflatten(0, (pairs, count)).transpose(0, 1)


def _by_pixel(features: Tensor) -> Tensor:
    """B x hw x C of features B x C x h x w: a view in either layout, as height and width lie together in both."""
    return features.flatten(2).transpose(1, 2)
