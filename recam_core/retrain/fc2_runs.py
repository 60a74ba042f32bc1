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
    pairs = _Pairs(rows, category, share, padded, recipes, shape)
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


class _Pairs:
    """Pooled features of pairs with their labels, and the gradient of their loss in closed form.

    A full batch of a linear classifier has its gradient as (belief - target) times the features (theory/losses.py).
    """

    def __init__(
        self,
        rows: Tensor,
        category: Tensor,
        share: Tensor,
        padded: Tensor,
        recipes: Sequence[HeadRecipe],
        shape: tuple[int, int],
    ) -> None:
        """Prepare what no epoch changes.

        Args:
            rows: P x C features.
            category: P classes.
            share: P, or N x P: how much each pair counts.
            padded: the weights that are trained, with more rows than FC2 needs.
            recipes: N.
            shape: N and the rows of an FC2.
        """
        self._rows, self._padded, self._shape, self._wanted = rows, padded, shape, shape[0] * shape[1]
        self._target = F.one_hot(category, shape[1]).T.to(rows.dtype).contiguous()
        self._share = share
        self._shared_target = self._target * (share if share.dim() == 1 else share[:, None])
        self._pull = rows.new_zeros((len(padded), len(rows)))
        self._softmax = torch.tensor([recipe.loss == "sce" for recipe in recipes], device=rows.device)
        self._only_softmax = bool(self._softmax.all())
        # Binary cross-entropy is a mean over the classes. Lambda 0 trains nothing.
        scale = torch.where(self._softmax, 1.0, 1.0 / shape[1])
        scale *= torch.tensor([float(recipe.weight > 0) for recipe in recipes], device=rows.device)
        self._weight = (share if share.dim() == 1 else share[:, None]) * scale[:, None, None]

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
