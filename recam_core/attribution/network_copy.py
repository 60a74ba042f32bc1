"""A copy of a network that methods with hooks may change."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recam_core.attribution.subject import Subject
from recam_core.errors import UserError


@dataclass(frozen=True)
class NetworkCopy:
    """From pictures to logits, for its owner alone.

    Attributes:
        network: B x 3 x H x W to B x K; no activation works in place, and no weight wants a gradient.
        layer: the subject's layer in it.
    """

    network: nn.Module
    layer: nn.Module


def network_copy(
    subject: Subject,
    x: Tensor,
    relu6: Callable[[], nn.Module],
    pool: Callable[[nn.MaxPool2d], nn.Module] | None = None,
) -> NetworkCopy:
    """Copy a network; other threads may be using it meanwhile.

    Captum's hooks change the gradients of what goes into and comes out of a ReLU. Each call of one therefore gets a
    module and tensors of its own in the copy: a ReLU that is used twice, that stands beside a pooling layer, or whose
    input goes elsewhere too, would get wrong gradients without a word.

    Args:
        subject: the network.
        x: pictures that it takes, B x 3 x H x W.
        relu6: makes what stands in for a ReLU6, which captum passes over without a word.
        pool: makes what stands in for max pooling; None leaves it.

    Raises:
        UserError: the copy computes something else than the network.
    """
    whole = nn.Sequential(subject.lower, subject.upper)
    place = next(name for name, module in whole.named_modules() if module is subject.layer)
    made = copy.deepcopy(whole).eval().requires_grad_(False)
    keep_outputs(made)
    with torch.no_grad(), module_calls(made, (nn.ReLU, nn.ReLU6)) as calls:
        made(x)
    apart = {
        module: _Apart([relu6() if isinstance(module, nn.ReLU6) else nn.ReLU() for _ in range(calls.count(module))])
        for module in set(calls)
    }
    for module in list(made.modules()):
        for name, child in module.named_children():
            if child in apart:
                setattr(module, name, apart[child])
            elif pool is not None and isinstance(child, nn.MaxPool2d):
                setattr(module, name, pool(child))
    with torch.no_grad():
        before, after = whole(x), made(x)
    if not torch.allclose(after, before, rtol=1e-3, atol=1e-3 * float(before.abs().max())):
        raise UserError(
            "This method needs a copy of the network whose activations do not work in place, and such a copy computes "
            "something else; Grad-CAM and integrated gradients work."
        )
    return NetworkCopy(made, made.get_submodule(place))


@contextmanager
def module_calls(network: nn.Module, kinds: tuple[type[nn.Module], ...]) -> Iterator[list[nn.Module]]:
    """The modules of these kinds in the order in which the network calls them, as often as it does."""
    calls: list[nn.Module] = []
    handles = [
        module.register_forward_hook(lambda module, inputs, output: calls.append(module))
        for module in network.modules()
        if isinstance(module, kinds)
    ]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


class _Apart(nn.Module):
    """An activation that is called several times a pass, as a module for each call in turn."""

    def __init__(self, each: list[nn.Module]) -> None:
        super().__init__()
        self.each = nn.ModuleList(each)
        self._next = 0

    def forward(self, x: Tensor) -> Tensor:
        one = self.each[self._next]
        self._next = (self._next + 1) % len(self.each)
        return one(x.clone()).clone()


class CutReLU6(nn.Sequential):
    """ReLU6 as a ReLU that is cut off: gradients above 6 are zero, those below pass the ReLU's rule."""

    def __init__(self) -> None:
        super().__init__(nn.ReLU(), _Cut())


class _Cut(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(max=6)


class DifferenceReLU6(nn.Module):
    """ReLU6 as the difference of two ReLUs, whose rules then add up to its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.ReLU(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.first(x.clone()) - self.second(x - 6)


class MaxByReLU(nn.Module):
    """Max pooling as a chain of max(a, b) = a + ReLU(b - a), whose rules add up; captum's own does not where windows
    overlap."""

    def __init__(self, pool: nn.MaxPool2d) -> None:
        super().__init__()
        self._kernel, self._stride = _pair(pool.kernel_size), _pair(pool.stride)
        self._padding, self._dilation = _pair(pool.padding), _pair(pool.dilation)
        self._round_up = pool.ceil_mode
        self.each = nn.ModuleList(nn.ReLU() for _ in range(self._kernel[0] * self._kernel[1] - 1))

    def forward(self, x: Tensor) -> Tensor:
        one = torch.empty(1, *x.shape[-2:], device="meta")
        shape = F.max_pool2d(one, self._kernel, self._stride, self._padding, self._dilation, self._round_up).shape
        height, width = shape[-2:]
        (top, left), (down, right), (far, wide) = self._padding, self._stride, self._dilation
        below = max((height - 1) * down + (self._kernel[0] - 1) * far + 1 - x.shape[-2] - top, 0)
        beside = max((width - 1) * right + (self._kernel[1] - 1) * wide + 1 - x.shape[-1] - left, 0)
        # Nothing is smaller than the smallest; without end, differences would have none either.
        padded = F.pad(x, (left, beside, top, below), value=float(x.min()))
        found, *others = (
            padded[..., row * far :: down, column * wide :: right][..., :height, :width]
            for row in range(self._kernel[0])
            for column in range(self._kernel[1])
        )
        for part, each in zip(others, self.each, strict=True):
            found = found + each(part - found)
        return found


def keep_outputs(network: nn.Module) -> None:
    """Have no module of a network write over what another put out."""
    for module in network.modules():
        if hasattr(module, "inplace"):
            module.inplace = False  # type: ignore[assignment]  # torch takes any attribute for a tensor or a module


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)
