"""Extraction rules: what makes the ReCAM of FC1 and FC2 (w'' of equation 7, or a softmax against the background).

Adding a rule is one entry in :data:`RULES`.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from recam_core.errors import UserError
from recam_core.method.cam import normalise

#: Greatest log-odds, to either side, that a map of probabilities tells apart: 8 bits make a step a quarter of a unit.
#: Probabilities themselves would not do: most of what matters lies above 0.99.
LOG_ODDS = 32.0


@dataclass(frozen=True)
class MapWeights:
    """What maps are made with: class weights, and for maps of probabilities what they compete with.

    All tensors may have further dimensions in front (N classifiers at once).

    Attributes:
        weight: K x C, w'' of equation 7, or w' where ``background`` is given.
        background: C, the row w' of the background; maps are then the softmax of w' . f(x) over the present classes
            and the background, at each pixel. None: maps are those of equation 2.
        factor: K x C or None; weights whose CAM such a map of probabilities is multiplied with.
    """

    weight: Tensor
    background: Tensor | None = None
    factor: Tensor | None = None

    @property
    def kind(self) -> tuple[bool, bool]:
        """Weights of one kind can be stacked."""
        return self.background is not None, self.factor is not None

    def map(self, change: Callable[[Tensor], Tensor]) -> "MapWeights":
        """The same change made to every tensor."""
        background, factor = (None if one is None else change(one) for one in (self.background, self.factor))
        return MapWeights(change(self.weight), background, factor)

    def to(self, device: torch.device | str) -> "MapWeights":
        """The weights, detached, on a device."""
        return self.map(lambda one: one.detach().to(device))

    @property
    def digest(self) -> str:
        """Stands for the weights in caches: equal ones have the same."""
        found = hashlib.blake2b(repr(self.kind).encode(), digest_size=16)
        for one in (self.weight, self.background, self.factor):
            if one is not None:
                found.update(one.detach().float().cpu().contiguous().numpy().tobytes())
        return found.hexdigest()

    def rows(self, classes: Tensor) -> Tensor:
        """... x R x C: all rows that are multiplied with the features for maps of these classes (n int64)."""
        found = [self.weight[..., classes, :]]
        if self.background is not None:
            found.append(self.background[..., None, :])
        if self.factor is not None:
            found.append(self.factor[..., classes, :])
        return found[0] if len(found) == 1 else torch.cat(found, dim=-2)

    def summands(self, responses: Tensor) -> Tensor:
        """What is summed over scales and mirror images, of the responses of the rows: both ... x R x h x w."""
        if self.background is None:
            return F.relu(responses)
        if self.factor is None:
            return responses
        n = (responses.shape[-3] - 1) // 2
        return torch.cat([responses[..., : n + 1, :, :], F.relu(responses[..., n + 1 :, :, :])], dim=-3)

    def activations(self, total: Tensor, views: int) -> Tensor:
        """... x n x h x w in 0..1, of the sum of the summands (... x R x h x w) over so many views of the picture."""
        if self.background is None:
            return normalise(total)
        n = total.shape[-3] - 1 if self.factor is None else (total.shape[-3] - 1) // 2
        odds = log_odds(total[..., : n + 1, :, :] / views)
        if self.factor is None:
            return (odds / (2 * LOG_ODDS) + 0.5).clamp(0, 1)
        return normalise(odds.sigmoid() * normalise(total[..., n + 1 :, :, :]))


def stack_weights(weights: Sequence[MapWeights]) -> MapWeights:
    """Weights of one kind as one with a dimension in front."""

    def stacked(rows: list[Tensor | None]) -> Tensor | None:
        return torch.stack([one for one in rows if one is not None]) if rows[0] is not None else None

    return MapWeights(
        torch.stack([one.weight for one in weights]),
        stacked([one.background for one in weights]),
        stacked([one.factor for one in weights]),
    )


def log_odds(logits: Tensor) -> Tensor:
    """log(p / (1 - p)) of p = softmax over the rows, for all but the last row, the background's.

    Args:
        logits: ... x (n + 1) x h x w.

    Returns:
        ... x n x h x w: the margin by which each class leads the others and the background together.
    """
    count = logits.shape[-3]
    rest = [
        torch.logsumexp(torch.cat([logits[..., :k, :, :], logits[..., k + 1 :, :, :]], dim=-3), dim=-3)
        for k in range(count - 1)
    ]
    return logits[..., :-1, :, :] - torch.stack(rest, dim=-3) if rest else logits[..., :0, :, :]


@dataclass(frozen=True)
class Rule:
    """A rule: (w of FC1, w' of FC2, both K x C, background row C or None) to weights; and a sentence for people.

    Attributes:
        combine: what it does.
        meaning: for people who choose.
        needs_fc2: whether FC2 must have been trained.
        needs_background: whether FC2 must have its background row.
        log_odds: whether its activations stand for probabilities p, as log(p / (1 - p)) from -LOG_ODDS to LOG_ODDS;
            those of the others are shares of a map's maximum.
        makes_weights: whether it makes class weights, and no probabilities.
    """

    # Of a rule that needs the background row, it is a tensor: map_weights sees to it.
    combine: Callable[[Tensor, Tensor, Any], Tensor | MapWeights]
    meaning: str
    needs_fc2: bool = True
    needs_background: bool = False
    log_odds: bool = False
    makes_weights: bool = True


RULES: dict[str, Rule] = {
    "fc1": Rule(lambda w, w2, b: w, "w: the weights of FC1, an ordinary CAM", needs_fc2=False),
    "fc2": Rule(lambda w, w2, b: w2, "w': the weights of FC2 alone"),
    "sum": Rule(lambda w, w2, b: w + w2, "w + w'"),
    "product": Rule(lambda w, w2, b: w * w2, "w * w', element by element: the paper's choice"),
    "rectified_product": Rule(
        lambda w, w2, b: w * F.relu(w2),
        "w * relu(w'): as the product, but two negative weights cannot make a positive one (not in the paper)",
    ),
    "difference": Rule(
        lambda w, w2, b: w2 - b,
        "w' less the background row of FC2: what speaks for the class and not for the background (not in the paper)",
        needs_background=True,
    ),
    "difference_sum": Rule(
        lambda w, w2, b: w + w2 - b,
        "w + w' less the background row (not in the paper)",
        needs_background=True,
    ),
    "difference_product": Rule(
        lambda w, w2, b: w * F.relu(w2 - b),
        "w * relu(w' less the background row): as the rectified product (not in the paper)",
        needs_background=True,
    ),
    "softmax": Rule(
        lambda w, w2, b: MapWeights(w2, b),
        "the softmax of w' over the present classes and the background, at each pixel: probabilities, kept as log-odds "
        "(not in the paper)",
        needs_background=True,
        log_odds=True,
        makes_weights=False,
    ),
    "softmax_product": Rule(
        lambda w, w2, b: MapWeights(w2, b, w),
        "that probability times the CAM of FC1 (not in the paper)",
        needs_background=True,
        makes_weights=False,
    ),
}


def gives_log_odds(rule: str) -> bool:
    """Whether the maps of a rule stand for probabilities; a record may name a rule that is not known here."""
    return rule in RULES and RULES[rule].log_odds


def rules_of(has_fc2: bool, has_background_row: bool) -> tuple[str, ...]:
    """The rules that a network with, or without, FC2 and its background row can be read by."""
    return tuple(
        name
        for name, rule in RULES.items()
        if (has_fc2 or not rule.needs_fc2) and (has_background_row or not rule.needs_background)
    )


def check_rule(rule: str, has_fc2: bool, has_background_row: bool, what: str = "this network") -> str:
    """The rule, if a network can be read by it.

    Raises:
        UserError: unknown rule, or one that needs FC2 or its background row where there is none.
    """
    if rule not in RULES:
        raise UserError(f"There is no extraction rule '{rule}': choose one of {', '.join(RULES)}.")
    if RULES[rule].needs_fc2 and not has_fc2:
        raise UserError(f"The rule '{rule}' needs FC2, and {what} was trained without it; 'fc1' works.")
    if RULES[rule].needs_background and not has_background_row:
        raise UserError(
            f"The rule '{rule}' needs the background row of FC2, and {what} was trained without it; choose one of "
            f"{', '.join(rules_of(has_fc2, False))}, or train with a background weight above 0."
        )
    return rule


def map_weights(rule: str, fc1: Tensor, fc2: Tensor | None) -> MapWeights:
    """What a rule makes of FC1 and FC2.

    Args:
        rule: a key of :data:`RULES`.
        fc1: K x C.
        fc2: K x C, or (K + 1) x C with the background row last, or None for a network that was trained without FC2.

    Raises:
        UserError: unknown rule, or a rule that needs FC2 or its background row where there is none.
    """
    classes = len(fc1)
    has_row = fc2 is not None and len(fc2) == classes + 1
    check_rule(rule, fc2 is not None, has_row)
    if fc2 is None:
        return MapWeights(fc1)
    found = RULES[rule].combine(fc1, fc2[:classes], fc2[classes] if has_row else None)
    return found if isinstance(found, MapWeights) else MapWeights(found)


def class_weights(rule: str, fc1: Tensor, fc2: Tensor | None) -> Tensor:
    """K x C: the class weights w'' of equation 7, of a rule that is one of weights. Raises UserError for others."""
    found = map_weights(rule, fc1, fc2)
    if found.background is not None:
        raise UserError(f"The rule '{rule}' makes no class weights but probabilities; choose another for this.")
    return found.weight


def share_of_double_negatives(fc1: Tensor, fc2: Tensor) -> Tensor:
    """K shares: for each class, the channels whose two weights are negative, which a plain product turns positive."""
    return ((fc1 < 0) & (fc2[: len(fc1)] < 0)).to(torch.float32).mean(dim=1)


def rule_words(rule: str) -> str:
    """An extraction rule in a few words; a record may name one that is not known here."""
    if rule in RULES and not RULES[rule].needs_fc2:
        return "weights of FC1"
    # What a threshold means for these maps is not what it means for all others.
    odds = " (log-odds: 0.5 is a probability of one half)" if gives_log_odds(rule) else ""
    return f"rule {rule.replace('_', ' ')}{odds}"
