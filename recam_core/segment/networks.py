"""Segmentation networks: DeepLab in the published form, torchvision's, and one that a small machine trains.

A new one is an entry in :data:`NETWORKS`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recam_core.errors import UserError
from recam_core.model.backbones import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    SMALL_BACKBONE,
    build_backbone,
    load_imagenet,
    load_matching,
)
from recam_core.model.state_file import read_state
from recam_core.typed_path import typed_path


class SegmentationNetwork(nn.Module):
    """A backbone and a head: a picture in, a score for each label at each pixel out.

    Attributes:
        backbone: B x 3 x H x W, normalised, to features.
        head: features to B x L x h x w.
    """

    def __init__(self, backbone: nn.Module, head: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.backbone, self.head = backbone, head
        self._mean: Tensor
        self._std: Tensor
        self.register_buffer("_mean", torch.tensor(mean).view(1, 3, 1, 1) * 255, persistent=False)
        self.register_buffer("_std", torch.tensor(std).view(1, 3, 1, 1) * 255, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """B x 3 x H x W, normalised, to B x L x H x W scores."""
        scores = self.head(self.backbone(x))
        return F.interpolate(scores.float(), size=x.shape[-2:], mode="bilinear", align_corners=False)

    def preprocess(self, images: Tensor) -> Tensor:
        """B x H x W x 3 uint8 to B x 3 x H x W, normalised."""
        return (images.permute(0, 3, 1, 2).float() - self._mean) / self._std

    def freeze_norm(self) -> None:
        """Keep the backbone's batch norm at its running statistics; call after each ``train()``."""
        for module in self.backbone.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()

    @property
    def fill(self) -> tuple[int, int, int]:
        """The colour that becomes zero: what crops are padded with."""
        red, green, blue = (round(value) for value in self._mean.flatten().tolist())
        return red, green, blue

    def head_biases(self) -> Iterator[nn.Parameter]:
        """The biases of the head, which DeepLabV2 trains at twice its rate."""
        return (one for name, one in self.head.named_parameters() if name.endswith("bias"))


class SumOfAtrous(nn.Module):
    """DeepLabV2's head: 3 x 3 convolutions of several dilations, added up."""

    def __init__(self, channels: int, labels: int, rates: tuple[int, ...] = (6, 12, 18, 24)) -> None:
        super().__init__()
        branches = [nn.Conv2d(channels, labels, 3, padding=rate, dilation=rate) for rate in rates]
        for branch in branches:
            nn.init.normal_(branch.weight, std=0.01)
            if branch.bias is not None:
                nn.init.zeros_(branch.bias)
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        """B x C x h x w to B x L x h x w."""
        return torch.stack([branch(x) for branch in self.branches]).sum(dim=0)


@dataclass(frozen=True)
class NetworkKind:
    """One kind of network.

    Attributes:
        title: for people.
        about: what it is, in a sentence.
        build: the number of labels to a network without weights.
        weights: loads ImageNet weights into its backbone from a source and says where they came from.
    """

    title: str
    about: str
    build: Callable[[int], SegmentationNetwork]
    weights: Callable[[nn.Module, str], str]


def _lite0(labels: int) -> SegmentationNetwork:
    from torchvision.models.segmentation.deeplabv3 import DeepLabHead

    built = build_backbone(SMALL_BACKBONE, 16)
    return SegmentationNetwork(built.module, DeepLabHead(built.channels, labels, (3, 6, 9)), built.mean, built.std)


def _resnet(name: str, version: int) -> Callable[[int], SegmentationNetwork]:
    def build(labels: int) -> SegmentationNetwork:
        from torchvision import models
        from torchvision.models.segmentation.deeplabv3 import DeepLabHead

        # A stride of 8, as published.
        whole = getattr(models, name)(weights=None, replace_stride_with_dilation=[False, True, True])
        parts = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
        backbone = nn.Sequential()
        for part in parts:  # named as in ImageNet's weights
            backbone.add_module(part, getattr(whole, part))
        head = SumOfAtrous(2048, labels) if version == 2 else DeepLabHead(2048, labels)
        return SegmentationNetwork(backbone, head, IMAGENET_MEAN, IMAGENET_STD)

    return build


def _mobile(labels: int) -> SegmentationNetwork:
    from torchvision.models import mobilenet_v3_large
    from torchvision.models.segmentation.deeplabv3 import DeepLabHead

    features = mobilenet_v3_large(weights=None, dilated=True).features
    channels = features[-1].out_channels
    return SegmentationNetwork(features, DeepLabHead(channels, labels), IMAGENET_MEAN, IMAGENET_STD)


def _of_torchvision(name: str, prefix: str = "") -> Callable[[nn.Module, str], str]:
    """Loads torchvision's ImageNet weights, or a file of them."""

    def load(backbone: nn.Module, source: str) -> str:
        if source == "none":
            return "none"
        if source == "packaged":
            raise UserError(f"Only the network lite0 has packaged ImageNet weights; {name} takes a download or a file.")
        if source in ("auto", "download"):
            from torchvision.models import get_model_weights

            try:
                weights = next(one for one in get_model_weights(name) if one.name == "IMAGENET1K_V1")
                state, origin = weights.get_state_dict(progress=True, check_hash=True), f"torchvision {weights}"
            except (OSError, RuntimeError) as error:
                raise UserError(
                    f"The ImageNet weights of {name} could not be downloaded ({type(error).__name__}: {error}). "
                    "Without a network give a file (--weights FILE), take --network lite0, or --weights none."
                ) from error
        else:
            path = typed_path(source)
            if path is None or not path.is_file():
                raise UserError(f"There are no ImageNet weights at {source}; give auto, download, none or a file.")
            state, origin = read_state(path), f"file {path.name}"
        load_matching(backbone, {key.removeprefix(prefix): value for key, value in state.items()}, origin)
        return origin

    return load


NETWORKS = {
    "lite0": NetworkKind(
        "DeepLabV3, EfficientNet-Lite0",
        "torchvision's head on the backbone of the small preset, whose ImageNet weights are in a package.",
        _lite0,
        lambda backbone, source: load_imagenet(backbone, SMALL_BACKBONE, source),
    ),
    "deeplabv2_resnet101": NetworkKind(
        "DeepLabV2, ResNet-101", "The published one.", _resnet("resnet101", 2), _of_torchvision("resnet101")
    ),
    "deeplabv3_resnet50": NetworkKind(
        "DeepLabV3, ResNet-50", "torchvision's.", _resnet("resnet50", 3), _of_torchvision("resnet50")
    ),
    "deeplabv3_resnet101": NetworkKind(
        "DeepLabV3, ResNet-101", "torchvision's.", _resnet("resnet101", 3), _of_torchvision("resnet101")
    ),
    "deeplabv3_mobilenet_v3_large": NetworkKind(
        "DeepLabV3, MobileNetV3",
        "torchvision's, for phones.",
        _mobile,
        _of_torchvision("mobilenet_v3_large", prefix="features."),
    ),
}


def network_kind(name: str) -> NetworkKind:
    """The kind of a name. Raises UserError where there is none."""
    if name not in NETWORKS:
        raise UserError(f"There is no segmentation network '{name}'; there are {', '.join(NETWORKS)}.")
    return NETWORKS[name]
