"""What a method is asked: a network, one view of a picture, and what to explain."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from recam_core.attribution.subject import Subject
from recam_core.errors import UserError


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
class Asked:
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
