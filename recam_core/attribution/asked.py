"""What a method is asked: a network, one view of a picture, and what to explain."""

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor, nn

from recam_core.attribution.subject import Subject


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
        passed: called with the number of pictures after each pass; raises Cancelled where the work is to stop.
    """

    subject: Subject
    x: Tensor
    questions: Tensor
    settings: AttributionSettings = field(default_factory=AttributionSettings)
    rows: int = 1
    passed: Callable[[int], None] = lambda count: None


class Answers(nn.Module):
    """A network that answers questions: its logits times the questions, B x n; each pass is reported."""

    def __init__(self, network: nn.Module, asked: Asked) -> None:
        super().__init__()
        self.network = network
        self._questions = asked.questions
        self._passed = asked.passed

    def forward(self, x: Tensor) -> Tensor:
        found = self.network(x) @ self._questions.T
        self._passed(len(x))
        return found
