"""FC1 and FC2 together on cached features, for any number of recipes at once: equation 6 with a fixed backbone."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from recam_core.method.background import background_masks
from recam_core.method.losses import bce_loss
from recam_core.method.masks import parse_mask
from recam_core.method.step import BatchPairs, fc2_loss_of
from recam_core.retrain.cosine_adam import CosineAdam
from recam_core.retrain.fc2_runs import History
from recam_core.retrain.features import FeatureCache
from recam_core.retrain.head_recipe import HeadRecipe
from recam_core.retrain.pooled import chunks, join_background, pair_cams, pooled_under


def train_both(
    cache: FeatureCache, start: Tensor, recipes: Sequence[HeadRecipe], tick: Callable[[str], None]
) -> tuple[Tensor, Tensor, list[History]]:
    """Train N pairs of FC1 and FC2 on the same batches; the recipes share epochs, batch size and seed.

    FC1 changes the masks, so the features are needed in each step; they are read once for all recipes.

    Args:
        cache: the features.
        start: K x C, FC1 to begin with. FC2 begins at zero.
        recipes: N; all have the background row, or none.
        tick: called after each epoch with a note.

    Returns:
        N x K x C of FC1, the same of FC2 (K + 1 rows with the background row), and N histories.
    """
    masks = [parse_mask(recipe.mask) for recipe in recipes]
    count = len(recipes)
    fc1 = start.detach().expand(count, -1, -1).clone().requires_grad_()
    rows = len(start) + bool(recipes[0].background)
    fc2 = start.new_zeros((count, rows, start.shape[1])).requires_grad_()
    optimizer = CosineAdam([fc1, fc2], recipes)
    weight = torch.tensor([recipe.weight for recipe in recipes], device=start.device)
    generator = torch.Generator().manual_seed(recipes[0].seed)
    epochs, histories = recipes[0].epochs, [[] for _ in recipes]
    for epoch in range(epochs):
        sums, seen = start.new_zeros((2, count)), 0
        for features, labels, truth, pairs in chunks(
            cache, start.device, recipes[0].batch_size, generator, recipes[0].background > 0
        ):
            means = features.mean(dim=(2, 3))
            bce = torch.stack([bce_loss(means @ one.T, labels) for one in fc1])
            shown = _masks(features, fc1, masks, recipes, pairs, truth)
            sce = _sce(features, shown, fc2, recipes, pairs)
            gradients = torch.autograd.grad((bce + weight * sce).sum(), [fc1, fc2], allow_unused=True)
            optimizer.step(
                [
                    torch.zeros_like(one) if gradient is None else gradient
                    for one, gradient in zip((fc1, fc2), gradients, strict=True)
                ],
                (epoch + seen / len(cache)) / epochs,
            )
            sums += torch.stack([bce, sce]).detach() * len(labels)
            seen += len(labels)
        for history, recipe, (one, other) in zip(histories, recipes, (sums / seen).T.tolist(), strict=True):
            history.append({"epoch": epoch + 1, "loss": one + recipe.weight * other, "bce": one, "sce": other})
        tick(f"L_bce {histories[0][-1]['bce']:.4f}, L_sce {histories[0][-1]['sce']:.4f}")
    return fc1.detach(), fc2.detach(), histories


def _masks(
    features: Tensor,
    fc1: Tensor,
    masks: Sequence,
    recipes: Sequence[HeadRecipe],
    pairs: BatchPairs,
    truth: Tensor | None,
) -> Tensor:
    """N x P' x h x w, M_k of each pair under each recipe; those of the backgrounds, if any, stand among them."""
    image, category, most = pairs[:3]
    shape = (len(image), *features.shape[-2:])
    with_row = recipes[0].background > 0
    following = [n for n, mask in enumerate(masks) if mask.follows_cam or with_row]
    found: dict[int, Tensor] = {}
    if following:
        found = dict(zip(following, pair_cams(features, fc1[following], image, category, most), strict=True))
    ones = features.new_ones(shape)
    shown = torch.stack([mask(found.get(n, ones), truth) for n, mask in enumerate(masks)])
    if not with_row:
        return shown
    of_background = torch.stack(
        [
            background_masks(found[n], image, len(features), recipe.background_power, most)
            for n, recipe in enumerate(recipes)
        ]
    )
    return join_background(shown, of_background, pairs.order)


def _sce(
    features: Tensor,
    masks: Tensor,
    fc2: Tensor,
    recipes: Sequence[HeadRecipe],
    pairs: BatchPairs,
) -> Tensor:
    """N: the loss of FC2 of each recipe, equation 5 (or binary cross-entropy, the paper's control)."""
    image, category = pairs.shown_image, pairs.shown_category
    if len(image) == 0:
        return fc2.sum(dim=(1, 2)) * 0.0
    logits = torch.bmm(pooled_under(features, masks, image, pairs.shown_most), fc2.transpose(1, 2))
    classes = fc2.shape[1] - bool(recipes[0].background)
    losses = [
        fc2_loss_of(recipe.loss, one, category, image, len(features), classes, recipe.background, pairs)
        for one, recipe in zip(logits, recipes, strict=True)
    ]
    return torch.stack(losses)
