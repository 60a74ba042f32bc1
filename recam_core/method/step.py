"""The losses of one batch, put together from the equations."""

from dataclasses import dataclass

import torch
from torch import Tensor

from recam_core.method.background import background_masks, with_background
from recam_core.method.cam import cam
from recam_core.method.losses import FC2_LOSSES, bce_loss, multi_label_sce_loss
from recam_core.method.masks import MaskChoice
from recam_core.method.single_label import pooled_single_label, present_pairs
from recam_core.method.truth_grid import truth_shares


@dataclass(frozen=True)
class BatchLoss:
    """The loss to minimise and the parts that it is made of, each averaged over the batch.

    Attributes:
        total, parts: as said.
        single: of ReCAM, what :func:`single_label_logits` gave on the way; None without FC2.
    """

    total: Tensor
    parts: dict[str, Tensor]
    single: tuple[Tensor, Tensor, Tensor] | None = None


def bce_batch(logits: Tensor, labels: Tensor) -> BatchLoss:
    """L_bce (equation 1) of logits and labels, both B x K."""
    loss = bce_loss(logits, labels)
    return BatchLoss(loss, {"bce": loss})


def sce_batch(logits: Tensor, labels: Tensor) -> BatchLoss:
    """The softmax loss of SCE-CAM of logits and labels, both B x K."""
    loss = multi_label_sce_loss(logits, labels)
    return BatchLoss(loss, {"sce": loss})


def single_label_logits(
    features: Tensor,
    labels: Tensor,
    fc1: Tensor,
    fc2: Tensor,
    mask: MaskChoice,
    truth: Tensor | None = None,
    background_power: float | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """z' of each pair of an image and a present class: equations 2 to 4.

    Args:
        features: B x C x h x w.
        labels: B x K, multi-hot.
        fc1: K x C.
        fc2: K x C, or (K + 1) x C with the background row.
        mask: the masking choice.
        truth: B x H x W uint8 ground-truth masks, for the choice ``oracle``.
        background_power: G of the background's mask (:mod:`recam_core.method.background`); None leaves it out.

    Returns:
        z' P x K (or K + 1), the class of each pair (P int64; K is the background), its image (P int64, sorted).
    """
    image, category = present_pairs(labels)
    if mask.needs_truth and truth is not None:
        truth = truth_shares(truth, image, category, features.shape[-2:])
    # The CAMs of all K classes cost one small product; those of the absent classes are dropped at once.
    cams = cam(features, fc1)[image, category] if len(image) else features.new_zeros((0, *features.shape[-2:]))
    masks = mask(cams, truth)
    if background_power is not None:
        of_background = background_masks(cams, image, len(labels), background_power)
        order, image = with_background(image, len(labels))
        masks = torch.cat([masks, of_background])[order]
        category = torch.cat([category, category.new_full((len(labels),), len(fc1))])[order]
    pooled = pooled_single_label(features, masks, image)
    return pooled @ fc2.T, category, image


def fc2_loss_of(
    name: str, logits: Tensor, category: Tensor, image: Tensor, images: int, classes: int, background: float
) -> Tensor:
    """L_sce of equation 5 (or the control by binary cross-entropy), and beta times that of the backgrounds.

    Args:
        name: a key of :data:`recam_core.method.losses.FC2_LOSSES`.
        logits, category, image, images: as :func:`single_label_logits` gives them.
        classes: K.
        background: beta; 0 is equation 5 as it stands.
    """
    loss = FC2_LOSSES[name]
    if background == 0:
        return loss(logits, category, image, images)
    ours, theirs = torch.nonzero(category < classes).flatten(), torch.nonzero(category == classes).flatten()
    return loss(logits[ours], category[ours], image[ours], images) + background * loss(
        logits[theirs], category[theirs], image[theirs], images
    )


def recam_batch(
    features: Tensor,
    logits: Tensor,
    labels: Tensor,
    fc1: Tensor,
    fc2: Tensor,
    mask: MaskChoice,
    weight: float,
    truth: Tensor | None = None,
    fc2_loss: str = "sce",
    background: float = 0.0,
    background_power: float = 1.0,
) -> BatchLoss:
    """L_recam = L_bce + lambda * L_sce: equation 6.

    The gradient reaches FC1 and the features through L_bce, through the masks and through the masked features.

    Args:
        features, labels, fc1, fc2, mask, truth: see :func:`single_label_logits`.
        logits: B x K, z = FC1(GAP(f(x))).
        weight: lambda.
        fc2_loss: ``sce``, or ``bce`` for the paper's control, which puts binary cross-entropy in L_sce's place.
        background, background_power: beta and G of the background row (:mod:`recam_core.method.background`), which
            ``fc2`` then has; 0 is the paper's FC2.

    Returns:
        The loss with its parts: ``bce`` of FC1 and ``sce`` (or ``fc2_bce``) of FC2.
    """
    bce = bce_loss(logits, labels)
    power = background_power if background > 0 else None
    single, category, image = single_label_logits(features, labels, fc1, fc2, mask, truth, power)
    second = fc2_loss_of(fc2_loss, single, category, image, len(labels), len(fc1), background)
    parts = {"bce": bce, "sce" if fc2_loss == "sce" else "fc2_bce": second}
    return BatchLoss(bce + weight * second, parts, (single, category, image))
