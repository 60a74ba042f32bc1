"""A network as attribution methods see it, and what one is asked: a view of a picture with questions about it.

A network is a picture in, logits out, and the layer whose activations methods weigh.
"""

import itertools
from collections.abc import Callable, Iterator
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
    upper = PooledHead(weight.detach().float().to(network.device))
    upper.eval()
    return Subject(network, network.backbone, upper, upper.features, upper.weight, network.preprocess, len(weight))


class PooledHead(nn.Module):
    """GAP and class weights on features: B x C x h x w to logits B x K, z = w . GAP(f)."""

    weight: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        # Features may come out of an in-place activation; hooks see them here, where nothing changes them any more.
        self.features = nn.Identity()
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        return self.features(features).float().mean(dim=(2, 3)) @ self.weight.T


@dataclass(frozen=True)
class AttributionSettings:
    """How maps are made; each method reads what concerns it.

    Attributes:
        scales: factors of the picture's size, over which maps are summed; None takes the method's own.
        mirror: whether mirror images are added; None takes the method's own.
        steps: points of the path of integrated gradients.
        samples: noisy pictures of SmoothGrad, and
        noise: their standard deviation, as a share of the range of the picture's values.
        window: side of what occlusion hides, as a share of the longer side of the picture. It moves by half of it.
        gamma: weight of the other class in Finer-CAM's difference.
        seed: of the noise.
    """

    scales: tuple[float, ...] | None = None
    mirror: bool | None = None
    steps: int = 32
    samples: int = 16
    noise: float = 0.15
    window: float = 0.15
    gamma: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises UserError for what is out of range."""
        for name, value, least, most in (
            ("steps", self.steps, 2, 1000),
            ("samples", self.samples, 1, 1000),
            ("noise", self.noise, 0, 2),
            ("window", self.window, 0.01, 1),
            ("gamma", self.gamma, 0, 10),
        ):
            if not least <= value <= most:  # NaN is out of range, too
                raise UserError(f"The setting '{name}' of attributions lies between {least} and {most}, got {value}.")
        if self.scales is not None and (not self.scales or any(not 0.05 <= scale <= 4 for scale in self.scales)):
            raise UserError("Scales are one or more numbers from 0.05 to 4, such as 0.5 1.0 1.5 2.0.")


@dataclass(frozen=True)
class Query:
    """One view of a picture and the questions about it.

    Attributes:
        subject: the network.
        x: 1 x 3 x H x W, normalised.
        questions: n x K; question i explains ``logits @ questions[i]``, so that a row with a single 1 asks for a class
            and one with a 1 and a -1 asks why one class and not another.
        settings: how.
        rows: pictures that fit into memory at once, with their gradients.
        passed: called with the number of pictures after each pass through the network; raises Cancelled where the
            work is to stop.
    """

    subject: Subject
    x: Tensor
    questions: Tensor
    settings: AttributionSettings = field(default_factory=AttributionSettings)
    rows: int = 1
    passed: Callable[[int], None] = lambda count: None

    def below(self) -> Tensor:
        """What the network's lower part makes of the view, without gradients: 1 x ..."""
        with torch.no_grad():
            found = self.subject.lower(self.x)
        if self.subject.split:
            self.passed(1)
        return found

    def above(self) -> "Answers":
        """The upper part, from there to answers."""
        # Where the work is done below, what is left costs nothing.
        silent = (lambda count: None) if self.subject.split else self.passed
        return Answers(self.subject.upper, self.questions, silent)

    def whole(self) -> "Answers":
        """The network from pictures to answers; nothing may hook its lower part."""
        return Answers(nn.Sequential(self.subject.lower, self.subject.upper), self.questions, self.passed)

    def in_groups(self) -> Iterator[Tensor]:
        """The indices of the questions, as many at once as memory takes."""
        return iter(torch.arange(len(self.questions), device=self.x.device).split(self.rows))


class Answers(nn.Module):
    """A network that answers questions: its logits times the questions, B x n; each pass is reported."""

    def __init__(self, network: nn.Module, questions: Tensor, passed: Callable[[int], None]) -> None:
        super().__init__()
        self.network = network
        self._questions = questions
        self._passed = passed

    def forward(self, x: Tensor) -> Tensor:
        found = self.network(x) @ self._questions.T
        self._passed(len(x))
        return found
