"""The layout of the published ReCAM implementation's files, in this project's names.

It saves the state dict of its CAM network: a ResNet-50 under ``resnet50.``, the same tensors again as ``stage1`` to
``stage4`` (and, through module lists, under ``backbone.`` and ``newly_added.``), and FC1 as ``classifier.weight``.
FC2 lies in a file of its own, again as ``classifier.weight``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from recam_core.data.sample import MAX_CLASSES
from recam_core.errors import UserError
from recam_core.model.backbones import PAPER_BACKBONE
from recam_core.model.network import CamNetwork
from recam_core.model.state_file import StateFile, finite, read_state, shape_words, shown_name

CLASSIFIER = "classifier.weight"
#: stage1 of the published network is Sequential(conv1, bn1, relu, maxpool, layer1); the relu and pool have no weights.
STAGE1 = {"0": "conv1", "1": "bn1", "4": "layer1"}
#: Not part of feature extraction, and left out: torchvision's own classifier.
UNUSED = re.compile(r"resnet50\.fc\.(weight|bias)$")


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


def is_published(state: Mapping[str, Tensor]) -> bool:
    """Whether the names are those of the published network, as far as the stages that nothing else has go."""
    return any(key.startswith("stage4.0.") for key in state)


def read_published(cam: StateFile, fc2: StateFile | None = None) -> Published:
    """Read and check the published files.

    Args:
        cam: file of the CAM (or ReCAM) network.
        fc2: file of the FC2 predictor, if there is one.

    Raises:
        UserError: a file is missing, truncated, of another architecture, holds code, or has numbers that are not
            finite; the message says which.
    """
    return from_state(read_state(cam), shown_name(cam), fc2)


def from_state(state: dict[str, Tensor], name: str, fc2: StateFile | None = None) -> Published:
    """As :func:`read_published`, of a CAM network that is read already.

    Args:
        state: tensors by name, as the file ``name`` has them.
        name: for messages.
        fc2: see there.
    """
    expected = _expected_backbone()
    fc1 = _classifier(state.get(CLASSIFIER), name, "a CAM network of the published implementation")
    backbone: dict[str, Tensor] = {}
    for key, value in state.items():
        if key == CLASSIFIER or UNUSED.match(key):
            continue
        target = _own_name(key)
        if target == CLASSIFIER:
            _same(fc1, value.flatten(1), key, name)
        elif target not in expected:
            raise _foreign(name, f"it has {key!r} besides")
        elif target in backbone:
            _same(backbone[target], value, key, name)
        elif value.shape != expected[target].shape:
            raise _foreign(
                name, f"{target!r} has shape {shape_words(value)} instead of {shape_words(expected[target])}"
            )
        else:
            backbone[target] = finite(value, target, name)
    for target, wanted in expected.items():
        # Older files lack the counter of batches, which frozen batch norm does not use.
        if target not in backbone and not target.endswith("num_batches_tracked"):
            raise _foreign(name, f"it has no {target!r}")
        backbone[target] = backbone.get(target, wanted).to(wanted.dtype)
    if fc2 is None:
        return Published(backbone, fc1, None)
    fc2_name = shown_name(fc2)
    predictor = _classifier(read_state(fc2).get(CLASSIFIER), fc2_name, "an FC2 predictor")
    if predictor.shape != fc1.shape:
        raise UserError(
            f"{fc2_name} has {len(predictor)} classes, but {name} has {len(fc1)}; the two files are not of one "
            "training."
        )
    return Published(backbone, fc1, predictor)


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


def _classifier(weight: Tensor | None, name: str, what: str) -> Tensor:
    """``classifier.weight``, K x 2048 (x 1 x 1), as K x 2048 float32."""
    if weight is None:
        raise UserError(f"{name} is not {what}: it has no {CLASSIFIER!r}.")
    # A row more than masks can tell classes apart: that of a background.
    if weight.shape[1:] not in ((2048, 1, 1), (2048,)) or not 0 < len(weight) <= MAX_CLASSES + 1:
        raise UserError(
            f"{name} is not {what}: {CLASSIFIER!r} has shape {shape_words(weight)} instead of classes x 2048 x 1 x 1."
        )
    return finite(weight.flatten(1).float(), CLASSIFIER, name)


def _same(one: Tensor, other: Tensor, key: str, name: str) -> None:
    # Mostly they share their memory even in the file, and need not be compared.
    shared = one.data_ptr() == other.data_ptr() and one.stride() == other.stride()
    if one.shape != other.shape or not (shared or torch.equal(one.to(other.dtype), other)):
        raise UserError(f"{name} contradicts itself: {key!r} differs from the same weights under another name.")


def _foreign(name: str, found: str) -> UserError:
    return UserError(f"{name} is of another architecture: expected the ResNet-50 of the published code, but {found}.")
