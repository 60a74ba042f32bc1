"""The optimiser of head runs: AdamW with a half cosine, for any number of runs that are trained side by side."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from recam_core.retrain.head_recipe import HeadRecipe


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
