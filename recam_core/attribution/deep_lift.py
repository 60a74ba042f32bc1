"""DeepLIFT by the rescale rule, where its own check holds."""

import warnings

import torch
from captum.attr import DeepLift
from torch import Tensor

from recam_core.attribution.asked import Answers, Asked
from recam_core.attribution.network_copy import DifferenceReLU6, MaxByReLU, network_copy
from recam_core.errors import UserError
from recam_core.memory import is_out_of_memory

#: How far the sum of attributions may be from the difference of the answers, as a share of the larger of the two.
TOLERANCE = 0.02


def deep_lift(asked: Asked) -> Tensor:
    """What each pixel adds to the answers against a picture of the mean colour: n x H x W, signed.

    Raises:
        UserError: the attributions do not add up to the difference of the answers, so that they mean nothing.
    """
    own = network_copy(asked.subject, asked.subject.sample(asked.x), DifferenceReLU6, MaxByReLU)
    method, found = DeepLift(Answers(own.network, asked.questions, asked.passed)), []
    blank = torch.zeros_like(asked.x)
    with torch.no_grad():
        ends = own.network(torch.cat([asked.x, blank])) @ asked.questions.T
    for question, (there, nothing) in enumerate(ends.T.tolist()):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it warns that it sets hooks, which is what the copy is for
                parts = method.attribute(asked.x.clone().requires_grad_(), blank, target=question).detach()
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
