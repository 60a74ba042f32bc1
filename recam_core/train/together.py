"""Training one network by several processes: each has its part of a batch, and the weights of all stay the same.

A batch of N pictures is the same pictures in the same views whatever the number of processes, rank r having every
world-th from the r-th on (:class:`recam_core.train.views.EpochOrder`). DistributedDataParallel averages gradients over
the ranks, so each rank's loss must be such that the mean over the ranks is the loss of the whole batch: what a loss
divides by is added up first (:func:`recam_core.ranks.add_up`, :func:`recam_core.ranks.weight`). Whatever else looks at
a whole batch, or draws lots for it, does so here.
"""

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recam_core import ranks
from recam_core.errors import UserError

Result = TypeVar("Result")


def check_batch(size: int) -> None:
    """Raise UserError for a batch that has fewer pictures than there are processes."""
    if size < ranks.world():
        raise UserError(
            f"A batch of {size} cannot be shared by {ranks.world()} processes: take larger batches or fewer processes."
        )


def together(module: nn.Module, work: Callable[..., Result]) -> Callable[..., Result]:
    """The same work, after which ``backward`` gives every rank the mean of the gradients of all.

    Args:
        module: whose parameters are trained. Batch norm that learns, and dropout, look at the whole batch from now on.
        work: what is done with the module for one batch; returns tensors (in a dataclass, say) that losses are among.

    Returns:
        ``work`` itself, where there is one process.
    """
    if ranks.world() == 1:
        return work
    from torch.nn.parallel import DistributedDataParallel

    for one in module.modules():
        # Only the class becomes another: parameters, their names and the optimizer's hold on them stay.
        if type(one) is nn.BatchNorm2d and one.track_running_stats:
            one.__class__ = _BatchNorm
        elif type(one) is nn.Dropout:
            one.__class__ = _Dropout
    with warnings.catch_warnings():
        # torch 2.14 has another name for the option, which 2.11 does not know.
        warnings.simplefilter("ignore", FutureWarning)
        # Buffers are those of norms at rest, or added up already.
        return DistributedDataParallel(_Work(module, work), broadcast_buffers=False)


class _Work(nn.Module):
    """Work as a module, which is what DistributedDataParallel takes."""

    def __init__(self, module: nn.Module, work: Callable[..., Any]) -> None:
        super().__init__()
        self.module, self._work = module, work

    def forward(self, *given: Any) -> Any:
        return self._work(*given)


class _Sum(torch.autograd.Function):
    """The sum over the ranks; a gradient of it is that of all ranks' losses."""

    @staticmethod
    def forward(_: Any, values: Tensor) -> Tensor:
        return ranks.add_up(values)

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        return ranks.add_up(gradient)


class _BatchNorm(nn.BatchNorm2d):
    """Batch norm over the pictures of all ranks, on any device (torch's own takes GPUs alone)."""

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        x = input.float()
        count = ranks.add_up(x.new_tensor(x.numel() / x.shape[1]))
        mean = _Sum.apply(x.sum(dim=(0, 2, 3))) / count
        centred = x - mean[:, None, None]
        variance = _Sum.apply(centred.square().sum(dim=(0, 2, 3))) / count
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
            self.num_batches_tracked.add_(1)
        scaled = centred * ((variance + self.eps).rsqrt() * self.weight)[:, None, None]
        return (scaled + self.bias[:, None, None]).to(input.dtype)


class _Dropout(nn.Dropout):
    """Dropout that draws the lots of the whole batch, as one process does, and keeps this rank's."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return input
        pictures = int(ranks.add_up(torch.tensor(len(input))))
        channels_last = input.dim() == 4 and input.is_contiguous(memory_format=torch.channels_last)
        # Lots are drawn in the order in which values lie in memory.
        order = torch.channels_last if channels_last else torch.contiguous_format
        lots = torch.ones(pictures, *input.shape[1:], dtype=input.dtype, device=input.device)
        drawn = F.dropout(lots.contiguous(memory_format=order), self.p)
        return input * drawn[ranks.rank() :: ranks.world()]
