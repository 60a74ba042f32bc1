"""Methods that attribute to pixels: SmoothGrad, integrated gradients, occlusion, DeepLIFT and Guided Grad-CAM."""

import math
import warnings
from typing import Any

import torch
from captum.attr import DeepLift, GuidedGradCam, IntegratedGradients, Occlusion, Saliency
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode

from recam_core.attribution.network_copy import (
    CutReLU6,
    DifferenceReLU6,
    MaxByReLU,
    NetworkCopy,
    module_calls,
    network_copy,
)
from recam_core.attribution.subject import Answers, Query
from recam_core.errors import UserError
from recam_core.memory import is_out_of_memory


def smooth_grad(query: Query) -> Tensor:
    """|mean gradient| over noisy pictures, the largest of the colour channels: n x H x W, not negative.

    The same noise for every question, from the seed alone: a noise tunnel whose draws other threads cannot change.
    """
    x, settings = query.x, query.settings
    spread = float(x.max() - x.min()) * settings.noise
    # Drawn on the CPU, so that all devices see the same noise.
    noise = torch.randn(settings.samples, *x.shape[1:], generator=torch.Generator().manual_seed(settings.seed))
    pictures = x + spread * noise.to(x.device)
    method, found = Saliency(query.whole()), []
    for question in range(len(query.questions)):
        total = torch.zeros_like(x)
        for part in pictures.split(query.rows):
            total += method.attribute(part.requires_grad_(), target=question, abs=False).sum(dim=0, keepdim=True)
        found.append((total / settings.samples).abs().amax(dim=1))
    return torch.cat(found)


def integrated_gradients(query: Query) -> Tensor:
    """Gradients summed along the way from the mean colour to the picture: n x H x W, signed.

    Their sum is the difference of the answers at both ends, up to the error of the sum over ``settings.steps`` points.
    """
    method = IntegratedGradients(query.whole())
    return torch.cat(
        [
            method.attribute(
                query.x, target=question, n_steps=query.settings.steps, internal_batch_size=query.rows
            ).sum(dim=1)
            for question in range(len(query.questions))
        ]
    )


def occlusion(query: Query) -> Tensor:
    """The mean loss of each answer over the windows that hide a pixel: n x H x W, signed. All answers share a pass."""
    height, width = query.x.shape[-2:]
    side, stride = window_of((height, width), query.settings.window)
    with torch.no_grad():
        found = Occlusion(query.whole()).attribute(
            query.x,
            sliding_window_shapes=(3, min(side, height), min(side, width)),
            strides=(3, stride, stride),
            perturbations_per_eval=query.rows,
        )
    # All three colours are hidden together, so that each says the same.
    return found[:, 0]


def windows(size: tuple[int, int], share: float) -> int:
    """How many windows hide parts of a picture of size (H, W)."""
    side, stride = window_of(size, share)
    return math.prod(math.ceil((length - min(side, length)) / stride) + 1 for length in size)


def window_of(size: tuple[int, int], share: float) -> tuple[int, int]:
    """(side of the window, by how much it moves), in pixels of a picture of size (H, W)."""
    side = max(round(max(size) * share), 2)
    return side, side // 2


#: How far the sum of attributions may be from the difference of the answers, as a share of the larger of the two.
TOLERANCE = 0.02


def deep_lift(query: Query) -> Tensor:
    """What each pixel adds to the answers against a picture of the mean colour: n x H x W, signed.

    Raises:
        UserError: the attributions do not add up to the difference of the answers, so that they mean nothing.
    """
    own = network_copy(query.subject, query.subject.sample(query.x), DifferenceReLU6, MaxByReLU)
    method, found = DeepLift(Answers(own.network, query.questions, query.passed)), []
    blank = torch.zeros_like(query.x)
    with torch.no_grad():
        ends = own.network(torch.cat([query.x, blank])) @ query.questions.T
    for question, (there, nothing) in enumerate(ends.T.tolist()):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it warns that it sets hooks, which is what the copy is for
                parts = method.attribute(query.x.clone().requires_grad_(), blank, target=question).detach()
        except (AssertionError, AttributeError, RuntimeError, IndexError) as error:
            if is_out_of_memory(error):
                raise
            raise _refused(f"captum's rules do not fit its layers ({type(error).__name__})") from error
        difference, total = there - nothing, float(parts.double().sum())
        if not abs(total - difference) <= TOLERANCE * max(abs(difference), abs(total)):
            raise _refused(f"its attributions add up to {total:.4g}, and the answers differ by {difference:.4g}")
        found.append(parts.sum(dim=1))
    return torch.cat(found)


def _refused(why: str) -> UserError:
    return UserError(
        f"DeepLIFT does not hold for this network: {why}. It needs each activation to be a module of its own that is "
        "used once, and has rules for few layers. Integrated gradients asks the same of any network."
    )


#: Activations for which guided backpropagation has no rule.
_WITHOUT_RULE = ("silu", "gelu", "hardswish", "elu", "leaky_relu", "mish")


def guided_grad_cam(query: Query) -> Tensor:
    """The magnitude of the product, the largest of the colour channels: n x H x W, not negative."""
    small = query.subject.sample(query.x)
    own = network_copy(query.subject, small, CutReLU6)
    _check_activations(own, small)
    method, found = GuidedGradCam(Answers(own.network, query.questions, query.passed), own.layer), []
    for wanted in query.in_groups():
        x = query.x.expand(len(wanted), -1, -1, -1).clone().requires_grad_()
        with warnings.catch_warnings():
            # It warns that it sets hooks, which is what the copy is for.
            warnings.simplefilter("ignore")
            product = method.attribute(x, target=wanted, interpolate_mode="bilinear")
        found.append(product.detach().abs().amax(dim=1))
    return torch.cat(found)


def _check_activations(own: NetworkCopy, x: Tensor) -> None:
    """Hooks reach modules only: an activation that is called as a function would keep its plain gradient unseen.

    Raises:
        UserError: the network has others than ReLU, or calls it as a function.
    """
    with torch.no_grad(), _Activations() as used, module_calls(own.network, (nn.ReLU,)) as calls:
        own.network(x)
    if used.others:
        raise UserError(
            f"Guided Grad-CAM has a rule for ReLU alone, and this network uses {used.others[0]}; Grad-CAM works."
        )
    if used.relus != len(calls):
        raise UserError("Guided Grad-CAM cannot reach a ReLU of this network, which is no module; Grad-CAM works.")
    if not calls:
        raise UserError("Guided Grad-CAM has a rule for ReLU alone, and this network has none; Grad-CAM works.")


class _Activations(TorchDispatchMode):
    """Counts the activations that are really computed, by modules or not."""

    def __init__(self) -> None:
        super().__init__()
        self.relus = 0
        self.others: list[str] = []

    def __torch_dispatch__(
        self, func: OpOverload, types: tuple, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = func.overloadpacket.__name__.removesuffix("_")
        self.relus += name == "relu"
        if name in _WITHOUT_RULE:
            self.others.append(name)
        return func(*args, **(kwargs or {}))
