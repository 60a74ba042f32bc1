"""The losses: equations 1, 5 and 6, and the softmax loss of SCE-CAM."""

from collections.abc import Sequence

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


class PairGradient:
    """Equation 5 of pooled features and any number of FC2s at once, and its gradient in closed form.

    A full batch of a linear classifier has its gradient as (belief - target) times the features (theory/losses.py),
    which takes a fraction of what backpropagation through :func:`sce_loss` takes.
    ``tests/test_background_row.py::test_the_closed_form_gradient_is_autograds`` and
    ``tests/test_retrain.py::test_fc2_is_what_autograd_and_adamw_make_of_equation_5`` hold the two equal.
    """

    def __init__(
        self,
        rows: Tensor,
        category: Tensor,
        share: Tensor,
        padded: Tensor,
        losses: Sequence[str],
        scale: Sequence[float],
        shape: tuple[int, int],
    ) -> None:
        """Prepare what no epoch changes.

        Args:
            rows: P x C features.
            category: P classes.
            share: P, or N x P: how much each pair counts.
            padded: the weights that are trained, with more rows than FC2 needs.
            losses: N keys of :data:`FC2_LOSSES`.
            scale: N, what each gradient is multiplied with; the losses are told without it.
            shape: N and the rows of an FC2.
        """
        self._rows, self._padded, self._shape, self._wanted = rows, padded, shape, shape[0] * shape[1]
        self._target = F.one_hot(category, shape[1]).T.to(rows.dtype).contiguous()
        self._share = share
        self._shared_target = self._target * (share if share.dim() == 1 else share[:, None])
        self._pull = rows.new_zeros((len(padded), len(rows)))
        self._softmax = torch.tensor([loss == "sce" for loss in losses], device=rows.device)
        self._only_softmax = bool(self._softmax.all())
        # Binary cross-entropy is a mean over the classes.
        factor = torch.where(self._softmax, 1.0, 1.0 / shape[1]) * torch.tensor(scale, device=rows.device)
        self._weight = (share if share.dim() == 1 else share[:, None]) * factor[:, None, None]

    def gradient(self) -> tuple[Tensor, Tensor]:
        """N x K x C, d loss / d FC2 at the weights as they are, and N losses."""
        logits = (self._rows @ self._padded.T).T[: self._wanted].contiguous().unflatten(0, self._shape)
        log_belief = F.log_softmax(logits, dim=1)
        belief, losses = log_belief.exp(), -(self._shared_target * log_belief).sum(dim=(1, 2))
        if not self._only_softmax:
            belief, losses = self._with_bce(logits, belief, losses)
        torch.mul(belief - self._target, self._weight, out=self._pull[: self._wanted].unflatten(0, self._shape))
        return (self._pull @ self._rows)[: self._wanted].unflatten(0, self._shape), losses

    def _with_bce(self, logits: Tensor, belief: Tensor, losses: Tensor) -> tuple[Tensor, Tensor]:
        """Belief and loss where some recipes have binary cross-entropy on FC2, the paper's control."""
        target = self._target.expand_as(logits)
        alone = F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(dim=1)
        chosen = self._softmax[:, None, None]
        return torch.where(chosen, belief, logits.sigmoid()), torch.where(
            self._softmax, losses, (alone * self._share).sum(dim=1)
        )
