"""The losses of one batch, put together from the equations."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from recam_core.method.background import background_masks, with_background
from recam_core.method.cam import cam
from recam_core.method.losses import FC2_LOSSES, bce_loss, multi_label_sce_loss
from recam_core.method.masks import MaskChoice, truth_shares
from recam_core.method.single_label import most_pairs, pooled_single_label, present_pairs


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


class BatchPairs(NamedTuple):
    """Which single-label features a batch has, counted out on the CPU: a GPU that is asked for a number stops.

    A named tuple of tensors, so that a loader pins it and sends it like the rest of a batch.

    Attributes:
        image, category: P int64, the pairs of an image and a present class, sorted by image.
        most: how many pairs the image with the most has.
        shown_image, shown_category: P' int64, what FC2 sees: the pairs, and with a background row those of the
            backgrounds (class K) among them, sorted by image.
        shown_most: how many of those the image with the most has.
        order: P' int64, see :func:`recam_core.method.background.with_background`; None without a background row.
        classes, backgrounds: which of P' are classes and which are backgrounds; None without a background row.
    """

    image: Tensor
    category: Tensor
    most: int
    shown_image: Tensor
    shown_category: Tensor
    shown_most: int
    order: Tensor | None = None
    classes: Tensor | None = None
    backgrounds: Tensor | None = None

    def to(self, device: torch.device | str) -> "BatchPairs":
        """The same on a device; the CPU does not wait for the copy."""
        tensors = {name: one for name, one in self._asdict().items() if torch.is_tensor(one)}
        sent: dict[str, Any] = {name: one.to(device, non_blocking=True) for name, one in tensors.items()}
        return self._replace(**sent)


def batch_pairs(labels: Tensor, with_row: bool) -> BatchPairs:
    """The pairs of a batch.

    Args:
        labels: B x K, multi-hot, on the CPU.
        with_row: whether FC2 has a background row.
    """
    image, category = present_pairs(labels)
    most = most_pairs(image, len(labels))
    if not with_row:
        return BatchPairs(image, category, most, image, category, most)
    order, shown = with_background(image, len(labels))
    every = torch.cat([category, category.new_full((len(labels),), labels.shape[1])])[order]
    classes, backgrounds = (
        torch.nonzero(found).flatten() for found in (every < labels.shape[1], every == labels.shape[1])
    )
    return BatchPairs(image, category, most, shown, every, most + 1 if most else 0, order, classes, backgrounds)


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
    pairs: BatchPairs | None = None,
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
        pairs: of the labels, on the device of the features; counted out here, which makes a GPU wait, unless given.

    Returns:
        z' P x K (or K + 1), the class of each pair (P int64; K is the background), its image (P int64, sorted).
    """
    with_row = background_power is not None
    pairs = pairs or batch_pairs(labels.cpu(), with_row).to(features.device)
    image, category = pairs.image, pairs.category
    if mask.needs_truth and truth is not None:
        truth = truth_shares(truth, image, category, (features.shape[-2], features.shape[-1]))
    # The CAMs of all K classes cost one small product; those of the absent classes are dropped at once.
    cams = cam(features, fc1)[image, category] if len(image) else features.new_zeros((0, *features.shape[-2:]))
    masks = mask(cams, truth)
    if background_power is not None:
        of_background = background_masks(cams, image, len(labels), background_power, pairs.most)
        masks = torch.cat([masks, of_background])[pairs.order]
    pooled = pooled_single_label(features, masks, pairs.shown_image, pairs.shown_most)
    return pooled @ fc2.T, pairs.shown_category, pairs.shown_image


def fc2_loss_of(
    name: str,
    logits: Tensor,
    category: Tensor,
    image: Tensor,
    images: int,
    classes: int,
    background: float,
    pairs: BatchPairs | None = None,
) -> Tensor:
    """L_sce of equation 5 (or the control by binary cross-entropy), and beta times that of the backgrounds.

    Args:
        name: a key of :data:`recam_core.method.losses.FC2_LOSSES`.
        logits, category, image, images: as :func:`single_label_logits` gives them.
        classes: K.
        background: beta; 0 is equation 5 as it stands.
        pairs: where they are counted out already; a GPU waits for it otherwise.
    """
    loss = FC2_LOSSES[name]
    if background == 0:
        return loss(logits, category, image, images)
    if pairs is not None:
        ours, theirs = pairs.classes, pairs.backgrounds
    else:
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
    lam: float,
    truth: Tensor | None = None,
    fc2_loss: str = "sce",
    background: float = 0.0,
    background_power: float = 1.0,
    pairs: BatchPairs | None = None,
) -> BatchLoss:
    """L_recam = L_bce + lambda * L_sce: equation 6.

    The gradient reaches FC1 and the features through L_bce, through the masks and through the masked features.

    Args:
        features, labels, fc1, fc2, mask, truth: see :func:`single_label_logits`.
        logits: B x K, z = FC1(GAP(f(x))).
        lam: lambda.
        fc2_loss: ``sce``, or ``bce`` for the paper's control, which puts binary cross-entropy in L_sce's place.
        background, background_power: beta and G of the background row (:mod:`recam_core.method.background`), which
            ``fc2`` then has; 0 is the paper's FC2.
        pairs: see :func:`single_label_logits`.

    Returns:
        The loss with its parts: ``bce`` of FC1 and ``sce`` (or ``fc2_bce``) of FC2.
    """
    bce = bce_loss(logits, labels)
    power = background_power if background > 0 else None
    pairs = pairs or batch_pairs(labels.cpu(), background > 0).to(features.device)
    single, category, image = single_label_logits(features, labels, fc1, fc2, mask, truth, power, pairs)
    second = fc2_loss_of(fc2_loss, single, category, image, len(labels), len(fc1), background, pairs)
    parts = {"bce": bce, "sce" if fc2_loss == "sce" else "fc2_bce": second}
    return BatchLoss(bce + lam * second, parts, (single, category, image))
