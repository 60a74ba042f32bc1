"""Where a classifier from elsewhere is looked at: the output of its last stage that still knows places."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from recam_core.errors import UserError

#: What pools is not a stage of its own.
_POOLS = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.AvgPool2d, nn.MaxPool2d)


@dataclass(frozen=True)
class Split:
    """A network in two parts; see :class:`~recam_core.attribution.subject.Subject` for what they are for.

    Attributes:
        lower, upper, layer: pictures to what ``upper`` takes; that to logits; in ``upper``, what is looked at.
        words: the layer in words.
        costs_below: whether the work is done in ``lower``.
        any_size: whether pictures of any size are taken.
    """

    lower: nn.Module
    upper: nn.Module
    layer: nn.Module
    words: str
    costs_below: bool
    any_size: bool


class Spot(nn.Module):
    """Passes on what comes in, and shows it as B x C x h x w on the way, where hooks may see and change it.

    A copy goes on, so that an in-place operation behind it changes nothing that was seen here.

    Args:
        to_grid, from_grid: what comes in to B x C x h x w, and back, given what came in as well.
    """

    def __init__(
        self,
        to_grid: Callable[[Tensor], Tensor] = lambda x: x,
        from_grid: Callable[[Tensor, Tensor], Tensor] = lambda grid, x: grid,
    ) -> None:
        super().__init__()
        self.at = nn.Identity()
        self._to_grid, self._from_grid = to_grid, from_grid

    def forward(self, x: Tensor) -> Tensor:
        return self._from_grid(self.at(self._to_grid(x)), x).clone()


def split_timm(network: Any, side: int, name: str) -> Split:
    """A timm model in two.

    Args:
        network: a module with timm's methods, in evaluation mode.
        side: of the pictures that it was trained with.
        name: for messages.

    Raises:
        UserError: what it computes keeps no places that could be looked at.
    """
    outline: Any = _outline(network)
    with torch.no_grad():
        features = outline.forward_features(torch.zeros(1, 3, side, side, device="meta"))
    any_size = _takes_any_size(outline, side)
    channels = network.num_features
    if not isinstance(features, Tensor):
        raise _no_places(name)
    if features.dim() == 4 and features.shape[1] == channels:
        upper = _TimmHead(network, Spot())
        return Split(_TimmFeatures(network), upper, upper.spot.at, "the last features", True, any_size)
    if features.dim() == 4 and features.shape[-1] == channels:
        spot = Spot(lambda x: x.permute(0, 3, 1, 2), lambda grid, x: grid.permute(0, 2, 3, 1))
        upper = _TimmHead(network, spot)
        words = "the tokens of the last stage"
        return Split(_TimmFeatures(network), upper, spot.at, words, True, any_size)
    blocks = getattr(network, "blocks", None)
    norm = (
        getattr(blocks[-1], "norm1", None)
        if isinstance(blocks, (nn.Sequential, nn.ModuleList)) and len(blocks)
        else None
    )
    if blocks is not None and features.dim() == 3 and isinstance(norm, nn.Module):
        spot = _token_spot(features.shape[1], int(getattr(network, "num_prefix_tokens", 0)), name)
        blocks[-1].norm1 = nn.Sequential(norm, spot)
        return Split(nn.Identity(), network, spot.at, "the tokens that enter the last block", False, False)
    raise _no_places(name)


def split_torchvision(network: nn.Module, side: int, name: str) -> Split:
    """A torchvision classifier; its parts have no common names, so that it stays whole and gets a spot to look at."""
    encoder: Any = getattr(network, "encoder", None)
    if hasattr(network, "class_token") and hasattr(encoder, "layers"):
        count = (side // int(getattr(network, "patch_size", side))) ** 2 + 1
        spot = _token_spot(count, 1, name)
        encoder.layers[-1].ln_1 = nn.Sequential(encoder.layers[-1].ln_1, spot)
        return Split(nn.Identity(), network, spot.at, "the tokens that enter the last block", False, False)
    outline = _outline(network)
    any_size = _takes_any_size(outline, side)
    layer = _last_stage(outline, side)
    if layer is None:
        raise _no_places(name)
    spot = Spot()
    parent, _, child = layer.rpartition(".")
    setattr(network.get_submodule(parent), child, nn.Sequential(network.get_submodule(layer), spot))
    return Split(nn.Identity(), network, spot.at, f"the output of {layer}", False, any_size)


class _TimmFeatures(nn.Module):
    network: Any  # a module with timm's methods

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network.forward_features(x)


class _TimmHead(nn.Module):
    network: Any  # likewise
    spot: Spot

    def __init__(self, network: nn.Module, spot: Spot) -> None:
        super().__init__()
        self.spot = spot
        self.network = network

    def forward(self, features: Tensor) -> Tensor:
        return self.network.forward_head(self.spot(features))


def _token_spot(tokens: int, prefix: int, name: str) -> Spot:
    """A spot for B x (prefix + places) x C: the class token and its like go around it."""
    side = math.isqrt(tokens - prefix)
    if side * side != tokens - prefix:
        raise _no_places(name)
    return Spot(
        lambda x: x[:, prefix:].transpose(1, 2).unflatten(2, (side, side)),
        lambda grid, x: torch.cat([x[:, :prefix], grid.flatten(2).transpose(1, 2)], dim=1),
    )


def _outline(network: nn.Module) -> nn.Module:
    """A copy without weights, whose passes compute shapes and nothing else."""
    return copy.deepcopy(network).to("meta")


def _takes_any_size(outline: nn.Module, side: int) -> bool:
    try:
        with torch.no_grad():
            outline(torch.zeros(1, 3, side, side + 64, device="meta"))
            outline(torch.zeros(1, 3, 96, 96, device="meta"))
    except (RuntimeError, AssertionError, ValueError):
        return False
    return True


def _last_stage(outline: nn.Module, side: int) -> str | None:
    """The name of the last module that yields B x C x h x w with several places, and does not only pool."""
    found: list[str] = []

    def seen(name: str) -> Callable[[nn.Module, tuple, object], None]:
        def hook(module: nn.Module, inputs: tuple, output: object) -> None:
            if isinstance(output, Tensor) and output.dim() == 4 and output.shape[-1] > 1 and output.shape[-2] > 1:
                found.append(name)

        return hook

    for name, module in outline.named_modules():
        if name and not isinstance(module, _POOLS):
            module.register_forward_hook(seen(name))
    with torch.no_grad():
        outline(torch.zeros(1, 3, side, side, device="meta"))
    return found[-1] if found else None


def _no_places(name: str) -> UserError:
    return UserError(
        f"{name} keeps no places that could be looked at; take a convolutional network, or a transformer of patches."
    )
