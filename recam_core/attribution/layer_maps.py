"""Methods that weigh the activations of the last feature layer: CAM, Grad-CAM, LayerCAM and Finer-CAM."""

import torch
import torch.nn.functional as F
from captum.attr import LayerGradCam
from torch import Tensor, nn

from recam_core.attribution.asked import Asked
from recam_core.errors import UserError
from recam_core.method.cam import responses


def cam(asked: Asked) -> Tensor:
    """w . f(x) of each question, n x h x w: equation 2 before the ReLU, in closed form."""
    weight = asked.subject.weight
    if weight is None:
        raise UserError(
            "This classifier is no linear layer on pooled features, so its maps have no closed form (equation 2); "
            "Grad-CAM is the same by gradients."
        )
    return responses(asked.below().float(), asked.questions @ weight)[0]


def grad_cam(asked: Asked) -> Tensor:
    """Grad-CAM of each question, n x h x w, signed: the activations weighed by the sum of their gradients.

    The sum is the paper's mean times the number of cells, so that views of different sizes weigh alike.
    """
    below, found = asked.below(), []
    method = LayerGradCam(asked.above(), asked.subject.layer)
    for wanted in asked.in_groups():
        # Signed: the ReLU of equation 2 comes where all maps are made.
        maps = method.attribute(below.expand(len(wanted), *below.shape[1:]), target=wanted, relu_attributions=False)
        found.append(maps.detach()[:, 0] * maps[0, 0].numel())
    return torch.cat(found)


def layer_cam(asked: Asked) -> Tensor:
    """LayerCAM of each question, n x h x w: each activation weighed by its own gradient where that is positive.

    Times the number of cells, so that views of different sizes weigh alike.
    """
    seen: list[Tensor] = []

    def begin_here(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        seen.append(output.detach().requires_grad_())
        return seen[0]

    handle = asked.subject.layer.register_forward_hook(begin_here)
    try:
        answers = asked.above()(asked.below())[0]
    finally:
        handle.remove()
    found = []
    for answer in answers:
        (gradient,) = torch.autograd.grad(answer, seen[0], retain_graph=True)
        found.append((F.relu(gradient) * seen[0].detach()).sum(dim=1) * gradient[0, 0].numel())
    return torch.cat(found)


def finer_cam(asked: Asked) -> Tensor:
    """Grad-CAM of a difference of logits; in closed form where the classifier is linear."""
    return grad_cam(asked) if asked.subject.weight is None else cam(asked)
