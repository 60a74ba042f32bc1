"""Guided Grad-CAM: Grad-CAM times gradients that pass a ReLU forwards and backwards."""

import warnings

import torch
from captum.attr import GuidedGradCam
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from recam_core.attribution.asked import Answers, Asked
from recam_core.attribution.network_copy import CutReLU6, NetworkCopy, module_calls, network_copy
from recam_core.errors import UserError

#: Activations for which guided backpropagation has no rule.
_WITHOUT_RULE = ("silu", "gelu", "hardswish", "elu", "leaky_relu", "mish")


def guided_grad_cam(asked: Asked) -> Tensor:
    """The magnitude of the product, the largest of the colour channels: n x H x W, not negative."""
    small = asked.subject.sample(asked.x)
    own = network_copy(asked.subject, small, CutReLU6)
    _check_activations(own, small)
    method, found = GuidedGradCam(Answers(own.network, asked.questions, asked.passed), own.layer), []
    for wanted in asked.in_groups():
        x = asked.x.expand(len(wanted), -1, -1, -1).clone().requires_grad_()
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

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # noqa: ANN001, ANN204
        name = func.overloadpacket.__name__.removesuffix("_")
        self.relus += name == "relu"
        if name in _WITHOUT_RULE:
            self.others.append(name)
        return func(*args, **(kwargs or {}))
