"""The losses: equations 1, 5 and 6, and the softmax loss of SCE-CAM."""

import torch
import torch.nn.functional as F
from torch import Tensor


def bce_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """L_bce, equation 1: the mean over the classes of the sigmoid cross-entropy, averaged over the images.

    Args:
        logits: B x K, z = FC1(GAP(f(x))).
        labels: B x K, multi-hot.
    """
    return F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))


def multi_label_sce_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Softmax cross-entropy on multi-label images: the target mass is spread evenly over the present classes.

    Args:
        logits: B x K.
        labels: B x K, multi-hot; an image without any class contributes nothing.
    """
    labels = labels.to(logits.dtype)
    present = labels.sum(dim=1)
    target = labels / present.clamp_min(1).unsqueeze(1)
    per_image = -(target * F.log_softmax(logits, dim=1)).sum(dim=1)
    return per_image.sum() / (present > 0).sum().clamp_min(1)


def sce_loss(logits: Tensor, category: Tensor, image: Tensor, images: int) -> Tensor:
    """L_sce, equation 5: the softmax cross-entropy of the single-label features.

    It is averaged over the present classes of each image first, then over the images that have any.

    Args:
        logits: P x K, z'_k = FC2(GAP(f_k(x))), one row a pair of an image and a present class.
        category: P int64, the class k of each pair.
        image: P int64, the image of each pair.
        images: B, how many images the batch has.
    """
    if len(category) == 0:
        return logits.sum() * 0.0
    return (F.cross_entropy(logits, category, reduction="none") / pair_divisors(image, images)).sum()


def single_label_bce_loss(logits: Tensor, category: Tensor, image: Tensor, images: int) -> Tensor:
    """The paper's control for equation 5: binary instead of softmax cross-entropy on the single-label features.

    Per pair the mean over the classes, as in equation 1; pairs are averaged as in equation 5.

    Args:
        logits, category, image, images: see :func:`sce_loss`.
    """
    if len(category) == 0:
        return logits.sum() * 0.0
    target = F.one_hot(category, logits.shape[1]).to(logits.dtype)
    each = F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(dim=1)
    return (each / pair_divisors(image, images)).sum()


#: The losses that FC2 can be trained with, by name.
FC2_LOSSES = {"sce": sce_loss, "bce": single_label_bce_loss}


def pair_divisors(image: Tensor, images: int) -> Tensor:
    """By how much each pair is divided in equation 5's mean, over an image's present classes and then over the images.

    Args:
        image: P int64, the image of each pair.
        images: B, how many images the batch has; those without any pair do not count.

    Returns:
        P int64, whose reciprocals sum to 1.
    """
    # Not by bincount, which asks a GPU for the greatest entry first and waits for it.
    pairs = image.new_zeros(images).scatter_add_(0, image, torch.ones_like(image))
    return pairs[image] * (pairs > 0).sum()
