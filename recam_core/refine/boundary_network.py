"""IRN's network: from the features of all stages of a backbone to boundaries and displacements.

Ahn, Cho and Kwak, CVPR 2019, section 4.1; the widths of the layers are those of the published code, of which only the
channels of the stages depend on the backbone.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recam_core.errors import UserError
from recam_core.maps.activation_maps import grid_size
from recam_core.model.backbones import PaperResNet50
from recam_core.model.network import CamNetwork

#: Channels of a stage in the edge head; of the first, second and all deeper stages in the displacement head.
_EDGE, _DISPLACEMENT = 32, (64, 128, 256)


class BoundaryNetwork(nn.Module):
    """Two heads on a backbone that stays as it is.

    Attributes:
        edge: S stages to one logit a cell of the grid of stride 4: whether a boundary runs there.
        displacement: S stages to two numbers a cell: how many cells down and to the right the centre of the object is.
        mean_displacement: 2; subtracted outside of training (the published code's "mean shift").
    """

    def __init__(self, cam_network: CamNetwork) -> None:
        """Heads with fresh weights on the backbone of a network, whose parameters are not among this module's own.

        Raises:
            UserError: the backbone says nothing of its stages.
        """
        super().__init__()
        self._stages = stages_of(cam_network)
        channels = [count for _, count in self._stages]
        self._cam_network = [cam_network]  # in a list: its weights are neither trained nor kept here
        self.edge = nn.ModuleList(_projected(count, _EDGE, 4) for count in channels)
        self.edge_all = nn.Conv2d(_EDGE * len(channels), 1, 1)
        widths = [_DISPLACEMENT[min(place, 2)] for place in range(len(channels))]
        self.displacement = nn.ModuleList(
            _projected(count, width, 8 if place == 0 else 16)
            for place, (count, width) in enumerate(zip(channels, widths, strict=True))
        )
        deep = _DISPLACEMENT[2]
        self.displacement_deep = _projected(sum(widths[2:]), deep, 16, activated=True)
        self.displacement_all = nn.Sequential(
            _projected(sum(widths[:2]) + deep, deep, 16, activated=True), nn.Conv2d(deep, 2, 1, bias=False)
        )
        self.mean_displacement: Tensor
        self.register_buffer("mean_displacement", torch.zeros(2))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """B x 3 x H x W, normalised, to the edge logits, B x h x w, and displacements, B x 2 x h x w (y, x).

        h = ceil(H / 4), w = ceil(W / 4), the grid of the maps.
        """
        size, stages = grid_size((x.shape[-2], x.shape[-1])), self._features(x)
        found = [F.relu(_at(size, head(stage))) for head, stage in zip(self.displacement, stages, strict=True)]
        deep = self.displacement_deep(torch.cat(found[2:], dim=1))
        displacement = self.displacement_all(torch.cat([*found[:2], deep], dim=1))
        if not self.training:
            displacement = displacement - self.mean_displacement[:, None, None]
        return self._edge_logits(stages, size), displacement

    def _edge_logits(self, stages: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        edges = [F.relu(_at(size, head(stage))) for head, stage in zip(self.edge, stages, strict=True)]
        return self.edge_all(torch.cat(edges, dim=1))[:, 0]

    @torch.inference_mode()
    def boundary(self, image: np.ndarray) -> np.ndarray:
        """h x w float32, 0..1: where boundaries run in a picture (H x W x 3 uint8), of it and its mirror image."""
        x = self._cam_network[0].preprocess(image)
        # The walk needs no displacements, whose head costs as much as the backbone.
        logits = self._edge_logits(self._features(torch.cat([x, x.flip(-1)])), grid_size(image.shape[:2]))
        return torch.sigmoid((logits[0] + logits[1].flip(-1)) / 2).cpu().numpy()

    def _features(self, x: Tensor) -> list[Tensor]:
        """What each stage of the backbone gives, without gradients and with its norms at rest."""
        network = self._cam_network[0]
        was_training = network.training
        network.eval()
        try:
            with torch.no_grad(), _listening(network, [name for name, _ in self._stages]) as heard:
                network.features(x)
            return [heard[name].float() for name, _ in self._stages]
        finally:
            network.train(was_training)


def stages_of(network: CamNetwork) -> list[tuple[str, int]]:
    """The stages of a backbone from the input on: the name of the module that ends each, and its channels.

    Raises:
        UserError: the backbone does not say which they are, or has fewer than three.
    """
    if isinstance(network.backbone, PaperResNet50):
        return [("maxpool", 64), ("layer1", 256), ("layer2", 512), ("layer3", 1024), ("layer4", 2048)]
    told = getattr(network.backbone, "feature_info", None)
    stages = [(str(one["module"]), int(one["num_chs"])) for one in getattr(told, "info", told) or []]
    if len(stages) < 3:
        raise UserError(
            f"The backbone {network.spec.backbone} does not say where its stages end, which boundaries are learnt "
            "from; use a run with another one, such as tf_efficientnet_lite0 or resnet50."
        )
    return stages


def _at(size: tuple[int, int], features: Tensor) -> Tensor:
    if features.shape[-2:] == size:
        return features
    return F.interpolate(features, size=size, mode="bilinear", align_corners=False)


def _projected(channels: int, width: int, groups: int, activated: bool = False) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(channels, width, 1, bias=False), nn.GroupNorm(groups, width)]
    return nn.Sequential(*layers, nn.ReLU()) if activated else nn.Sequential(*layers)


@contextmanager
def _listening(network: CamNetwork, names: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    heard: dict[str, Tensor] = {}
    handles = []
    for name in names:
        module = network.backbone.get_submodule(name)
        handles.append(module.register_forward_hook(lambda _m, _i, output, name=name: heard.__setitem__(name, output)))
    try:
        yield heard
    finally:
        for handle in handles:
            handle.remove()
