"""A run as a folder: ``model.safetensors``, ``run.json``, ``metrics.json`` and what is made from them."""

import hashlib
import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

import recam_core
from recam_core.atomic_write import replacing_file, sweep, write_json
from recam_core.data.sample import ClassList
from recam_core.errors import UserError
from recam_core.method import extraction
from recam_core.model.network import CamNetwork
from recam_core.records import opened_record

#: Version 2 came with the background row of FC2; the only version before it lacks nothing but that.
FORMAT_VERSION = 2
_READ = (1, 2)
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
        parent: the name of the run that this one started from, or None.
        parent_sha256: of the weights that it started from, so that they are found under another name, too.
        command: the command line that makes the run again.
        scores: what was measured, for instance ``{"val": {"rectified_product": {"miou": ...}}}``.
        weights_sha256: of ``model.safetensors``.
    """

    name: str
    method: str
    rule: str
    network: dict[str, Any]
    classes: list[str]
    has_background: bool
    data: str
    recipe: dict[str, Any]
    seed: int
    threshold: float | None = None
    parent: str | None = None
    parent_sha256: str | None = None
    command: str = ""
    scores: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    created: str = ""
    weights_sha256: str = ""
    format_version: int = FORMAT_VERSION

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
    tensors = {name: _storable(value, half) for name, value in network.state_dict().items()}
    # By way of JSON, so that the record returned here equals the one read back (tuples become lists).
    info.network = json.loads(json.dumps(asdict(network.spec)))
    info.format_version = FORMAT_VERSION
    info.recipe = json.loads(json.dumps(info.recipe))
    info.versions = versions()
    info.created = info.created or datetime.now(timezone.utc).isoformat(timespec="seconds")
    sweep(path, own=True)  # an earlier try may have been killed
    with replacing_file(path / WEIGHTS_FILE) as temporary:
        try:
            save_file(tensors, temporary)
        except SafetensorError as error:
            raise UserError(f"Cannot write {path / WEIGHTS_FILE}: the disk may be full ({error}).") from error
        info.weights_sha256 = hashlib.sha256(temporary.read_bytes()).hexdigest()
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
        version = values.get("format_version")
        if version not in _READ:
            raise UserError(f"{file} is of format version {version}; this version reads {_READ[0]} to {_READ[-1]}.")
        known = {item.name for item in fields(RunInfo)}
        info = RunInfo(**{name: value for name, value in values.items() if name in known})
        _check_record(info)
        if version == 1:
            info.command = _command_of_now(info)
        info.command = _with_update(info)
        return info


def _command_of_now(info: RunInfo) -> str:
    """The command of a run of version 1, which had no background row and did not have to say so."""
    had_fc2 = any(words in info.command for words in (" train recam ", " retrain "))
    if had_fc2 and info.has_background and "--background" not in info.command:
        return f"{info.command} --background 0"
    return info.command


def _with_update(info: RunInfo) -> str:
    """The command of a retraining with what it updates, which older ones left to another default than that of now."""
    update = info.recipe.get("update", "fc2")
    is_silent = not any(word in info.command for word in (" --update", " --from"))
    if info.method == "heads" and " retrain " in info.command and is_silent and update in ("fc2", "both"):
        return f"{info.command} --update {update}"
    return info.command


def _check_record(info: RunInfo) -> None:
    """Raise ValueError for a record whose values are not of the form that the rest relies on."""
    if info.method not in METHODS:
        raise ValueError(f"the method '{info.method}' is unknown")
    if not isinstance(info.classes, list) or not info.classes or not all(isinstance(n, str) for n in info.classes):
        raise ValueError("the class names are missing")
    texts = ("name", "rule", "data", "command", "created", "weights_sha256")
    tables = ("network", "recipe", "scores", "versions")
    kinds: tuple[tuple[tuple[str, ...], type], ...] = ((texts, str), (tables, dict), (("has_background",), bool))
    for names, kind in kinds:
        for name in names:
            if not isinstance(getattr(info, name), kind):
                raise ValueError(f"'{name}' is of another kind")
    numbers = ("output_stride", "channels", "num_classes")
    for name, kind in (("backbone", str), ("has_fc2", bool), *((number, int) for number in numbers)):
        if not isinstance(info.network.get(name), kind):
            raise ValueError(f"the network's '{name}' is missing or of another kind")
    if not isinstance(info.network.get("background_row", False), bool):
        raise ValueError("the network's 'background_row' is of another kind")
    for name in ("parent", "parent_sha256"):
        if not isinstance(getattr(info, name), (str, type(None))):
            raise ValueError(f"'{name}' is of another kind")
    number = info.threshold
    if number is not None and not (isinstance(number, (int, float)) and 0 <= number <= 1):
        raise ValueError("the threshold is no number from 0 to 1")
    if info.network["num_classes"] != len(info.classes):
        raise ValueError(f"{len(info.classes)} class names for {info.network['num_classes']} classes")
    if isinstance(info.seed, bool) or not isinstance(info.seed, int):
        raise ValueError("the seed is no whole number")
    if not all(isinstance(value, str) for value in info.versions.values()):
        raise ValueError("a version is no text")
    try:
        extraction.check_rule(info.rule, info.network["has_fc2"], bool(info.network.get("background_row")), "the run")
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
    state = read_weights(path / WEIGHTS_FILE)
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
            of = f" for {', '.join(named[:3])}" + (f" and {len(named) - 3} more" if len(named) > 3 else "")
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
    listed = ", ".join(found[:6]) + (f" and {len(found) - 6} more" if len(found) > 6 else "")
    return f"All weights of {listed} are zero: no picture can have an activation for it."


def read_weights(file: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file.

    Raises:
        UserError: it is missing, truncated, or something else (a pickle, say), which is not opened.
    """
    if not file.is_file():
        raise UserError(f"{file} is missing: the run was not finished or not copied whole.")
    try:
        return load_file(file)
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{file} is no whole safetensors file; it is truncated or something else ({error}).") from error


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


def _storable(value: Tensor, half: bool) -> Tensor:
    value = value.detach().cpu().contiguous()
    return value.half() if half and value.dtype == torch.float32 else value


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
