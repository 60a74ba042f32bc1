"""A network as attribution methods see it: a picture in, logits out, and the layer whose activations they weigh."""

import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from recam_core.errors import UserError
from recam_core.method.extraction import class_weights
from recam_core.model.network import CamNetwork


@dataclass(frozen=True)
class Subject:
    """A network with one classifier on top, in evaluation mode.

    Hooks may be put on ``upper``, which belongs to this object alone, and never on ``lower``, which other threads may
    be using: whoever needs hooks there works on a copy.

    Attributes:
        network: what it was made of.
        lower: B x 3 x H x W, normalised, to what ``upper`` takes.
        upper: that to the logits, B x K.
        layer: the module in ``upper`` whose output, B x C x h x w, layer methods weigh; no in-place operation
            follows it.
        weight: K x C where the logits are a linear layer without bias on the mean of the layer's output, so that
            maps have a closed form; None elsewhere.
        preprocess: an image, H x W x 3 uint8, to 1 x 3 x H' x W'.
        num_classes: K.
        split: whether the work is done in ``lower``: ``upper`` then costs nothing beside it.
        any_size: whether it takes pictures of any size, so that maps can be made at several scales.
        lock: held while it is asked, where hooks of two threads would meet in ``upper``.
    """

    network: nn.Module
    lower: nn.Module
    upper: nn.Module
    layer: nn.Module
    weight: Tensor | None
    preprocess: Callable[[np.ndarray], Tensor]
    num_classes: int
    split: bool = True
    any_size: bool = True
    lock: AbstractContextManager = field(default_factory=nullcontext)

    def logits(self, x: Tensor) -> Tensor:
        """B x K of normalised pictures, B x 3 x H x W; gradients flow where the caller lets them."""
        return self.upper(self.lower(x))

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        weights = itertools.chain(self.lower.parameters(), self.upper.parameters(), self.upper.buffers())
        return next((weight.device for weight in weights), torch.device("cpu"))

    def sample(self, x: Tensor) -> Tensor:
        """A small part of pictures, where the network takes it: enough to see what it is made of."""
        return x[..., :96, :96] if self.any_size else x


@runtime_checkable
class Attributable(Protocol):
    """A network that can be asked, besides :class:`CamNetwork`."""

    def subject(self) -> Subject:
        """Itself, as methods see it."""


def subject_of(network: CamNetwork | Attributable, head: str | Tensor = "fc1") -> Subject:
    """The network with the classifier that is asked.

    Args:
        network: in evaluation mode; it is not changed.
        head: ``fc1``, ``fc2`` or another extraction rule that makes class weights, or such weights (K x C). A
            classifier from elsewhere has one head, ``fc1``.

    Raises:
        UserError: unknown head, or one that the network does not have.
    """
    if not isinstance(network, CamNetwork):
        if head != "fc1":
            raise UserError("A classifier from elsewhere has one head only: leave out the head, or say 'fc1'.")
        return network.subject()
    if isinstance(head, Tensor):
        weight = head
    else:
        weight = class_weights(head, network.fc1.detach(), None if network.fc2 is None else network.fc2.detach())
    upper = PooledHead(weight.detach().float().to(network.device)).eval()
    return Subject(network, network.backbone, upper, upper.features, upper.weight, network.preprocess, len(weight))


class PooledHead(nn.Module):
    """GAP and class weights on features: B x C x h x w to logits B x K, z = w . GAP(f)."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        # Features may come out of an in-place activation; hooks see them here, where nothing changes them any more.
        self.features = nn.Identity()
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        return self.features(features).float().mean(dim=(2, 3)) @ self.weight.T
