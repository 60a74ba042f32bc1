"""Extraction rules: which weights make the ReCAM (w'' of equation 7).

Adding a rule is one entry in :data:`RULES`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from recam_core.errors import UserError


@dataclass(frozen=True)
class Rule:
    """A rule: (w of FC1, w' of FC2), both K x C, to w''; and a sentence for people who choose."""

    combine: Callable[[Tensor, Tensor], Tensor]
    meaning: str
    needs_fc2: bool = True


RULES: dict[str, Rule] = {
    "fc1": Rule(lambda w, w2: w, "w: the weights of FC1, an ordinary CAM", needs_fc2=False),
    "fc2": Rule(lambda w, w2: w2, "w': the weights of FC2 alone"),
    "sum": Rule(lambda w, w2: w + w2, "w + w'"),
    "product": Rule(lambda w, w2: w * w2, "w * w', element by element: the paper's choice"),
    "rectified_product": Rule(
        lambda w, w2: w * F.relu(w2),
        "w * relu(w'): as the product, but two negative weights cannot make a positive one (not in the paper)",
    ),
}


def class_weights(rule: str, fc1: Tensor, fc2: Tensor | None) -> Tensor:
    """The class weights w'' that a rule makes of FC1 and FC2.

    Args:
        rule: a key of :data:`RULES`.
        fc1: K x C.
        fc2: K x C, or None for a network that was trained without FC2.

    Returns:
        K x C.

    Raises:
        UserError: unknown rule, or a rule that needs FC2 where there is none.
    """
    if rule not in RULES:
        raise UserError(f"There is no extraction rule '{rule}': choose one of {', '.join(RULES)}.")
    if fc2 is None:
        if RULES[rule].needs_fc2:
            raise UserError(f"The rule '{rule}' needs FC2, and this network was trained without it; 'fc1' works.")
        return fc1
    return RULES[rule].combine(fc1, fc2)


def share_of_double_negatives(fc1: Tensor, fc2: Tensor) -> Tensor:
    """K shares: for each class, the channels whose two weights are negative, which a plain product turns positive."""
    return ((fc1 < 0) & (fc2 < 0)).to(torch.float32).mean(dim=1)
