"""What a weights file says of itself: names, shapes and kinds of its tensors, without reading one of them."""

from dataclasses import dataclass
from pathlib import Path

import torch

from recam_core.checkpoint.tensor_file import opened_tensors
from recam_core.checkpoint.run_folder import RunInfo
from recam_core.errors import UserError
from recam_core.model.network import CamNetwork

#: As safetensors names them; what :func:`recam_core.checkpoint.run_folder.save_run` writes.
_KINDS = ("F32", "F16", "BF16", "I64")


@dataclass(frozen=True)
class TensorHead:
    """Shape and kind (``F16``, ``F32``, ...) of a stored tensor."""

    shape: tuple[int, ...]
    kind: str


def read_header(file: Path) -> dict[str, TensorHead]:
    """The tensors of a safetensors file by name; the reader checks that they fill the file exactly.

    Raises:
        UserError: it is missing, truncated, or something else.
    """
    with opened_tensors(file, file.name) as tensors:
        slices = {name: tensors.get_slice(name) for name in tensors.keys()}  # noqa: SIM118 (it is no mapping)
        return {name: TensorHead(tuple(one.get_shape()), one.get_dtype()) for name, one in slices.items()}


def check_weights(file: Path, info: RunInfo) -> None:
    """Check that a weights file is of the network that the record describes; no weight is read.

    Raises:
        UserError: the first thing that does not fit, or a network that cannot be built.
    """
    found = read_header(file)
    network = info.network
    # On this device tensors have a shape and nothing else, so even a huge network costs nothing.
    with torch.device("meta"):
        wanted = CamNetwork(
            network["backbone"],
            len(info.classes),
            network["output_stride"],
            with_fc2=network["has_fc2"],
            background_row=bool(network.get("background_row")),
        ).state_dict()
    for name, value in wanted.items():
        if name not in found:
            raise UserError(f"{file.name} is of another network than its record says: it has no '{name}'.")
        if found[name].shape != tuple(value.shape):
            raise UserError(
                f"{file.name} is of another network than its record says: '{name}' has shape {found[name].shape}, "
                f"not {tuple(value.shape)}."
            )
        if found[name].kind not in _KINDS:
            raise UserError(f"{file.name} holds '{name}' as {found[name].kind}, which no run is stored in.")
    extra = sorted(set(found) - set(wanted))
    if extra:
        raise UserError(f"{file.name} is of another network than its record says: it has '{extra[0]}' besides.")


def is_half(file: Path) -> bool:
    """Whether the weights are stored in half precision.

    Raises:
        UserError: see :func:`read_header`.
    """
    return any(head.kind == "F16" for head in read_header(file).values())
