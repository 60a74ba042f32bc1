"""The network: a backbone with the bias-free classifiers FC1 and FC2 on top."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from recam_core.model.backbones import build_backbone


@dataclass(frozen=True)
class NetworkSpec:
    """All that is needed to build the network again before its weights are loaded.

    Attributes:
        backbone: see :func:`recam_core.model.backbones.build_backbone`.
        output_stride: pixels of the input a cell of the feature map.
        num_classes: K.
        channels: C, the feature channels.
        mean, std: normalisation of the input, a number a colour channel, for values in 0..1.
        has_fc2: whether FC2 was trained.
        background_row: whether FC2 has a row more, that of the background (:mod:`recam_core.method.background`).
    """

    backbone: str
    output_stride: int
    num_classes: int
    channels: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    has_fc2: bool = False
    background_row: bool = False


class CamNetwork(nn.Module):
    """f(x), FC1 and, for ReCAM, FC2.

    Attributes:
        spec: how it is built.
        backbone: B x 3 x H x W, normalised, to B x C x h x w.
        fc1, fc2: K x C weights w and w' (1x1 convolutions without bias); ``fc2`` is None without it, and has the
            background row behind its K rows where there is one.
    """

    _mean: Tensor
    _std: Tensor

    def __init__(
        self,
        backbone: str,
        num_classes: int,
        output_stride: int = 16,
        with_fc2: bool = False,
        background_row: bool = False,
    ) -> None:
        super().__init__()
        built = build_backbone(backbone, output_stride)
        self.backbone = built.module
        self.spec = NetworkSpec(
            backbone,
            output_stride,
            num_classes,
            built.channels,
            built.mean,
            built.std,
            has_fc2=with_fc2,
            background_row=with_fc2 and background_row,
        )
        self.fc1 = nn.Parameter(new_classifier(num_classes, built.channels))
        self.fc2 = nn.Parameter(new_classifier(self._fc2_rows, built.channels)) if with_fc2 else None
        self.register_buffer("_mean", torch.tensor(built.mean).view(1, 3, 1, 1) * 255, persistent=False)
        self.register_buffer("_std", torch.tensor(built.std).view(1, 3, 1, 1) * 255, persistent=False)

    def preprocess(self, images: np.ndarray | Tensor) -> Tensor:
        """uint8 RGB images, H x W x 3 or B x H x W x 3, to a normalised B x 3 x H x W float tensor on its device."""
        if isinstance(images, np.ndarray) and not images.flags.writeable:
            images = images.copy()  # loaders hand out read-only pictures, which torch warns about
        images = torch.as_tensor(images, device=self.fc1.device)
        if images.dim() == 3:
            images = images[None]
        # permute leaves the values where they are: the tensor is channels-last, which convolutions on a CPU like best.
        return (images.permute(0, 3, 1, 2).float() - self._mean) / self._std

    def features(self, x: Tensor) -> Tensor:
        """f(x): B x 3 x H x W, normalised, to B x C x h x w."""
        return self.backbone(x)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features f(x), B x C x h x w, and the logits z = FC1(GAP(f(x))), B x K."""
        features = self.features(x)
        return features, features.mean(dim=(2, 3)).float() @ self.fc1.T

    @property
    def _fc2_rows(self) -> int:
        return self.spec.num_classes + self.spec.background_row

    def add_fc2(self, generator: torch.Generator | None = None, background_row: bool = False) -> None:
        """Give the network a fresh FC2, or none of the old one's knowledge where it had one."""
        self.spec = NetworkSpec(**{**vars(self.spec), "has_fc2": True, "background_row": background_row})
        fresh = new_classifier(self._fc2_rows, self.spec.channels, generator)
        self.fc2 = nn.Parameter(fresh.to(self.fc1.device))

    def freeze_norm(self) -> None:
        """Keep batch norm at its running statistics, as the paper does; call after each ``train()``."""
        for module in self.norm_layers():
            module.eval()

    def norm_layers(self) -> Iterator[nn.Module]:
        """The batch-norm layers of the backbone."""
        for module in self.backbone.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                yield module

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.fc1.device


def new_classifier(num_classes: int, channels: int, generator: torch.Generator | None = None) -> Tensor:
    """K x C weights, uniform in +-1/sqrt(C): what torch gives a fresh 1x1 convolution."""
    bound = channels**-0.5
    return (torch.rand(num_classes, channels, generator=generator) * 2 - 1) * bound
