"""Head runs that are trained side by side, any number at once: FC2 on pooled features, or FC1 and FC2 on features.

FC2 alone is equation 5 with FC1 held fixed, whose gradient is had in closed form
(:class:`recam_core.method.losses.PairGradient`); both are equation 6 with a fixed backbone.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from recam_core.method.background import background_masks, join_background
from recam_core.method.cam import pair_cams
from recam_core.method.losses import PairGradient, bce_loss, pair_divisors
from recam_core.method.masks import parse_mask
from recam_core.method.single_label import pooled_under
from recam_core.method.step import BatchPairs, fc2_loss_of
from recam_core.retrain.features import FeatureCache
from recam_core.retrain.head_recipe import HeadRecipe
from recam_core.retrain.pooled import chunks


class CosineAdam:
    """AdamW over slices of one tensor, each with the rate and weight decay of its own recipe.

    Args:
        weights: N x ..., or several such tensors; slice n belongs to recipe n.
        recipes: N.
    """

    def __init__(self, weights: Sequence[Tensor], recipes: Sequence[HeadRecipe]):
        self._weights, self._rates = weights, [recipe.lr for recipe in recipes]
        # Views share their memory with the tensor, so a step on them is a step on it.
        self._slices = [[weight.detach()[n].requires_grad_() for weight in weights] for n in range(len(recipes))]
        self._adam = torch.optim.AdamW(
            [
                {"params": slices, "lr": recipe.lr, "weight_decay": recipe.weight_decay}
                for slices, recipe in zip(self._slices, recipes, strict=True)
            ]
        )

    def step(self, gradients: Sequence[Tensor], share: float) -> None:
        """One step.

        Args:
            gradients: one a tensor, of its shape.
            share: how much of the training is done, 0..1; the rate falls from the recipe's to 0 along a half cosine.
        """
        factor = 0.5 * (1 + math.cos(math.pi * share))
        for group, rate in zip(self._adam.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor
        for n, slices in enumerate(self._slices):
            for one, gradient in zip(slices, gradients, strict=True):
                one.grad = gradient[n]
        self._adam.step()


History = list[dict[str, float]]
#: Rows that a product of matrices takes at once.
_ROWS = 16
#: In how many epochs all backgrounds have had their turn.
_TURNS = 8


def train_fc2(
    pooled: tuple[Tensor, Tensor, Tensor],
    images: int,
    classes: int,
    recipes: Sequence[HeadRecipe],
    tick: Callable[[str], None],
) -> tuple[Tensor, list[History]]:
    """Train N FC2s, full batch, each by its recipe; all recipes have the same number of epochs.

    Lambda is left out of the training: it would scale the gradient, and Adam divides the scale out again. Only 0 is
    different, and then FC2 stays as it is. Of the backgrounds, which are as many as the images and much alike, each
    epoch takes an eighth, in turn: the gradient is the same in the mean, and most of their time is saved.

    Args:
        pooled: P x C features, P classes, P images, see :func:`recam_core.retrain.pooled.pooled_pairs`; class K is the
            background, of which each image with a class then has one.
        images: how many images the pairs come from.
        classes: K.
        recipes: N; all have the background row, or none.
        tick: called after each epoch with a note.

    Returns:
        N x K x C, or N x (K + 1) x C with the background row, and N histories.
    """
    rows, category, image = pooled
    with_row = recipes[0].background > 0
    turns: list[Tensor] = []
    if with_row:
        ours, theirs = (torch.nonzero(which).flatten() for which in (category < classes, category == classes))
        turns = _turns(rows[theirs])
        rows, category, image = rows[ours], category[ours], image[ours]
        classes += 1
    shape, wanted = (len(recipes), classes), len(recipes) * classes
    # The products read the features as they lie, and have their rows rounded up: for a few classes that takes half the
    # time.
    padded = rows.new_zeros((wanted + -wanted % _ROWS, rows.shape[1]))
    fc2 = padded[:wanted].unflatten(0, shape)
    share = 1.0 / pair_divisors(image, images)
    own, size = len(rows), len(turns[0]) if turns else 0
    if turns:
        # The backgrounds of a turn stand behind the pairs, where those of the next turn take their place.
        rows = torch.cat([rows, turns[0]])
        category = torch.cat([category, category.new_full((size,), classes - 1)])
        betas = torch.tensor([recipe.background for recipe in recipes], device=rows.device)[:, None]
        # Each image with a class has one background, so their mean is all that is left of equation 5's divisor.
        share = torch.cat([share.expand(len(recipes), -1), betas.expand(-1, size) / size], dim=1)
    # Lambda 0 trains nothing.
    scale = [float(recipe.weight > 0) for recipe in recipes]
    pairs = PairGradient(rows, category, share, padded, [recipe.loss for recipe in recipes], scale, shape)
    optimizer = CosineAdam([fc2], recipes)
    histories: list[History] = [[] for _ in recipes]
    for epoch in range(recipes[0].epochs):
        if turns:
            rows[own:] = turns[epoch % len(turns)]
        gradient, losses = pairs.gradient()
        optimizer.step([gradient], epoch / recipes[0].epochs)
        for history, recipe, loss in zip(histories, recipes, losses.tolist(), strict=True):
            history.append({"epoch": epoch + 1, "loss": recipe.weight * loss, recipe.loss: loss})
        tick(f"loss {losses[0]:.4f}")
    return fc2, histories


def _turns(backgrounds: Tensor) -> list[Tensor]:
    """B x C features of backgrounds in as many parts of one size as there are turns; a short one repeats its own."""
    parts = [backgrounds[number::_TURNS] for number in range(min(_TURNS, len(backgrounds)))]
    size = len(parts[0])
    return [torch.cat([part, part[: size - len(part)]]) for part in parts]


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
    lam = torch.tensor([recipe.weight for recipe in recipes], device=start.device)
    generator = torch.Generator().manual_seed(recipes[0].seed)
    epochs = recipes[0].epochs
    histories: list[History] = [[] for _ in recipes]
    for epoch in range(epochs):
        sums, seen = start.new_zeros((2, count)), 0
        for features, labels, truth, pairs in chunks(
            cache, start.device, recipes[0].batch_size, generator, recipes[0].background > 0
        ):
            means = features.mean(dim=(2, 3))
            bce = torch.stack([bce_loss(means @ one.T, labels) for one in fc1])
            shown = _masks(features, fc1, masks, recipes, pairs, truth)
            sce = _sce(features, shown, fc2, recipes, pairs)
            gradients = torch.autograd.grad((bce + lam * sce).sum(), [fc1, fc2], allow_unused=True)
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
