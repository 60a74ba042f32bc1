"""Segmentation networks: DeepLab in the published form, torchvision's, and one that a small machine trains.

A new one is an entry in :data:`NETWORKS`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recam_core.checkpoint.run_folder import INFO_FILE, load_run
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

#: What a network can start from by a word, whatever lies there under that name.
_WORDS = ("auto", "packaged", "download", "none")
#: Channels that the slim network brings the features of its backbone to.
_SLIM = 256


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
        early: the parts of its backbone up to a stride of 8, which know edges and textures whatever the classes are.
    """

    title: str
    about: str
    build: Callable[[int], SegmentationNetwork]
    weights: Callable[[nn.Module, str], str]
    early: Callable[[nn.Module], Sequence[nn.Module]]


def _early_lite0(backbone: nn.Module) -> Sequence[nn.Module]:
    parts = dict(backbone.named_children())
    return [parts["conv_stem"], parts["bn1"], *list(parts["blocks"].children())[:3]]


def _early_resnet(backbone: nn.Module) -> Sequence[nn.Module]:
    return list(backbone.children())[:6]  # the stem, layer1 and layer2


def _lite0(slim: bool) -> Callable[[int], SegmentationNetwork]:
    def build(labels: int) -> SegmentationNetwork:
        from torchvision.models.segmentation.deeplabv3 import DeepLabHead
        from torchvision.ops import Conv2dNormActivation

        built, rates = build_backbone(SMALL_BACKBONE, 16), (3, 6, 9)
        head: nn.Sequential = DeepLabHead(_SLIM if slim else built.channels, labels, rates)
        if slim:
            head = nn.Sequential(Conv2dNormActivation(built.channels, _SLIM, kernel_size=1), *head)
        return SegmentationNetwork(built.module, head, built.mean, built.std)

    return build


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
        _lite0(slim=False),
        lambda backbone, source: load_imagenet(backbone, SMALL_BACKBONE, source),
        _early_lite0,
    ),
    "lite0_slim": NetworkKind(
        "DeepLabV3 on 256 channels, EfficientNet-Lite0",
        "The same, with the features brought to 256 channels before the head: a step takes three fifths of the time.",
        _lite0(slim=True),
        lambda backbone, source: load_imagenet(backbone, SMALL_BACKBONE, source),
        _early_lite0,
    ),
    "deeplabv2_resnet101": NetworkKind(
        "DeepLabV2, ResNet-101",
        "The published one.",
        _resnet("resnet101", 2),
        _of_torchvision("resnet101"),
        _early_resnet,
    ),
    "deeplabv3_resnet50": NetworkKind(
        "DeepLabV3, ResNet-50",
        "torchvision's.",
        _resnet("resnet50", 3),
        _of_torchvision("resnet50"),
        _early_resnet,
    ),
    "deeplabv3_resnet101": NetworkKind(
        "DeepLabV3, ResNet-101",
        "torchvision's.",
        _resnet("resnet101", 3),
        _of_torchvision("resnet101"),
        _early_resnet,
    ),
    "deeplabv3_mobilenet_v3_large": NetworkKind(
        "DeepLabV3, MobileNetV3",
        "torchvision's, for phones.",
        _mobile,
        _of_torchvision("mobilenet_v3_large", prefix="features."),
        lambda backbone: list(backbone.children())[:7],
    ),
}


def start_run(source: str) -> Path | None:
    """The folder of the run that a network starts from; None where it starts from something else."""
    path = None if source in _WORDS else typed_path(source)
    return path if path is not None and (path / INFO_FILE).is_file() else None


def load_start(kind: NetworkKind, backbone: nn.Module, source: str) -> tuple[str, bool]:
    """Load what a network starts from into its backbone: weights from ImageNet, or the backbone of a run.

    A classifier that was trained on the image-level labels of these pictures knows their classes already, so a short
    training of the network gets further from there.

    Args:
        kind: of the network.
        backbone: of the network, changed in place.
        source: ``auto``, ``packaged``, ``download``, ``none``, a file of ImageNet weights, or the folder of a run.

    Returns:
        A word on where they came from, for the record, and whether what it starts from had seen ImageNet.

    Raises:
        UserError: the weights cannot be had, or are of another backbone.
    """
    path = start_run(source)
    if path is None:
        if source not in _WORDS and (named := typed_path(source)) is not None and named.is_dir():
            raise UserError(f"{source} is the folder of no run: it has no {INFO_FILE}. `train` makes such a folder.")
        origin = kind.weights(backbone, source)
        return origin, origin != "none"
    run = load_run(path)
    load_matching(backbone, run.network.backbone.state_dict(), f"The run {path} ({run.network.spec.backbone})")
    return f"run {run.info.name} ({run.info.weights_sha256[:8]})", run.info.imagenet != "none"


def network_kind(name: str) -> NetworkKind:
    """The kind of a name. Raises UserError where there is none."""
    if name not in NETWORKS:
        raise UserError(f"There is no segmentation network '{name}'; there are {', '.join(NETWORKS)}.")
    return NETWORKS[name]
