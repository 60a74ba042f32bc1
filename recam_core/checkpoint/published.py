"""The layout of the published ReCAM implementation's files, in this project's names.

It saves the state dict of its CAM network: a ResNet-50 under ``resnet50.``, the same tensors again as ``stage1`` to
``stage4`` (and, through module lists, under ``backbone.`` and ``newly_added.``), and FC1 as ``classifier.weight``.
FC2 lies in a file of its own, again as ``classifier.weight``.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from recam_core.data.class_file import check_class_names, read_class_file, role_of_name
from recam_core.data.sample import MAX_CLASSES, ClassList
from recam_core.data.voc import VOC_CLASSES
from recam_core.errors import UserError
from recam_core.file_reader import OpenFile, shown_name
from recam_core.model.backbones import PAPER_BACKBONE
from recam_core.model.network import CamNetwork
from recam_core.model.state_file import finite, read_state, shape_words
from recam_core.typed_path import typed_path

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


def from_state(state: dict[str, Tensor], name: str, fc2: OpenFile | None = None) -> Published:
    """Check the published files.

    Args:
        state: of the CAM (or ReCAM) network: tensors by name, as the file ``name`` has them.
        name: for messages.
        fc2: file of the FC2 predictor, if there is one.

    Raises:
        UserError: a file is of another architecture or has numbers that are not finite, or that of FC2 is missing,
            truncated or holds code; the message says which.
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


# Which classes the rows of a classifier are ---------------------------------------------------------------------------


#: The name that is no class: pixels of none.
BACKGROUND_NAME = "background"
#: MS COCO's categories, ordered by their ids in the annotation files.
COCO_CLASSES: tuple[str, ...] = (
    *("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light"),
    *("fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow"),
    *("elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee"),
    *("skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard"),
    *("tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple"),
    *("sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch"),
    *("potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard"),
    *("cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors"),
    *("teddy bear", "hair drier", "toothbrush"),
)
KNOWN: dict[str, tuple[str, ...]] = {"voc": tuple(VOC_CLASSES), "coco": COCO_CLASSES}


@dataclass(frozen=True)
class FittedClasses:
    """The classes of a classifier.

    Attributes:
        classes: K names, and whether the pictures have a background.
        background_row: which of its K + 1 rows is the background's; None where each row is a class.
    """

    classes: ClassList
    background_row: int | None


def named_rows(choice: str) -> tuple[str, ...]:
    """The names that a person gave, ``background`` among them where it was named.

    Args:
        choice: ``voc``, ``coco``, a file with one name a line, or the names themselves with commas or line ends
            between them.

    Raises:
        UserError: no name, a name twice, too many names, or a file that is not there.
    """
    if choice.strip().lower() not in KNOWN and not re.search(r"[,\n]", choice):
        file = typed_path(choice.strip())
        if file is None or not file.is_file():
            raise UserError(
                f"The classes are {', '.join(KNOWN)}, a file with one class name a line, or names with commas between "
                f"them; there is no file {choice}."
            )
        listed = read_class_file(file)
        return (BACKGROUND_NAME, *listed.names) if listed.has_background else listed.names
    return typed_names(choice)


def typed_names(text: str, a_line: bool = False) -> tuple[str, ...]:
    """Names that were typed with commas or line ends between them; ``voc`` and ``coco`` stand for theirs.

    Args:
        text: the names.
        a_line: whether each line is one name, whatever it holds, as in a classes.txt.

    Raises:
        UserError: no name, a name twice, or too many names.
    """
    if text.strip().lower() in KNOWN:
        return KNOWN[text.strip().lower()]
    names = tuple(name for name in (part.strip() for part in re.split(r"\n" if a_line else r"[,\n]", text)) if name)
    names = tuple(BACKGROUND_NAME if role_of_name(name) == "background" else name for name in names)
    check_class_names([name for name in names if not _is_background(name)], "the class list")
    if sum(map(_is_background, names)) > 1:
        raise UserError("the class list: the background occurs more than once.")
    return names


def fit_classes(names: Sequence[str] | None, rows: int, has_background: bool | None, what: str) -> FittedClasses:
    """The class list of a classifier with this many rows.

    Args:
        names: as :func:`named_rows` gives them; None takes VOC's or COCO's, whichever fits.
        rows: of the classifier.
        has_background: whether pixels of no class are background; None decides that they are. A list that names the
            background has said so itself.
        what: the classifier, for messages.

    Raises:
        UserError: no list fits, or the given one has another number of names.
    """
    if names is None:
        names = _known(rows, what)
        if has_background is False and _is_background(names[0]):
            raise UserError(
                f"{what} has {rows} rows, which are the {rows - 1} classes of VOC or COCO and a background. If each "
                "pixel has a class, it is of other classes: say what they are called."
            )
    classes = tuple(name for name in names if not _is_background(name))
    if len(classes) == len(names):
        if rows == len(names) + 1:
            raise UserError(
                f"{what} has {rows} rows, one more than there are class names. If it is the background's, put "
                f"'{BACKGROUND_NAME}' into the list where its row is: first, or last."
            )
        if rows != len(names):
            raise UserError(f"{what} has {rows} rows, but {len(names)} classes are named.")
        return FittedClasses(ClassList(classes, has_background is not False), None)
    if has_background is False:
        raise UserError(
            "The class list names a background, so there is one; take the name out, or leave the background."
        )
    if rows not in (len(classes), len(names)):
        raise UserError(f"{what} has {rows} rows, but {len(classes)} classes and a background are named.")
    place = next(row for row, name in enumerate(names) if _is_background(name))
    return FittedClasses(ClassList(classes, has_background=True), place if rows == len(names) else None)


def _known(rows: int, what: str) -> tuple[str, ...]:
    for names in KNOWN.values():
        if rows == len(names):
            return names
        if rows == len(names) + 1:
            return (BACKGROUND_NAME, *names)  # where VOC's and COCO's masks have it
    known = ", ".join(f"{name} has {len(names)}" for name, names in KNOWN.items())
    raise UserError(f"{what} has {rows} rows ({known} classes): say what its classes are called.")


def _is_background(name: str) -> bool:
    return name.lower() == BACKGROUND_NAME
