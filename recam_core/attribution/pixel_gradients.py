"""Methods that ask how the logits change with the pixels: SmoothGrad and integrated gradients."""

import torch
from captum.attr import IntegratedGradients, Saliency
from torch import Tensor

from recam_core.attribution.asked import Asked


def smooth_grad(asked: Asked) -> Tensor:
    """|mean gradient| over noisy pictures, the largest of the colour channels: n x H x W, not negative.

    The same noise for every question, from the seed alone: a noise tunnel whose draws other threads cannot change.
    """
    x, settings = asked.x, asked.settings
    spread = float(x.max() - x.min()) * settings.noise
    # Drawn on the CPU, so that all devices see the same noise.
    noise = torch.randn(settings.samples, *x.shape[1:], generator=torch.Generator().manual_seed(settings.seed))
    pictures = x + spread * noise.to(x.device)
    method, found = Saliency(asked.whole()), []
    for question in range(len(asked.questions)):
        total = torch.zeros_like(x)
        for part in pictures.split(asked.rows):
            total += method.attribute(part.requires_grad_(), target=question, abs=False).sum(dim=0, keepdim=True)
        found.append((total / settings.samples).abs().amax(dim=1))
    return torch.cat(found)


def integrated_gradients(asked: Asked) -> Tensor:
    """Gradients summed along the way from the mean colour to the picture: n x H x W, signed.

    Their sum is the difference of the answers at both ends, up to the error of the sum over ``settings.steps`` points.
    """
    method = IntegratedGradients(asked.whole())
    return torch.cat(
        [
            method.attribute(
                asked.x, target=question, n_steps=asked.settings.steps, internal_batch_size=asked.rows
            ).sum(dim=1)
            for question in range(len(asked.questions))
        ]
    )
