"""Methods that weigh the activations of the last feature layer: CAM, Grad-CAM, LayerCAM and Finer-CAM."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from captum.attr import LayerGradCam
from torch import Tensor, nn

from recam_core.attribution.subject import Query
from recam_core.errors import UserError
from recam_core.method.cam import responses


def cam(query: Query) -> Tensor:
    """w . f(x) of each question, n x h x w: equation 2 before the ReLU, in closed form."""
    weight = query.subject.weight
    if weight is None:
        raise UserError(
            "This classifier is no linear layer on pooled features, so its maps have no closed form (equation 2); "
            "Grad-CAM is the same by gradients."
        )
    with torch.no_grad(), _seen(query.subject.layer) as features:
        query.above()(query.below())
    return responses(features[0].float(), query.questions @ weight)[0]


def grad_cam(query: Query) -> Tensor:
    """Grad-CAM of each question, n x h x w, signed: the activations weighed by the sum of their gradients.

    The sum is the paper's mean times the number of cells, so that views of different sizes weigh alike.
    """
    below, found = query.below(), []
    method = LayerGradCam(query.above(), query.subject.layer)
    for wanted in query.in_groups():
        # Signed: the ReLU of equation 2 comes where all maps are made.
        maps = method.attribute(below.expand(len(wanted), *below.shape[1:]), target=wanted, relu_attributions=False)
        found.append(maps.detach()[:, 0] * maps[0, 0].numel())
    return torch.cat(found)


def layer_cam(query: Query) -> Tensor:
    """LayerCAM of each question, n x h x w: each activation weighed by its own gradient where that is positive.

    Times the number of cells, so that views of different sizes weigh alike.
    """
    with _seen(query.subject.layer) as seen:
        answers = query.above()(query.below())[0]
    found = []
    for answer in answers:
        (gradient,) = torch.autograd.grad(answer, seen[0], retain_graph=True)
        found.append((F.relu(gradient) * seen[0].detach()).sum(dim=1) * gradient[0, 0].numel())
    return torch.cat(found)


@contextmanager
def _seen(layer: nn.Module) -> Iterator[list[Tensor]]:
    """What the layer puts out; gradients of what follows end there."""
    found: list[Tensor] = []

    def begin_here(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        found.append(output.detach().requires_grad_())
        return found[-1]

    handle = layer.register_forward_hook(begin_here)
    try:
        yield found
    finally:
        handle.remove()


def finer_cam(query: Query) -> Tensor:
    """Grad-CAM of a difference of logits; in closed form where the classifier is linear."""
    return grad_cam(query) if query.subject.weight is None else cam(query)
