"""A run as a folder: ``model.safetensors``, ``run.json``, ``metrics.json`` and what is made from them."""

import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import torch
from msgspec import Meta
from torch import Tensor

import recam_core
from recam_core.atomic_write import sweep, write_json
from recam_core.checkpoint.old_records import command_of_now, with_start
from recam_core.checkpoint.tensor_file import read_tensors, write_tensors
from recam_core.data.sample import ClassList
from recam_core.errors import UserError
from recam_core.method import extraction
from recam_core.model.network import CamNetwork
from recam_core.records import as_kind, check_version, opened_record
from recam_core.words import few

#: Version 2 came with the background row of FC2; the only version before it lacks nothing but that.
FORMAT_VERSION = 2
_READ = range(1, 3)
WEIGHTS_FILE = "model.safetensors"
INFO_FILE = "run.json"
METRICS_FILE = "metrics.json"
METHODS = ("bce", "sce", "recam", "heads")
#: Bytes that a record of a run may have.
LARGEST_RECORD = 4 << 20


@dataclass
class RunInfo:
    """What ``run.json`` holds: enough to build the network, to say how it came about and to make it again.

    Attributes:
        name: the run's name.
        method: ``bce``, ``sce``, ``recam``, or ``heads`` (FC1/FC2 retrained on the features of ``parent``).
        rule: the extraction rule that its maps use unless another is asked for.
        network: the fields of :class:`recam_core.model.network.NetworkSpec`.
        classes: K names.
        has_background: see :class:`recam_core.data.sample.ClassList`.
        data: the specification of the training data.
        recipe: every setting of the training.
        seed: of the random numbers.
        threshold: the background threshold that was chosen on a part of train, or None.
        thresholds: those that were chosen for maps by other rules than its own, and by attribution methods, by name.
        parent: the name of the run that this one started from, or None.
        parent_sha256: of the weights that it started from, so that they are found under another name, too.
        val: the specification of the pictures that its training watched; "" for none.
        init: the folder of the run that it started from, as one types it in the project's folder; "" for none.
        imagenet: where its ImageNet weights came from, see :func:`recam_core.model.backbones.imagenet_source`; "" for a
            run that started from another.
        command: the command line that makes the run again.
        scores: what was measured, for instance ``{"val": {"rectified_product": {"miou": ...}}}``.
        weights_sha256: of ``model.safetensors``.
    """

    name: str
    method: str
    rule: str
    network: dict[str, Any]
    classes: Annotated[list[str], Meta(min_length=1)]
    has_background: bool
    data: str
    recipe: dict[str, Any]
    seed: int
    threshold: Annotated[float, Meta(ge=0, le=1)] | None = None
    parent: str | None = None
    parent_sha256: str | None = None
    command: str = ""
    scores: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    created: str = ""
    weights_sha256: str = ""
    format_version: int = FORMAT_VERSION
    val: str = ""
    init: str = ""
    imagenet: str = ""
    thresholds: dict[str, Annotated[float, Meta(ge=0, le=1)]] = field(default_factory=dict)

    def threshold_of(self, rule: str) -> float | None:
        """The background threshold that was chosen for maps by a rule or attribution method; None where none was: that
        of one says nothing about another."""
        return self.threshold if rule == self.rule else self.thresholds.get(rule)

    @property
    def class_list(self) -> ClassList:
        """The classes as the data sets give them."""
        return ClassList(tuple(self.classes), self.has_background)


@dataclass
class Run:
    """A loaded run: its folder, its record and its network in evaluation mode."""

    path: Path
    info: RunInfo
    network: CamNetwork


def save_run(path: str | Path, network: CamNetwork, info: RunInfo, half: bool = False) -> RunInfo:
    """Write the weights and the record of a run; other files in the folder stay.

    Args:
        path: the run's folder, made if need be.
        network: its weights are saved.
        info: its versions, time and check sum are filled in here.
        half: store in half precision, as the shipped checkpoints are.

    Returns:
        The record as written.

    Raises:
        UserError: the folder cannot be written to.
    """
    path = Path(path)
    tensors = {
        name: value.half() if half and value.dtype == torch.float32 else value
        for name, value in network.state_dict().items()
    }
    # By way of JSON, so that the record returned here equals the one read back (tuples become lists).
    info.network = json.loads(json.dumps(asdict(network.spec)))
    info.format_version = FORMAT_VERSION
    info.recipe = json.loads(json.dumps(info.recipe))
    info.versions = versions()
    info.created = info.created or datetime.now(timezone.utc).isoformat(timespec="seconds")
    sweep(path, own=True)  # an earlier try may have been killed
    info.weights_sha256 = write_tensors(path / WEIGHTS_FILE, tensors)
    write_json(path / INFO_FILE, asdict(info))
    return info


def read_info(path: str | Path) -> RunInfo:
    """The record of a run, without its weights.

    Raises:
        UserError: no run there, or a record that is damaged or of a newer version.
    """
    path = Path(path)
    file = path / INFO_FILE
    if not file.is_file():
        raise UserError(f"{path} is no run folder: it has no {INFO_FILE}.")
    with opened_record(file, LARGEST_RECORD) as values:
        check_version(values.get("format_version"), _READ)
        info = as_kind(with_start(values), RunInfo)
        _check_record(info)
        had_no_row = info.format_version == 1 and info.has_background
        info.command = command_of_now(info.command, info.method, info.recipe, had_no_row)
        return info


@dataclass
class _NetworkForm:
    """What a record must say of a network, see :class:`recam_core.model.network.NetworkSpec`."""

    backbone: str
    output_stride: int
    num_classes: int
    channels: int
    has_fc2: bool
    background_row: bool = False


def _check_record(info: RunInfo) -> None:
    """Raise ValueError for a record whose values do not go together."""
    if info.method not in METHODS:
        raise ValueError(f"the method '{info.method}' is unknown")
    network = as_kind(info.network, _NetworkForm)
    if network.num_classes != len(info.classes):
        raise ValueError(f"{len(info.classes)} class names for {network.num_classes} classes")
    try:
        extraction.check_rule(info.rule, network.has_fc2, network.background_row, "the run")
    except UserError as error:
        raise ValueError(str(error)) from error


def run_folders(folder: str | Path, depth: int = 2) -> list[Path]:
    """The run folders at most ``depth`` levels inside ``folder``, or the folder itself if it is a run; sorted."""
    folder = Path(folder)
    patterns = ["/".join(["*"] * level + [INFO_FILE]) for level in range(depth + 1)]
    found = {record.parent for pattern in patterns for record in folder.glob(pattern)}
    # A name with a leading dot is a folder that is just being written.
    return sorted(path for path in found if not path.name.startswith("."))


def load_run(path: str | Path, device: torch.device | str = "cpu") -> Run:
    """Load a run in single precision and evaluation mode, without running code from it.

    Raises:
        UserError: no run there; weights that are missing, truncated or of another architecture.
    """
    path = Path(path)
    info = read_info(path)
    state = read_tensors(path / WEIGHTS_FILE)
    network = CamNetwork(
        info.network["backbone"],
        len(info.classes),
        int(info.network["output_stride"]),
        with_fc2=bool(info.network["has_fc2"]),
        background_row=bool(info.network.get("background_row")),
    )
    wanted = network.state_dict()
    for name, value in wanted.items():
        if name not in state:
            raise UserError(f"{path / WEIGHTS_FILE} is of another architecture: it has no '{name}'.")
        if state[name].shape != value.shape:
            raise UserError(
                f"{path / WEIGHTS_FILE} is of another architecture: '{name}' has shape {tuple(state[name].shape)}, "
                f"not {tuple(value.shape)}."
            )
    extra = sorted(set(state) - set(wanted))
    if extra:
        raise UserError(f"{path / WEIGHTS_FILE} is of another architecture: it has '{extra[0]}' besides.")
    _check_finite(path / WEIGHTS_FILE, state, info.classes)
    network.load_state_dict({name: state[name].to(value.dtype) for name, value in wanted.items()})
    return Run(path, info, network.to(device).eval().to(memory_format=torch.channels_last))


def _check_finite(file: Path, state: dict[str, Tensor], classes: list[str]) -> None:
    """Raise UserError for weights that are no numbers: their maps would come out empty, as if nothing were there."""
    for name, value in state.items():
        if not value.is_floating_point() or torch.isfinite(value).all():
            continue
        of = ""
        if name in ("fc1", "fc2"):
            rows = (~torch.isfinite(value)).flatten(1).any(dim=1).nonzero().flatten().tolist()
            named = [classes[row] if row < len(classes) else "the background" for row in rows]
            of = f" for {few(named)}"
        raise UserError(
            f"{file} holds values that are not finite, in '{name}'{of}: its training failed, or the file is damaged. "
            "Train it again with a smaller learning rate, or copy the file again."
        )


def rows_without_weights(weight: Tensor, classes: Sequence[str]) -> str:
    """A sentence on classes whose weights are all zero, so that their maps stay empty; "" where there is none.

    Args:
        weight: K x C (or a row more), of FC1 or FC2.
        classes: names of the K classes.
    """
    found = [name for name, row in zip(classes, weight.any(dim=1).tolist(), strict=False) if not row]
    if not found:
        return ""
    return f"All weights of {few(found, 6)} are zero: no picture can have an activation for it."


def versions() -> dict[str, str]:
    """The versions that a result may depend on."""
    found = {"recam_core": recam_core.__version__, "python": platform.python_version()}
    for package in ("torch", "torchvision", "timm", "numpy", "pillow"):
        found[package] = metadata.version(package)
    return found


def command_line() -> str:
    """The command that is running, in the form that a person types."""
    import shlex

    return shlex.join(["python", "-m", "recam_core", *sys.argv[1:]])


def check_run_rule(info: RunInfo, rule: str) -> str:
    """The rule, if the run can be read by it.

    Raises:
        UserError: unknown rule, or one that needs FC2 or its background row where the run has none.
    """
    has_row = bool(info.network.get("background_row"))
    return extraction.check_rule(rule, info.network["has_fc2"], has_row, f"the run {info.name}")


def rules_of_run(info: RunInfo) -> tuple[str, ...]:
    """The rules that a run can be read by."""
    return extraction.rules_of(bool(info.network.get("has_fc2")), bool(info.network.get("background_row")))
