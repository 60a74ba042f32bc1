"""The background row: one more row of FC2, which learns what the background looks like. It is not in the paper.

Equation 5 tells the present classes of a picture apart, and nothing ever tells them from the background, so FC2's rows
say nothing there. With the row, each picture gives one more single-label feature: its pixels weighted by

    M_background = (1 - max over the present k of CAM_k)^G,

with the label K + 1, in the same softmax. L_sce (equation 5) then becomes, per picture,

    (1 / present classes) * sum over present k of -log softmax(z'_k)[k] + beta * -log softmax(z'_background)[K + 1].
"""

from typing import Protocol

import torch
from torch import Tensor

from recam_core.errors import UserError
from recam_core.method.extraction import RULES
from recam_core.method.single_label import most_pairs, slots

#: Beta and the extraction rule that suit data with a background class (chosen on train, see docs/results.md).
USUAL_BACKGROUND, USUAL_BACKGROUND_RULE = 0.2, "sum"
#: Ranges of beta and of G.
BETAS, POWERS = (0.0, 100.0), (0.1, 8.0)


class BackgroundSettings(Protocol):
    """What recipes of full trainings and of heads say of the background row: beta, and the rule of the maps."""

    @property
    def background(self) -> float:
        """Beta."""

    @property
    def rule(self) -> str:
        """A key of :data:`~recam_core.method.extraction.RULES`."""


def rule_has_its_row(recipe: BackgroundSettings) -> tuple[bool, str]:
    """Whether the rule finds the row that it needs, with a sentence for where it does not."""
    needs = recipe.rule in RULES and RULES[recipe.rule].needs_background
    return (
        recipe.background > 0 or not needs,
        f"the rule '{recipe.rule}' needs the background row: give it a weight above 0 (--background 0.2)",
    )


def check_background(recipe: BackgroundSettings, has_background: bool, data: str) -> None:
    """Refuse a background row for data without a background class, where its mask would cover classes.

    Raises:
        UserError: the recipe wants the row, and the data has no background.
    """
    if recipe.background > 0 and not has_background:
        raise UserError(
            f"{data} has no background class: every pixel belongs to a class or is void, so there is nothing that a "
            "background row could learn. Set its weight to 0."
        )


def background_masks(cams: Tensor, image: Tensor, images: int, power: float, most: int | None = None) -> Tensor:
    """M_background of each picture.

    Args:
        cams: ... x P x h x w in 0..1, CAM_k of each pair of an image and a present class (equation 2).
        image: P int64, sorted; the image of each pair.
        images: B, how many images there are.
        power: G; above 1 only what no class responds to is left.
        most: see :func:`recam_core.method.single_label.most_pairs`, where it is known.

    Returns:
        ... x B x h x w in 0..1; 1 everywhere for an image without a present class.
    """
    lead, size = cams.shape[:-3], cams.shape[-2:]
    most = most_pairs(image, images) if most is None else most
    if most == 0:
        return cams.new_ones((*lead, images, *size))
    # CAMs are not negative, so the zeros that pad an image's classes to the same number never are the greatest.
    slot = slots(image, images)
    sets = cams.reshape(-1, len(image), *size)
    padded = cams.new_zeros((images, most, len(sets), *size))
    padded = padded.index_put((image, slot), sets.transpose(0, 1))
    left = (1 - padded.amax(dim=1)).clamp_min(0).transpose(0, 1).reshape(*lead, images, *size)
    # The floor keeps the gradient of x^G finite at 0 for G < 1.
    return left if power == 1 else left.clamp_min(1e-6) ** power


def with_background(image: Tensor, images: int) -> tuple[Tensor, Tensor]:
    """The pairs of a batch with one more for each image, that of its background.

    Args:
        image: P int64, sorted; the image of each pair of an image and a present class.
        images: B.

    Returns:
        order: P + B' int64, where the rows of [pairs, backgrounds of the B images] go so that they are sorted by
            image again, an image's background behind its classes. Only the B' images with a present class have one,
            as only they count in equation 5.
        image: P + B' int64 after that.
    """
    owners = torch.unique_consecutive(image)
    every = torch.cat([image, owners])
    rows = torch.cat([torch.arange(len(image), device=image.device), len(image) + owners])
    order = torch.argsort(every, stable=True)
    return rows[order], every[order]


def join_background(masks: Tensor, of_background: Tensor, order: Tensor | None) -> Tensor:
    """The masks of all pairs with those of the backgrounds among them, sorted by image: N x P' x h x w.

    Args:
        masks: N x P x h x w.
        of_background: B x h x w, or N x B x h x w, see :func:`recam_core.method.background.background_masks`.
        order: P' int64, see :func:`with_background`.
    """
    assert order is not None  # pairs that are counted out with the background row have one
    return torch.cat([masks, of_background.expand(len(masks), -1, -1, -1)], dim=1)[:, order]
