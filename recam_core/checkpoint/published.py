"""Reading the files of the published ReCAM implementation, without running code from them.

It saves the state dict of its CAM network: a ResNet-50 under ``resnet50.``, the same tensors again as ``stage1`` to
``stage4`` (and, through module lists, under ``backbone.`` and ``newly_added.``), and FC1 as ``classifier.weight``.
FC2 lies in a file of its own, again as ``classifier.weight``.
"""

import hashlib
import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from recam_core.checkpoint.published_classes import classes_named
from recam_core.checkpoint.run_folder import RunInfo
from recam_core.errors import UserError
from recam_core.model.backbones import PAPER_BACKBONE
from recam_core.model.network import CamNetwork

CLASSIFIER = "classifier.weight"
#: stage1 of the published network is Sequential(conv1, bn1, relu, maxpool, layer1); the relu and pool have no weights.
STAGE1 = {"0": "conv1", "1": "bn1", "4": "layer1"}
#: Not part of feature extraction, and left out: torchvision's own classifier.
UNUSED = re.compile(r"resnet50\.fc\.(weight|bias)$")
#: What torch.load and its unpickler raise for files that are damaged or something else.
LOAD_ERRORS = (
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    MemoryError,
    OverflowError,
    struct.error,
    zipfile.BadZipFile,
)


@dataclass(frozen=True)
class Published:
    """What the published files hold, in this project's names.

    Attributes:
        backbone: state of :class:`recam_core.model.backbones.PaperResNet50`.
        fc1: K x 2048, w.
        fc2: K x 2048, w', or None if its file was not given.
    """

    backbone: dict[str, Tensor]
    fc1: Tensor
    fc2: Tensor | None


def import_published(
    cam: str | Path, fc2: str | Path | None, name: str, classes: str | None = None
) -> tuple[CamNetwork, RunInfo]:
    """Build a network from the published files.

    Args:
        cam: file of the CAM (or ReCAM) network.
        fc2: file of the FC2 predictor, if there is one.
        name: of the run.
        classes: ``voc``, ``coco``, or a file with one name a line; None takes VOC's or COCO's, whichever fits K.

    Returns:
        The network and the record to save it with.

    Raises:
        UserError: see :func:`read_published`; or the number of classes is another one.
    """
    published = read_published(cam, fc2)
    count = len(published.fc1)
    named = classes_named(classes, count)
    network = CamNetwork(PAPER_BACKBONE, count, with_fc2=published.fc2 is not None)
    network.backbone.load_state_dict(published.backbone)
    with torch.no_grad():
        network.fc1.copy_(published.fc1)
        if published.fc2 is not None:
            network.fc2.copy_(published.fc2)
    files = {"cam": Path(cam)} | ({"fc2": Path(fc2)} if fc2 is not None else {})
    recipe = {
        "imported": "files of the published implementation",
        **{key: {"file": file.name, "sha256": _sha256(file)} for key, file in files.items()},
    }
    info = RunInfo(
        name=name,
        method="bce" if published.fc2 is None else "recam",
        # The product is what the paper extracts with once there is an FC2.
        rule="fc1" if published.fc2 is None else "product",
        network={},
        classes=list(named.names),
        has_background=named.has_background,
        data="",
        recipe=recipe,
        seed=0,
    )
    return network.eval(), info


def read_published(cam: str | Path, fc2: str | Path | None = None) -> Published:
    """Read and check the published files.

    Args:
        cam: file of the CAM (or ReCAM) network.
        fc2: file of the FC2 predictor, if there is one.

    Raises:
        UserError: a file is missing, truncated, of another architecture, holds code, or has numbers that are not
            finite; the message says which.
    """
    cam = Path(cam)
    state = _read_state(cam)
    expected = _expected_backbone()
    fc1 = _classifier(state.pop(CLASSIFIER, None), cam, "a CAM network of the published implementation")
    backbone: dict[str, Tensor] = {}
    for key, value in state.items():
        if UNUSED.match(key):
            continue
        target = _own_name(key)
        if target == CLASSIFIER:
            _same(fc1, value.flatten(1), key, cam)
        elif target not in expected:
            raise _foreign(cam, f"it has {key!r} besides")
        elif target in backbone:
            _same(backbone[target], value, key, cam)
        elif value.shape != expected[target].shape:
            raise _foreign(cam, f"{target!r} has shape {_shape(value)} instead of {_shape(expected[target])}")
        else:
            backbone[target] = _finite(value, target, cam)
    for name, wanted in expected.items():
        # Older files lack the counter of batches, which frozen batch norm does not use.
        if name not in backbone and not name.endswith("num_batches_tracked"):
            raise _foreign(cam, f"it has no {name!r}")
        backbone[name] = backbone.get(name, wanted).to(wanted.dtype)
    if fc2 is None:
        return Published(backbone, fc1, None)
    predictor = _classifier(_read_state(Path(fc2)).get(CLASSIFIER), Path(fc2), "an FC2 predictor")
    if predictor.shape != fc1.shape:
        raise UserError(
            f"{fc2} has {len(predictor)} classes, but {cam} has {len(fc1)}; the two files are not of one training."
        )
    return Published(backbone, fc1, predictor)


def _read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a ``.pth`` file by name, without a leading ``module.``."""
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    if path.stat().st_size == 0:
        raise UserError(f"{path} is empty.")
    try:
        with warnings.catch_warnings():
            # torch asks the reader to report odd pickles to it; the sentences below say what a person can do.
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        asked = re.search(r"GLOBAL ([\w.]+)", str(error))
        found = f"a pickle that asks for {asked[1]}" if asked else "a pickle with other objects, or no checkpoint"
        raise UserError(
            f"{path} was refused, and nothing in it was run: it is not plain weights but {found}. If you trust it, "
            "save its state dict alone from the program that made it."
        ) from error
    except LOAD_ERRORS as error:
        raise UserError(f"{path} cannot be read as a checkpoint: it is truncated or of another kind.") from error
    for wrapper in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not content:
        raise UserError(f"{path} holds no state dict (named weights) but {type(content).__name__}.")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor) or value.layout != torch.strided:
            raise UserError(f"{path} holds no state dict (named weights): its entry {key!r} is no plain tensor.")
    return {key.removeprefix("module."): value for key, value in content.items()}


def _own_name(key: str) -> str | None:
    """The name in PaperResNet50 (torchvision's) of a published key, or None for a key that is not one."""
    if key.startswith("resnet50."):
        return key.removeprefix("resnet50.")
    # The module lists of the published network hold the stages and the classifier a second time.
    key = re.sub(r"^backbone\.([0-3])\.", lambda match: f"stage{int(match[1]) + 1}.", key)
    key = re.sub(r"^newly_added\.0\.", "classifier.", key)
    if key == CLASSIFIER:
        return key
    match = re.match(r"stage([1-4])\.(\d+)\.(.+)$", key)
    if match is None:
        return None
    stage, place, rest = match.groups()
    if stage == "1":
        return f"{STAGE1[place]}.{rest}" if place in STAGE1 else None
    return f"layer{stage}.{rest}" if place == "0" else None


def _expected_backbone() -> dict[str, Tensor]:
    with torch.device("meta"):
        network = CamNetwork(PAPER_BACKBONE, 1)
    state = network.backbone.state_dict()
    return {
        name: torch.zeros((), dtype=torch.int64) if name.endswith("num_batches_tracked") else value
        for name, value in state.items()
    }


def _classifier(weight: Tensor | None, path: Path, what: str) -> Tensor:
    """``classifier.weight``, K x 2048 (x 1 x 1), as K x 2048 float32."""
    if weight is None:
        raise UserError(f"{path} is not {what}: it has no {CLASSIFIER!r}.")
    if weight.shape[1:] not in ((2048, 1, 1), (2048,)) or not 0 < len(weight) < 255:
        raise UserError(
            f"{path} is not {what}: {CLASSIFIER!r} has shape {_shape(weight)} instead of classes x 2048 x 1 x 1."
        )
    return _finite(weight.flatten(1).float(), CLASSIFIER, path)


def _finite(value: Tensor, name: str, path: Path) -> Tensor:
    if value.is_floating_point() and not torch.isfinite(value).all():
        raise UserError(f"{path} is damaged, or its training failed: {name!r} has values that are not finite.")
    return value


def _same(one: Tensor, other: Tensor, key: str, path: Path) -> None:
    # Mostly they share their memory even in the file, and need not be compared.
    shared = one.data_ptr() == other.data_ptr() and one.stride() == other.stride()
    if one.shape != other.shape or not (shared or torch.equal(one.to(other.dtype), other)):
        raise UserError(f"{path} contradicts itself: {key!r} differs from the same weights under another name.")


def _foreign(path: Path, found: str) -> UserError:
    return UserError(f"{path} is of another architecture: expected the ResNet-50 of the published code, but {found}.")


def _shape(value: Tensor) -> str:
    return "x".join(map(str, value.shape)) or "scalar"


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
