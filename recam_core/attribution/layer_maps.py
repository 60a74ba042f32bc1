"""Methods that weigh the activations of the last feature layer: CAM and Grad-CAM."""

import torch
from captum.attr import LayerGradCam
from torch import Tensor

from recam_core.attribution.asked import Answers, Asked
from recam_core.errors import UserError
from recam_core.method.cam import responses


def cam(asked: Asked) -> Tensor:
    """w . f(x) of each question, n x h x w: equation 2 before the ReLU, in closed form."""
    subject = asked.subject
    if subject.weight is None:
        raise UserError(
            "This classifier is no linear layer on pooled features, so its maps have no closed form (equation 2); "
            "Grad-CAM is the same by gradients."
        )
    with torch.no_grad():
        found = responses(subject.lower(asked.x).float(), asked.questions @ subject.weight)[0]
    asked.passed(1)
    return found


def grad_cam(asked: Asked) -> Tensor:
    """Grad-CAM of each question, n x h x w, signed: the activations weighed by the mean of their gradients."""
    found = []
    with torch.no_grad():
        below = asked.subject.lower(asked.x)
    for begin in range(0, len(asked.questions), asked.rows):
        wanted = torch.arange(begin, min(begin + asked.rows, len(asked.questions)), device=asked.x.device)
        method = LayerGradCam(Answers(asked.subject.upper, asked), asked.subject.layer)
        # Signed here: equation 2's ReLU comes where all maps are made.
        maps = method.attribute(below.expand(len(wanted), *below.shape[1:]), target=wanted, relu_attributions=False)
        found.append(maps.detach()[:, 0])
    return torch.cat(found)
