"""Networks that were trained elsewhere: a backbone of ours with one classifier on top, made into a run.

The backbone is found by the names and shapes of its weights, or asked for. What is left over must be the classifier:
a linear layer or a 1x1 convolution. Where layers lie between the two, the maps would not be those of the classifier,
so that such a file is refused.
"""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from recam_core.atomic_write import replacing_folder
from recam_core.checkpoint.published import CLASSIFIER, FittedClasses, fit_classes, from_state, is_published
from recam_core.checkpoint.run_folder import RunInfo, rows_without_weights, save_run
from recam_core.data.match_classes import match_classes
from recam_core.data.sample import MAX_CLASSES
from recam_core.data.spec import open_dataset
from recam_core.errors import UserError
from recam_core.file_reader import OpenFile, shown_name
from recam_core.guest import as_typed_spec
from recam_core.guest_room import room_for
from recam_core.model.backbones import PAPER_BACKBONE, SMALL_BACKBONE, build_backbone
from recam_core.model.network import CamNetwork
from recam_core.model.state_file import file_record, finite, read_state, shape_words
from recam_core.words import few

#: What a network was trained with, as far as one classifier goes.
IMPORTED_METHODS = ("bce", "sce")
#: Backbones that are recognised, by a name that only their family has; any other one is asked for.
_RECOGNISED: dict[str, tuple[str, ...]] = {
    "layer4.0.conv1.weight": (
        *(PAPER_BACKBONE, "resnet18", "resnet34", "resnet101", "resnet152", "resnet26", "resnet50d", "resnet101d"),
        *("resnext50_32x4d", "resnext101_32x8d", "wide_resnet50_2", "wide_resnet101_2", "seresnet50"),
    ),
    "conv_stem.weight": (
        *(SMALL_BACKBONE, "efficientnet_lite0", "mobilenetv2_100"),
        *(f"{kind}efficientnet_b{size}" for size in range(5) for kind in ("", "tf_")),
    ),
    "stages.0.blocks.0.conv_dw.weight": ("convnext_tiny", "convnext_small", "convnext_base", "convnext_nano"),
    "s1.b1.conv1.conv.weight": ("regnety_004", "regnety_008", "regnety_016", "regnety_032", "regnetx_008"),
}
#: torchvision's ResNets as Sequential(*children): the places of what has weights.
_SEQUENTIAL = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
_COUNTER = "num_batches_tracked"
#: Parts that only a training needs, kept beside a network by what trained it; no layer of it.
_OF_TRAINING = ("criterion", "loss", "loss_fn", "loss_function", "metric", "metrics", "train_metrics", "val_metrics")


@dataclass(frozen=True)
class ImportSettings:
    """What a person says of a file of weights; all of it may be left to be found.

    Attributes:
        classes: names of the classifier's rows, see
            :func:`recam_core.checkpoint.published.named_rows`; None takes those of ``data``, else VOC's or
            COCO's by their number.
        has_background: whether pixels of no class are background; None takes what ``data`` or the list says, else
            that they are.
        backbone: see :func:`recam_core.model.backbones.build_backbone`; "" recognises it.
        output_stride: pixels of the input a cell of the feature map; weights do not tell.
        classifier: the name of the classifier's weight where there are several; "" finds it.
        method: what the classifier was trained with, one of ``IMPORTED_METHODS``.
        data: specification of pictures that the network knows; the pages open them with it.
    """

    classes: Sequence[str] | None = None
    has_background: bool | None = None
    backbone: str = ""
    output_stride: int = 16
    classifier: str = ""
    method: str = "bce"
    data: str = ""


@dataclass(frozen=True)
class Imported:
    """A network as it was read.

    Attributes:
        network: in evaluation mode.
        info: the record to save it with.
        notes: a sentence for each thing that was decided or left out.
    """

    network: CamNetwork
    info: RunInfo
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class _Parts:
    """The weights of a file taken apart: backbone, and classifiers of all their rows."""

    backbone: str
    weights: dict[str, Tensor]
    classifier: str
    fc1: Tensor
    fc2: Tensor | None
    left_out: tuple[str, ...]


def import_weights(
    file: OpenFile, name: str, said: ImportSettings | None = None, fc2: OpenFile | None = None
) -> Imported:
    """Read a network from a file of weights; nothing in it is run.

    Args:
        file: ``.pth``, ``.pt`` or ``.safetensors``; in the published layout, or any backbone with one classifier.
        name: of the run.
        said: what is known of it.
        fc2: a file with the second classifier of a ReCAM.

    Raises:
        UserError: the file is damaged, holds code or numbers that are not finite; its backbone is not recognised, or
            is another one than was said; the classes do not fit. The message says what was expected.
    """
    said = said or ImportSettings()
    if said.method not in IMPORTED_METHODS:
        raise UserError(f"An imported classifier was trained with {' or '.join(IMPORTED_METHODS)}, not {said.method}.")
    shown = shown_name(file)
    state = read_state(file)
    said = _with_data(said)
    published = is_published(state)
    parts = _of_published(state, shown, said, fc2) if published else _taken_apart(state, shown, said, fc2)
    fitted = fit_classes(said.classes, len(parts.fc1), said.has_background, f"'{parts.classifier}' of {shown}")
    network = _built(parts, said, fitted)
    notes = _notes(parts, fitted, network, said, published)
    recipe = {
        "imported": "files of the published implementation" if published else "weights that were trained elsewhere",
        "weights": file_record(file),
        **({} if fc2 is None else {"fc2": file_record(fc2)}),
        "classifier": parts.classifier,
        "left_out": list(parts.left_out) + ([] if fitted.background_row is None else ["the background's row"]),
    }
    info = RunInfo(
        name=name,
        method=said.method if parts.fc2 is None else "recam",
        # The product is what the paper extracts with once there is an FC2.
        rule="fc1" if parts.fc2 is None else "product",
        network={},
        classes=list(fitted.classes.names),
        has_background=fitted.classes.has_background,
        data=said.data,
        recipe=recipe,
        seed=0,
    )
    return Imported(network.eval(), info, notes)


def import_command(file: OpenFile, out: str, said: ImportSettings, fc2: OpenFile | None = None) -> str:
    """The command line that makes the same run of the same files again."""
    words = ["python", "-m", "recam_core", "checkpoint", "import", shown_name(file), "--out", out]
    words += [] if fc2 is None else ["--fc2", shown_name(fc2)]
    words += [] if said.classes is None else ["--classes", ",".join(said.classes)]
    words += ["--no-background"] if said.has_background is False else []
    for option, value in (
        ("--backbone", said.backbone),
        ("--classifier", said.classifier),
        ("--data", as_typed_spec(said.data)),
    ):
        words += [option, value] if value else []
    words += ["--output-stride", str(said.output_stride)] if said.output_stride != ImportSettings.output_stride else []
    words += ["--method", said.method] if said.method != ImportSettings.method else []
    return shlex.join(words)


def save_imported(folder: str | Path, imported: Imported, half: bool = False) -> RunInfo:
    """Write a new run folder, whole or not at all.

    Raises:
        UserError: the folder is there already, or cannot be written to.
    """
    size = sum(weight.nbytes for weight in imported.network.state_dict().values())
    with room_for(size, files=2), replacing_folder(folder, fresh=True) as temporary:
        return save_run(temporary, imported.network, imported.info, half=half)


def _with_data(said: ImportSettings) -> ImportSettings:
    """What the pictures that the network knows say about its classes."""
    if not said.data:
        return said
    found = open_dataset(said.data).classes
    if said.classes is None:
        known = found.has_background if said.has_background is None else said.has_background
        return replace(said, classes=found.names, has_background=known)
    names = [name for name in said.classes if name.lower() != "background"]
    same = [name.casefold() for name in names] == [name.casefold() for name in found.names]
    if not same and not match_classes(found, type(found)(tuple(names))).shared:
        raise UserError(f"{said.data} shows none of the classes that are named: it has {', '.join(found.names)}.")
    if said.has_background is None and len(names) == len(said.classes):
        return replace(said, has_background=found.has_background)
    return said


# Taking a file apart -------------------------------------------------------------------------------------------------


def _of_published(state: dict[str, Tensor], name: str, said: ImportSettings, fc2: OpenFile | None) -> _Parts:
    if said.backbone not in ("", PAPER_BACKBONE) or said.output_stride != 16:
        raise UserError(f"{name} has the published layout, whose backbone is {PAPER_BACKBONE} with output stride 16.")
    found = from_state(state, name, fc2)
    return _Parts(PAPER_BACKBONE, found.backbone, CLASSIFIER, found.fc1, found.fc2, ())


def _taken_apart(state: dict[str, Tensor], name: str, said: ImportSettings, fc2: OpenFile | None) -> _Parts:
    state = _sequential_names(state)
    backbone, prefix = _stated(state, name, said) if said.backbone else _recognised(state, name)
    shapes, channels = _shapes(backbone)
    weights = {key: _as_wanted(state[prefix + key], key, name) for key in shapes if prefix + key in state}
    backbones = {prefix + key for key in weights}
    rest = {key: value for key, value in state.items() if key not in backbones}
    classifier = _find_classifier(rest, channels, name, backbone, said)
    own = {classifier, _bias_of(classifier)}
    second = rest.get("fc2") if fc2 is None and classifier == "fc1" else None
    others = [key for key in rest if key not in own and not (key == "fc2" and second is not None)]
    strange = [
        key
        for key in others
        if not _is_classifier_part(rest, key, channels) and key.partition(".")[0] not in _OF_TRAINING
    ]
    if strange:
        raise UserError(
            f"{name} has more than a {backbone} and a classifier: {_listed(strange)}. Layers between the two make "
            "features that are not computed here, so the maps would not be this network's."
        )
    fc1 = _classifier(rest[classifier], classifier, name)
    if fc2 is not None:
        second = _second(fc2, fc1)
    elif second is not None and len(second) != len(fc1):
        raise UserError(f"{name} has an FC2 with a background row, which only a run has: import the run's zip instead.")
    return _Parts(
        backbone,
        weights,
        classifier,
        fc1,
        None if second is None else _classifier(second, "fc2", name),
        tuple(sorted([*others, *(own & rest.keys() - {classifier})])),
    )


def _sequential_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """``0.weight``, ``7.0.conv1.weight`` of Sequential(*resnet.children()) as ``conv1.weight``, ``layer4.0...``."""
    anchor = next((key for key in state if re.search(r"(^|\.)7\.0\.conv1\.weight$", key)), None)
    if anchor is None:
        return state
    prefix = anchor.removesuffix("7.0.conv1.weight")
    pattern = re.compile(re.escape(prefix) + r"([014567])(?=\.)")
    return {pattern.sub(lambda match: prefix + _SEQUENTIAL[match[1]], key, count=1): state[key] for key in state}


def _recognised(state: Mapping[str, Tensor], name: str) -> tuple[str, str]:
    """Name of the backbone, and what stands in front of its weights' names."""
    candidates = [
        candidate
        for anchor, family in _RECOGNISED.items()
        if any(key == anchor or key.endswith(f".{anchor}") for key in state)
        for candidate in family
    ]
    fitting = [(one, prefix) for one in candidates for prefix in [_fits(state, one)[0]] if prefix is not None]
    # A ResNet-101 has all the weights of a ResNet-50, and more of them.
    most = max((len(_shapes(one)[0]) for one, _ in fitting), default=0)
    fitting = [(one, prefix) for one, prefix in fitting if len(_shapes(one)[0]) == most]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UserError(
            f"The weights of {name} fit {' and '.join(one for one, _ in fitting)}, which differ in what no weight "
            "tells (padding, normalisation). Say which backbone it is."
        )
    raise UserError(
        f"The backbone of {name} is not recognised: its weights are called {_listed(list(state))}. Say which one it "
        f"is: {PAPER_BACKBONE}, or the name of a convolutional timm model, by whose names its weights must be called."
    )


def _stated(state: Mapping[str, Tensor], name: str, said: ImportSettings) -> tuple[str, str]:
    backbone = said.backbone.strip()
    build_backbone(backbone, said.output_stride)  # refuses names and strides in words
    prefix, fault = _fits(state, backbone)
    if prefix is None:
        raise UserError(f"{name} is of another architecture than {backbone}: {fault}.")
    return backbone, prefix


def _fits(state: Mapping[str, Tensor], backbone: str) -> tuple[str | None, str]:
    """What stands in front of the names of this backbone's weights, or None and what does not fit."""
    try:
        shapes, _ = _shapes(backbone)
    except UserError as error:
        return None, str(error)
    first = next(iter(shapes))
    prefixes = [key.removesuffix(first) for key in state if key == first or key.endswith(f".{first}")]
    if not prefixes:
        return None, f"expected a weight {first!r}, but there is none"
    # A convolution deeper in the network may have the first one's name, too.
    prefix = max(prefixes, key=lambda prefix: sum(prefix + key in state for key in shapes))
    fault = _first_fault(state, prefix, shapes)
    return (None, fault) if fault else (prefix, "")


def _first_fault(state: Mapping[str, Tensor], prefix: str, shapes: Mapping[str, tuple[int, ...]]) -> str:
    for key, shape in shapes.items():
        if prefix + key not in state:
            if not key.endswith(_COUNTER):
                return f"expected {key!r} of shape {'x'.join(map(str, shape))}, but it is not there"
        elif tuple(state[prefix + key].shape) != shape:
            found = shape_words(state[prefix + key])
            return f"expected {key!r} of shape {'x'.join(map(str, shape)) or 'scalar'}, but it has {found}"
    return ""


@lru_cache(maxsize=32)
def _shapes(backbone: str) -> tuple[dict[str, tuple[int, ...]], int]:
    """Shapes of a backbone's weights by name, and its feature channels; strides do not change them."""
    # On this device tensors have a shape and nothing else.
    with torch.device("meta"):
        built = build_backbone(backbone, 16 if backbone == PAPER_BACKBONE else 32)
    return {key: tuple(value.shape) for key, value in built.module.state_dict().items()}, built.channels


def _as_wanted(value: Tensor, key: str, name: str) -> Tensor:
    if key.endswith(_COUNTER):
        return value.to(torch.int64)
    if not value.is_floating_point():
        raise UserError(f"{name} holds {key!r} as {value.dtype}; weights are floating point numbers.")
    return finite(value.float(), key, name)


# The classifier ------------------------------------------------------------------------------------------------------


def _find_classifier(rest: Mapping[str, Tensor], channels: int, name: str, backbone: str, said: ImportSettings) -> str:
    """The name of the classifier's weight among what is not the backbone's."""
    found = [key for key, value in rest.items() if _is_weight(value, channels)]
    if said.classifier:
        if said.classifier not in found:
            raise UserError(
                f"{name} has no classifier {said.classifier!r} of shape classes x {channels} (x 1 x 1). "
                + (f"It has {_listed(found)}." if found else "It has none of such a shape.")
            )
        return said.classifier
    if not found:
        raise UserError(
            f"{name} has the backbone {backbone}, but no classifier on its {channels} channels: expected one weight of "
            f"shape classes x {channels}, or classes x {channels} x 1 x 1. "
            + (f"Besides the backbone it has {_with_shapes(rest)}." if rest else "It has nothing besides.")
        )
    if set(found) == {"fc1", "fc2"}:
        return "fc1"  # weights of a run of this project
    if len(found) > 1 and said.classes is not None:
        counts = {len(said.classes), len([one for one in said.classes if one.lower() != "background"])}
        found = [key for key in found if len(rest[key]) in counts] or found
    if len(found) > 1:
        raise UserError(
            f"{name} has several classifiers: {_with_shapes({key: rest[key] for key in found})}. Say which one is "
            "meant."
        )
    return found[0]


def _is_weight(value: Tensor, channels: int) -> bool:
    return value.shape[1:] in ((channels,), (channels, 1, 1)) and value.is_floating_point() and len(value) > 0


def _is_classifier_part(rest: Mapping[str, Tensor], key: str, channels: int) -> bool:
    """Whether an entry belongs to another classifier on the same features, such as ImageNet's."""
    if _is_weight(rest[key], channels):
        return True
    weight = key.removesuffix("bias") + "weight"
    return key.endswith("bias") and weight in rest and _is_weight(rest[weight], channels)


def _bias_of(weight: str) -> str:
    return weight.removesuffix("weight") + "bias"


def _classifier(weight: Tensor, key: str, name: str) -> Tensor:
    """Rows x channels, float32."""
    # Before anything is made of it: a few bytes may say that they are a tensor of any size.
    if len(weight) > MAX_CLASSES + 1:
        raise UserError(
            f"{key!r} of {name} has {len(weight):,} rows; there can be {MAX_CLASSES} classes and a background here."
        )
    return finite(weight.flatten(1).float(), key, name)


def _second(file: OpenFile, fc1: Tensor) -> Tensor:
    """The one weight of a file that has the first classifier's shape."""
    name = shown_name(file)
    found = [value for value in read_state(file).values() if value.dim() in (2, 4) and _is_weight(value, fc1.shape[1])]
    if len(found) != 1 or len(found[0]) != len(fc1):
        raise UserError(f"{name} is no second classifier: expected one weight of {len(fc1)} x {fc1.shape[1]} numbers.")
    return found[0]


# Putting it together -------------------------------------------------------------------------------------------------


def _built(parts: _Parts, said: ImportSettings, fitted: FittedClasses) -> CamNetwork:
    stride = 16 if parts.backbone == PAPER_BACKBONE else said.output_stride
    if parts.backbone == PAPER_BACKBONE and said.output_stride != 16:
        raise UserError(f"{PAPER_BACKBONE} has output stride 16; 'timm:{PAPER_BACKBONE}' takes a chosen one.")
    network = CamNetwork(parts.backbone, len(fitted.classes), stride, with_fc2=parts.fc2 is not None)
    own = network.backbone.state_dict()
    network.backbone.load_state_dict({key: parts.weights.get(key, value) for key, value in own.items()})
    with torch.no_grad():
        network.fc1.copy_(_class_rows(parts.fc1, fitted))
        if parts.fc2 is not None and network.fc2 is not None:
            network.fc2.copy_(_class_rows(parts.fc2, fitted))
    return network


def _class_rows(weight: Tensor, fitted: FittedClasses) -> Tensor:
    kept = [row for row in range(len(weight)) if row != fitted.background_row]
    return weight[kept]


def _notes(
    parts: _Parts, fitted: FittedClasses, network: CamNetwork, said: ImportSettings, published: bool
) -> tuple[str, ...]:
    spec = network.spec
    mean, std = (", ".join(f"{value:g}" for value in values) for values in (spec.mean, spec.std))
    notes = [
        f"The backbone is {parts.backbone}"
        + ("." if said.backbone else ", by the layout." if published else ", by the names and shapes of its weights.")
        + f" Pictures are normalised by the mean {mean} and the deviation {std}, as is usual for it; the maps are "
        "wrong if it was trained with others."
    ]
    if fitted.background_row is not None:
        notes.append(
            f"Row {fitted.background_row + 1} of {parts.classifier} is the background's and was left out: a CAM is "
            "made of the rows of the classes."
        )
    bias = _bias_of(parts.classifier)
    if bias in parts.left_out:
        notes.append(f"{bias} was left out: a CAM has no bias, and the classifiers here have none.")
    others = [key for key in parts.left_out if key != bias]
    if others:
        notes.append(f"Not used: {_listed(others)}.")
    for key, weight in ((parts.classifier, parts.fc1), ("FC2", parts.fc2)):
        if weight is not None and (words := rows_without_weights(_class_rows(weight, fitted), fitted.classes.names)):
            notes.append(f"{key}: {words}")
    if said.has_background is None and fitted.background_row is None and fitted.classes.has_background:
        notes.append(
            "Pixels of no class are taken to be background. If each pixel has a class in these pictures, as in MSRC, "
            "say so (--no-background), or name the pictures (--data)."
        )
    if said.classes is None:
        notes.append(f"The classes are taken to be {_listed(list(fitted.classes.names))}, by their number.")
    return tuple(notes)


def _listed(names: Iterable[str]) -> str:
    return few((name[:80] for name in names), 4)


def _with_shapes(rest: Mapping[str, Tensor]) -> str:
    listed: Iterable[str] = (f"{key} ({shape_words(value)})" for key, value in rest.items())
    return _listed(list(listed))
