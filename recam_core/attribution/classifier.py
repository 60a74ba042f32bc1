"""Classifiers from elsewhere: any of torchvision's or timm's, by weights and a class list, also without FC2."""

import copy
import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recam_core.attribution.subject import Subject
from recam_core.attribution.target_layer import Split, split_timm, split_torchvision
from recam_core.errors import UserError
from recam_core.file_reader import OpenFile, file_lines, shown_name
from recam_core.gate import device_gate
from recam_core.guest import refuse_download
from recam_core.model.backbones import IMAGENET_MEAN, IMAGENET_STD, check_timm_name
from recam_core.model.state_file import file_record, finite, read_state, shape_words

#: Where architectures come from.
SOURCES = ("timm", "torchvision")
#: Class lists longer than this are taken for something else.
MOST_CLASSES = 25_000
#: Characters of a class name.
LONGEST_NAME = 200
#: Bytes of a class list.
_LARGEST_LIST = 4 << 20


@dataclass(frozen=True)
class _Input:
    """How a network wants its pictures: the side it was trained with, and the normalisation of values in 0..1."""

    side: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


class ForeignClassifier:
    """A network that was made elsewhere, with names for its logits.

    Attributes:
        name: such as ``timm:vit_tiny_patch16_224``.
        classes: K names, one a logit.
        digest: of its weights, for caches.
        layer: what is looked at, in words.
    """

    def __init__(self, name: str, classes: tuple[str, ...], digest: str, split: Split, wanted: _Input) -> None:
        self.name, self.classes, self.digest, self.layer = name, classes, digest, split.words
        self._split, self._wanted = split, wanted
        self._lock = threading.RLock()
        self._weight = _linear_weight(split, wanted.side, len(classes))

    def to(self, device: torch.device | str) -> "ForeignClassifier":
        """Move it to a device; itself."""
        for part in (self._split.lower, self._split.upper):
            part.to(device)
        self._weight = None if self._weight is None else self._weight.to(device)
        return self

    def copy(self) -> "ForeignClassifier":
        """Another one with the same weights, that another thread may ask at the same time."""
        with self._lock:  # no hook of a method at work goes along
            split = copy.deepcopy(self._split)
        twin = copy.copy(self)
        twin._split, twin._lock = split, threading.RLock()
        return twin

    def subject(self) -> Subject:
        """Itself, as attribution methods see it."""
        split = self._split
        return Subject(
            network=nn.Sequential(split.lower, split.upper),
            lower=split.lower,
            upper=split.upper,
            layer=split.layer,
            weight=self._weight,
            preprocess=self.preprocess,
            num_classes=len(self.classes),
            split=split.costs_below,
            any_size=split.any_size,
            lock=self._lock,
        )

    def preprocess(self, image: np.ndarray) -> Tensor:
        """H x W x 3, uint8, to 1 x 3 x H' x W', normalised, on the network's device.

        The shorter side gets the length that the network was trained with; a network that takes squares only gets the
        whole picture squeezed into one.
        """
        side, (height, width) = self._wanted.side, image.shape[:2]
        scale = side / min(height, width)
        size = (
            (max(round(height * scale), side), max(round(width * scale), side)) if self._split.any_size else (side,) * 2
        )
        device = next(self._split.upper.parameters(), torch.zeros(0)).device
        x = torch.as_tensor(np.array(image), device=device).permute(2, 0, 1)[None].float() / 255
        x = F.interpolate(x, size=size, mode="bilinear", align_corners=False, antialias=True)
        mean, std = (
            torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (self._wanted.mean, self._wanted.std)
        )
        return (x - mean) / std

    @torch.inference_mode()
    def logits(self, image: np.ndarray) -> np.ndarray:
        """K logits, float32, of an image, H x W x 3 uint8."""
        subject = self.subject()
        with self._lock, device_gate(subject.device):
            return subject.logits(self.preprocess(image))[0].float().cpu().numpy()

    def probabilities(self, image: np.ndarray) -> np.ndarray:
        """K, float32: the softmax of the logits of an image, H x W x 3 uint8."""
        return torch.softmax(torch.from_numpy(self.logits(image)), dim=0).numpy()

    def class_number(self, name: str) -> int:
        """The index of a class by its name, or by its number, counted from 0, where names are not unique.

        Raises:
            UserError: there is no such class, or several.
        """
        found = [k for k, one in enumerate(self.classes) if one.casefold() == name.casefold()]
        if not found and name.isascii() and name.isdigit() and int(name) < len(self.classes):
            return int(name)
        if len(found) != 1:
            raise UserError(
                f"{self.name} knows no class {name!r}."
                if not found
                else f"{self.name} has {len(found)} classes called {name!r}: give the number of one, {found}."
            )
        return found[0]


def foreign_classifier(
    name: str,
    weights: OpenFile | None = None,
    classes: OpenFile | Sequence[str] | None = None,
    *,
    untrained: bool = False,
    most_weights: int | None = None,
) -> ForeignClassifier:
    """A classifier of torchvision or timm.

    Args:
        name: ``timm:NAME`` or ``torchvision:NAME``.
        weights: a file of its weights (.pth, .pt, .safetensors), of which nothing is run; None downloads the ones its
            library has for it.
        classes: a text file with one name a line, in the order of the logits, or the names; None takes those of
            ImageNet, where there are as many logits.
        untrained: with random weights, always the same ones, and nothing is downloaded.
        most_weights: refuse architectures with more weights, before they take memory; None takes any.

    Raises:
        UserError: unknown architecture, one that is too large, no feature map in it, a damaged or hostile file, weights
            of another architecture, names that are not as many as logits, or no connection for a download.
    """
    if untrained and weights is not None:
        raise UserError("A classifier has random weights or those of a file: leave out one of the two.")
    source, _, architecture = name.partition(":")
    if source not in SOURCES or not architecture:
        raise UserError(
            f"A classifier is named timm:NAME or torchvision:NAME, such as torchvision:resnet18; got {name!r}."
        )
    names = None if classes is None else _class_names(classes)
    (_check_timm if source == "timm" else _check_torchvision)(architecture)
    if most_weights is not None and (size := _weight_count(source, architecture)) > most_weights:
        raise UserError(
            f"{name} has {size / 1e6:,.0f} million weights, and at most {most_weights / 1e6:,.0f} million are loaded "
            "here; take a smaller one. The command `attribute maps --classifier` takes any."
        )
    build = _build_timm if source == "timm" else _build_torchvision
    count = len(names) if names is not None else None
    digest = ""
    if untrained:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network, wanted = build(architecture, count or _IMAGENET)
    else:
        if weights is None:
            refuse_download()
            state = _downloaded(source, architecture)
        else:
            state, digest = read_state(weights), file_record(weights)["sha256"]
        network, wanted = build(architecture, count or _IMAGENET)
        _load(network, state, name if weights is None else shown_name(weights), architecture, count)
    names = names or _imagenet_names()
    network.eval().requires_grad_(False)
    digest = digest or _digest(network)
    split = (split_timm if source == "timm" else split_torchvision)(network, wanted.side, name)
    return ForeignClassifier(name, names, digest, split, wanted)


#: Logits of a network that was trained on ImageNet.
_IMAGENET = 1000


def _class_names(classes: OpenFile | Sequence[str]) -> tuple[str, ...]:
    """The names of a class list, which may have been written by anybody."""
    if isinstance(classes, Sequence) and not isinstance(classes, str):
        where, names = "The class list", tuple(classes)
    else:
        where = shown_name(classes)
        names = tuple(file_lines(classes, _LARGEST_LIST))
    if not 1 <= len(names) <= MOST_CLASSES:
        raise UserError(
            f"{where}: a class list has 1 to {MOST_CLASSES:,} names, one a line; this one has {len(names):,}."
        )
    for line, one in enumerate(names, start=1):
        if len(one) > LONGEST_NAME or not one.isprintable():
            raise UserError(
                f"{where}: entry {line} is no class name; names are printable, of {LONGEST_NAME} letters at most."
            )
    seen: set[str] = set()
    for one in names:
        if one.casefold() in seen:
            raise UserError(f"{where}: the class name {one!r} occurs more than once.")
        seen.add(one.casefold())
    return names


def _imagenet_names() -> tuple[str, ...]:
    from torchvision.models import ResNet18_Weights

    # Two of them are there twice (crane, maillot); they are told apart by their number.
    return tuple(ResNet18_Weights.IMAGENET1K_V1.meta["categories"])


def _check_timm(architecture: str) -> None:
    """Raises UserError for a name that timm does not know."""
    from timm.models import get_pretrained_cfg

    check_timm_name(architecture)
    try:
        get_pretrained_cfg(architecture)
    except RuntimeError as error:
        base, _, tag = architecture.partition(".")
        raise UserError(f"timm has no weights {tag!r} of {base}: leave out what stands behind the point.") from error


def _check_torchvision(architecture: str) -> None:
    """Raises UserError for a name that torchvision has no classifier of."""
    from torchvision import models

    known = models.list_models(module=models)
    if architecture not in known:
        close = [one for one in known if architecture[:4].lower() in one][:5]
        hint = f" Close to it: {', '.join(close)}." if close else f" It has {', '.join(known[:5])} and others."
        raise UserError(f"torchvision knows no classifier {architecture!r}.{hint}")


def _weight_count(source: str, architecture: str) -> int:
    """How many weights the architecture has with ImageNet's classes, without taking memory for them."""
    if source == "torchvision":
        from torchvision.models import get_model_weights

        return int(get_model_weights(architecture).DEFAULT.meta["num_params"])
    with torch.device("meta"):
        network, _ = _build_timm(architecture, _IMAGENET)
    return sum(one.numel() for one in network.parameters())


def _build_timm(architecture: str, count: int) -> tuple[nn.Module, _Input]:
    import timm

    network = timm.create_model(architecture, pretrained=False, num_classes=count)
    known: dict[str, Any] = network.default_cfg  # type: ignore[assignment]  # torch takes any attribute for a module
    return network, _Input(int(known["input_size"][-1]), tuple(known["mean"]), tuple(known["std"]))


def _build_torchvision(architecture: str, count: int) -> tuple[nn.Module, _Input]:
    from torchvision import models

    # These two would draw their weights from a slow distribution, only to be overwritten.
    quick = {"init_weights": False} if architecture in ("inception_v3", "googlenet") else {}
    network = models.get_model(architecture, weights=None, num_classes=count, **quick)
    found = models.get_model_weights(architecture).DEFAULT.transforms()
    side, mean, std = getattr(found, "crop_size", [224])[0], getattr(found, "mean", None), getattr(found, "std", None)
    return network, _Input(int(side), tuple(mean or IMAGENET_MEAN), tuple(std or IMAGENET_STD))


def _downloaded(source: str, architecture: str) -> dict[str, Tensor]:
    try:
        if source == "timm":
            import timm

            return timm.create_model(architecture, pretrained=True).state_dict()
        from torchvision.models import get_model_weights

        return dict(get_model_weights(architecture).DEFAULT.get_state_dict(progress=False, check_hash=True))
    except Exception as error:
        # They raise types of several HTTP clients; offline is by far the likeliest.
        raise UserError(
            f"The weights of {source}:{architecture} could not be downloaded ({type(error).__name__}). Without a "
            "connection, give a file of weights."
        ) from error


def _load(network: nn.Module, state: dict[str, Tensor], where: str, architecture: str, count: int | None) -> None:
    """Put weights into a network of as many logits. Raises UserError where they do not fit."""
    wanted = network.state_dict()
    # Heads that only help training may be left out, and counters are nobody's knowledge.
    missing = [key for key in wanted if key not in state and not key.endswith("num_batches_tracked")]
    if missing:
        raise UserError(
            f"{where} is of another architecture than {architecture}: it has no {missing[0]!r} ({len(missing)} of "
            f"{len(wanted)} are missing)."
        )
    strange = [key for key in state if key not in wanted]
    if strange:
        raise UserError(
            f"{where} is of another architecture than {architecture}, which has no {strange[0][:100]!r} "
            f"({len(strange)} such weights)."
        )
    for key, value in wanted.items():
        if key in state and state[key].shape != value.shape:
            named = (
                f"with {count} named classes" if count is not None else "without a class list, with ImageNet's 1,000,"
            )
            fits = count is not None and value.dim() and value.shape[0] == count
            raise UserError(
                f"{where}: {key!r} has shape {shape_words(state[key])}; "
                f"{architecture} {named} has {shape_words(value)}."
                + (" The class list has a name for each logit, no more and no fewer." if fits else "")
            )
    network.load_state_dict(
        {key: finite(state[key], key, where) if key in state else value for key, value in wanted.items()}
    )


def _digest(network: nn.Module) -> str:
    found = hashlib.sha256()
    for key, value in sorted(network.state_dict().items()):
        found.update(key.encode())
        found.update(value.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


@torch.no_grad()
def _linear_weight(split: Split, side: int, count: int) -> Tensor | None:
    """K x C, where the logits are a linear layer on the mean of the layer's output: tried, not assumed."""
    linear = [one for one in split.upper.modules() if isinstance(one, nn.Linear) and len(one.weight) == count]
    tried: list[Tensor] = []

    def other(module: nn.Module, inputs: tuple, output: Tensor) -> Tensor:
        # Of both signs, so that a ReLU in between shows.
        tried.append(torch.randn(output.shape, generator=torch.Generator().manual_seed(0)).to(output.device))
        return tried[0]

    handle = split.layer.register_forward_hook(other)
    try:
        x = torch.zeros(1, 3, side, side, device=next(split.upper.parameters()).device)
        logits = split.upper(split.lower(x))
    finally:
        handle.remove()
    for one in linear:
        if one.weight.shape[1] == tried[0].shape[1]:
            expected = tried[0].mean(dim=(2, 3)) @ one.weight.T + (0 if one.bias is None else one.bias)
            if torch.allclose(logits, expected, atol=1e-4, rtol=1e-4):
                return one.weight.detach()
    return None
