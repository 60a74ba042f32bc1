"""FC2 on the pooled features of all pairs, for any number of recipes at once: equation 5 with FC1 held fixed."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from recam_core.method.losses import pair_divisors
from recam_core.retrain.cosine_adam import CosineAdam
from recam_core.retrain.head_recipe import HeadRecipe

History = list[dict[str, float]]
#: Rows that a product of matrices takes at once.
_ROWS = 16


def train_fc2(
    pooled: tuple[Tensor, Tensor, Tensor],
    images: int,
    classes: int,
    recipes: Sequence[HeadRecipe],
    tick: Callable[[str], None],
) -> tuple[Tensor, list[History]]:
    """Train N FC2s, full batch, each by its recipe; all recipes have the same number of epochs.

    Lambda is left out of the training: it would scale the gradient, and Adam divides the scale out again. Only 0 is
    different, and then FC2 stays as it is.

    Args:
        pooled: P x C features, P classes, P images, see :func:`recam_core.retrain.pooled.pooled_pairs`; class K is the
            background, of which each image with a class then has one.
        images: how many images the pairs come from.
        classes: K.
        recipes: N.
        tick: called after each epoch with a note.

    Returns:
        N x K x C, or N x (K + 1) x C with the background row, and N histories.
    """
    rows, category, image = pooled
    share = _shares(category, image, images, classes, recipes)
    classes += bool(recipes[0].background)
    target = F.one_hot(category, classes).T.to(rows.dtype).contiguous()
    shared_target = target * share[:, None]
    shape = (len(recipes), classes)
    wanted = len(recipes) * classes
    # A full batch of a linear classifier has its gradient in closed form (belief - target, times the features;
    # method/gradients.py). Both products read the features as they lie, and have their rows rounded up: for a few
    # classes that takes half the time.
    padded = rows.new_zeros((wanted + -wanted % _ROWS, rows.shape[1]))
    pull = rows.new_zeros((len(padded), len(rows)))
    fc2 = padded[:wanted].unflatten(0, shape)
    softmax = torch.tensor([recipe.loss == "sce" for recipe in recipes], device=rows.device)
    # Binary cross-entropy is a mean over the classes. Lambda 0 trains nothing.
    scale = torch.where(softmax, 1.0, 1.0 / classes)
    scale *= torch.tensor([float(recipe.weight > 0) for recipe in recipes], device=rows.device)
    optimizer = CosineAdam([fc2], recipes)
    epochs, weight = recipes[0].epochs, share[:, None] * scale[:, None, None]
    only_softmax = bool(softmax.all())
    histories: list[History] = [[] for _ in recipes]
    for epoch in range(epochs):
        logits = (rows @ padded.T).T[:wanted].contiguous().unflatten(0, shape)
        log_belief = F.log_softmax(logits, dim=1)
        belief, losses = log_belief.exp(), -(shared_target * log_belief).sum(dim=(1, 2))
        if not only_softmax:
            belief, losses = _with_bce(logits, belief, losses, target, share, softmax)
        torch.mul(belief - target, weight, out=pull[:wanted].unflatten(0, shape))
        gradient = (pull @ rows)[:wanted]
        optimizer.step([gradient.unflatten(0, shape)], epoch / epochs)
        for history, recipe, loss in zip(histories, recipes, losses.tolist(), strict=True):
            history.append({"epoch": epoch + 1, "loss": recipe.weight * loss, recipe.loss: loss})
        tick(f"loss {losses[0]:.4f}")
    return fc2, histories


def _shares(category: Tensor, image: Tensor, images: int, classes: int, recipes: Sequence[HeadRecipe]) -> Tensor:
    """N x P (1 x P where all recipes agree): the weight of each pair in equation 5, beta times it for backgrounds."""
    theirs = category == classes
    pairs = 1.0 / pair_divisors(image[~theirs], images)
    betas = [recipe.background for recipe in recipes]
    if not theirs.any():
        return pairs[None]
    betas = betas[:1] if len(set(betas)) == 1 else betas
    share = pairs.new_empty((len(betas), len(image)))
    share[:, ~theirs] = pairs
    # Each image with a class has one background, so the mean over the images is all that is left of the divisor.
    share[:, theirs] = torch.tensor(betas, dtype=share.dtype, device=share.device)[:, None] / theirs.sum()
    return share


def _with_bce(
    logits: Tensor, belief: Tensor, losses: Tensor, target: Tensor, share: Tensor, softmax: Tensor
) -> tuple[Tensor, Tensor]:
    """Belief and loss where some recipes have binary cross-entropy on FC2, the paper's control."""
    alone = F.binary_cross_entropy_with_logits(logits, target.expand_as(logits), reduction="none").mean(dim=1)
    chosen = softmax[:, None, None]
    return torch.where(chosen, belief, logits.sigmoid()), torch.where(softmax, losses, (alone * share).sum(dim=1))
