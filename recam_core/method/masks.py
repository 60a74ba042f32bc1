"""Masking choices: what the features are multiplied with to become single-label features (M_k of equation 3).

A choice is named by a string: ``soft``, ``none``, ``hard:0.3``, ``power:2``, ``oracle``. Adding one is one entry
in :data:`MASKS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from recam_core.errors import UserError


@dataclass(frozen=True)
class MaskKind:
    """How one kind of mask is made.

    Attributes:
        make: (CAMs P x h x w in 0..1, parameter, ground truth P x h x w in 0..1 or None) -> masks P x h x w;
            P counts the pairs of an image and a class that is present in it.
        meaning: a sentence for people who choose.
        parameter: (name, default, smallest, largest), or None for a kind without one.
        needs_truth: whether ground-truth masks are required.
        follows_cam: whether the mask changes when FC1 does.
    """

    # Of a kind that needs the truth, it is a tensor: MaskChoice sees to it.
    make: Callable[[Tensor, float, Any], Tensor]
    meaning: str
    parameter: tuple[str, float, float, float] | None = None
    needs_truth: bool = False
    follows_cam: bool = True


MASKS: dict[str, MaskKind] = {
    "soft": MaskKind(lambda cams, _, truth: cams, "the CAM itself, not thresholded (equation 3; the paper on VOC)"),
    "none": MaskKind(
        lambda cams, _, truth: torch.ones_like(cams),
        "no mask: the features are copied for each present class (the paper on MS COCO)",
        follows_cam=False,
    ),
    "hard": MaskKind(
        lambda cams, threshold, truth: (cams > threshold).to(cams.dtype),
        "1 where the CAM exceeds the threshold T, else 0; no gradient reaches FC1 through it",
        parameter=("T", 0.3, 0.0, 0.99),
    ),
    "power": MaskKind(
        # The floor keeps the gradient of x^G finite at 0 for G < 1.
        lambda cams, exponent, truth: cams.clamp_min(1e-6) ** exponent,
        "the CAM to the power G: G > 1 narrows the mask, G < 1 widens it",
        parameter=("G", 2.0, 0.1, 8.0),
    ),
    "oracle": MaskKind(
        lambda cams, _, truth: truth,
        "the ground-truth mask: what a perfect CAM would give, an upper bound and no fair method",
        needs_truth=True,
        follows_cam=False,
    ),
}


@dataclass(frozen=True)
class MaskChoice:
    """A kind of mask with its parameter (None for kinds without one)."""

    kind: str
    parameter: float | None = None

    def __str__(self) -> str:
        return self.kind if self.parameter is None else f"{self.kind}:{self.parameter:g}"

    @property
    def needs_truth(self) -> bool:
        """Whether ground-truth masks are required."""
        return MASKS[self.kind].needs_truth

    @property
    def follows_cam(self) -> bool:
        """Whether the mask changes when FC1 does."""
        return MASKS[self.kind].follows_cam

    def __call__(self, cams: Tensor, truth: Tensor | None = None) -> Tensor:
        """The masks M_k for CAMs in 0..1; both P x h x w, as is ``truth`` (share of the cell that is class k)."""
        if self.needs_truth and truth is None:
            raise UserError("The mask 'oracle' needs ground-truth masks, and this data has none for some picture.")
        return MASKS[self.kind].make(cams, self.parameter if self.parameter is not None else 0.0, truth)


def parse_mask(text: str) -> MaskChoice:
    """Read a masking choice such as ``soft`` or ``hard:0.3``; a missing parameter takes its default.

    Raises:
        UserError: unknown kind, or a parameter that is missing its number, out of range or not wanted.
    """
    kind, _, number = text.strip().partition(":")
    if kind not in MASKS:
        raise UserError(f"There is no mask '{text}': choose soft, none, hard:T, power:G or oracle.")
    parameter = MASKS[kind].parameter
    if parameter is None:
        if number:
            raise UserError(f"The mask '{kind}' takes no number, but '{text}' gives one.")
        return MaskChoice(kind)
    name, default, smallest, largest = parameter
    try:
        value = float(number) if number else default
    except ValueError:
        value = float("nan")
    if not smallest <= value <= largest:
        raise UserError(f"In the mask '{text}', {name} must be a number from {smallest:g} to {largest:g}.")
    return MaskChoice(kind, value)


def truth_shares(masks: Tensor, image: Tensor, category: Tensor, size: tuple[int, int]) -> Tensor:
    """The share of each cell of the feature grid that belongs to the class of each pair.

    Args:
        masks: B x H x W, uint8, k + 1 for class k.
        image, category: P int64 each; the image and the class k of each pair.
        size: (h, w) of the feature grid.

    Returns:
        P x h x w in 0..1.
    """
    own = masks[image] == (category + 1).to(masks.dtype).view(-1, 1, 1)
    return F.adaptive_avg_pool2d(own.float().unsqueeze(1), size).squeeze(1)
