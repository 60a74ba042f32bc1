"""The losses of one batch, put together from the equations."""

from dataclasses import dataclass

from torch import Tensor

from recam_core.method.cam import cam
from recam_core.method.losses import FC2_LOSSES, bce_loss, multi_label_sce_loss
from recam_core.method.masks import MaskChoice
from recam_core.method.single_label import pooled_single_label, present_pairs
from recam_core.method.truth_grid import truth_shares


@dataclass(frozen=True)
class BatchLoss:
    """The loss to minimise and the parts that it is made of, each averaged over the batch."""

    total: Tensor
    parts: dict[str, Tensor]


def bce_batch(logits: Tensor, labels: Tensor) -> BatchLoss:
    """L_bce (equation 1) of logits and labels, both B x K."""
    loss = bce_loss(logits, labels)
    return BatchLoss(loss, {"bce": loss})


def sce_batch(logits: Tensor, labels: Tensor) -> BatchLoss:
    """The softmax loss of SCE-CAM of logits and labels, both B x K."""
    loss = multi_label_sce_loss(logits, labels)
    return BatchLoss(loss, {"sce": loss})


def single_label_logits(
    features: Tensor, labels: Tensor, fc1: Tensor, fc2: Tensor, mask: MaskChoice, truth: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """z' of each pair of an image and a present class: equations 2 to 4.

    Args:
        features: B x C x h x w.
        labels: B x K, multi-hot.
        fc1, fc2: K x C.
        mask: the masking choice.
        truth: B x H x W uint8 ground-truth masks, for the choice ``oracle``.

    Returns:
        z' P x K, the class of each pair (P int64), the image of each pair (P int64).
    """
    image, category = present_pairs(labels)
    if mask.needs_truth and truth is not None:
        truth = truth_shares(truth, image, category, features.shape[-2:])
    # The CAMs of all K classes cost one small product; those of the absent classes are dropped at once.
    cams = cam(features, fc1)[image, category] if len(image) else features.new_zeros((0, *features.shape[-2:]))
    pooled = pooled_single_label(features, mask(cams, truth), image)
    return pooled @ fc2.T, category, image


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
) -> BatchLoss:
    """L_recam = L_bce + lambda * L_sce: equation 6.

    The gradient reaches FC1 and the features through L_bce, through the masks and through the masked features.

    Args:
        features, labels, fc1, fc2, mask, truth: see :func:`single_label_logits`.
        logits: B x K, z = FC1(GAP(f(x))).
        weight: lambda.
        fc2_loss: ``sce``, or ``bce`` for the paper's control, which puts binary cross-entropy in L_sce's place.

    Returns:
        The loss with its parts: ``bce`` of FC1 and ``sce`` (or ``fc2_bce``) of FC2.
    """
    bce = bce_loss(logits, labels)
    single, category, image = single_label_logits(features, labels, fc1, fc2, mask, truth)
    second = FC2_LOSSES[fc2_loss](single, category, image, len(labels))
    return BatchLoss(bce + weight * second, {"bce": bce, "sce" if fc2_loss == "sce" else "fc2_bce": second})
