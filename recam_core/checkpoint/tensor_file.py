"""Tensors by name in a safetensors file: written whole, read or looked at without running code from it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from recam_core.atomic_write import replacing_file
from recam_core.errors import UserError
from recam_core.file_reader import FileError, file_sha256


@contextmanager
def opened_tensors(file: Path, name: str | None = None) -> Iterator[Any]:
    """The open file, as safetensors gives it; it has checked that the tensors fill the file exactly.

    Args:
        file: to open.
        name: how messages call it; by default by its path.

    Raises:
        FileError: (a UserError) it is missing, truncated, or something else (a pickle, say), which is not opened.
    """
    name = name or str(file)
    if not file.is_file():
        raise FileError(name, "this file is missing: it was not finished, or not copied whole.", is_missing=True)
    try:
        with safe_open(file, framework="pt") as tensors:
            yield tensors
    except (SafetensorError, OSError, ValueError) as error:
        reason = f"this is no whole safetensors file; it is truncated or something else ({error})."
        raise FileError(name, reason) from error


def read_tensors(file: Path) -> dict[str, Tensor]:
    """All tensors by name. Raises FileError as :func:`opened_tensors`."""
    with opened_tensors(file) as tensors:
        return {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118 (it is no mapping)


def load_tensors(network: nn.Module, file: Path, advice: str) -> None:
    """Give a network the weights of a file. Raises UserError, with the advice, where they cannot be read or do not
    fit."""
    try:
        network.load_state_dict(read_tensors(file))
    except FileError as error:
        raise UserError(f"{error} {advice}") from error
    except RuntimeError as error:
        raise UserError(f"{file} is of another architecture. {advice}") from error


def write_tensors(file: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str] | None = None) -> str:
    """Write a file, whole or not at all, and tell its SHA-256.

    Raises:
        UserError: it cannot be written.
    """
    with replacing_file(file) as temporary:
        try:
            save_file({name: value.cpu().contiguous() for name, value in tensors.items()}, temporary, metadata)
        except SafetensorError as error:
            raise UserError(f"Cannot write {file}: the disk may be full ({error}).") from error
        return file_sha256(temporary)
