"""Which device the networks run on, what it can do, and what it has room for."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from recam_core import ranks
from recam_core.errors import UserError
from recam_core.words import counted

CHOICES = ("auto", "cuda", "mps", "cpu")
#: Bytes of a GPU that nobody plans with: workspaces of cuDNN and cuBLAS, pieces that lie between others.
_RESERVE = 1 << 29


def device_names() -> list[str]:
    """The devices of this machine, the fastest first: ``cuda:0``, ``cuda:1``, ..., ``mps``, ``cpu``."""
    found = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return [*found, *(["mps"] if torch.backends.mps.is_available() else []), "cpu"]


def device_name(choice: str = "auto") -> str:
    """The device, as :func:`device_names` names it, that a choice means on this machine.

    Args:
        choice: ``auto`` takes the fastest, ``cuda`` the first CUDA device; else ``cuda:1``, ``mps`` or ``cpu``. Under
            ``torchrun``, ``auto`` and ``cuda`` take the CUDA device of this process's number on its machine.

    Raises:
        UserError: the choice is unknown, this machine has no such device, or processes cannot share it.
    """
    there = device_names()
    if ranks.world() > 1 and choice != "cpu":
        if choice not in ("auto", "cuda"):
            raise UserError(f"Each process has a GPU of its own: choose auto, cuda or cpu instead of '{choice}'.")
        own = f"cuda:{ranks.local_rank()}"
        if there[0] == "cuda:0" and own not in there:
            raise UserError(
                f"This machine has fewer GPUs ({len(there) - 1}) than processes: lower --nproc-per-node of torchrun."
            )
        choice = own if own in there else "cpu" if choice == "auto" else choice
    wanted = there[0] if choice == "auto" else "cuda:0" if choice == "cuda" else choice
    if wanted not in there:
        known = choice in CHOICES or re.fullmatch(r"cuda:\d+", choice)
        word = "offers no device" if known else "knows no device"
        raise UserError(f"This machine {word} '{choice}': choose one of auto, {', '.join(there)}.")
    return wanted


def pick_device(choice: str = "auto") -> torch.device:
    """The device of :func:`device_name`, a CUDA device always with its number."""
    device = torch.device(device_name(choice))
    if ranks.world() > 1:
        make_current(device)  # else every process takes memory of the first card, too
    return device


def describe_device(device: torch.device) -> str:
    """The device in words, such as ``CPU (2 threads)`` or ``CUDA (NVIDIA H100)``."""
    if device.type == "cuda":
        return f"CUDA ({torch.cuda.get_device_name(device)})"
    if device.type == "mps":
        return "MPS (Apple GPU)"
    threads = torch.get_num_threads()
    return f"CPU ({counted(threads, 'thread')})"


def make_current(device: torch.device) -> None:
    """Make a CUDA device the one that this thread's pinned memory, events and new contexts belong to."""
    if device.type == "cuda":
        torch.cuda.set_device(device)


def half_type(device: torch.device) -> torch.dtype | None:
    """The half precision that a device calculates in by itself; None for one that trains in single precision.

    A GPU before Ampere (a T4, a V100) says that it knows bfloat16, and emulates it slowly: it gets float16.
    """
    if device.type != "cuda":
        return None
    native = torch.version.hip is not None or torch.cuda.get_device_capability(device)[0] >= 8
    return torch.bfloat16 if native else torch.float16


def free_bytes(device: torch.device) -> int:
    """What this process may still take of a CUDA device's memory: what is free, and what it holds without using it."""
    free = torch.cuda.mem_get_info(device)[0]
    idle = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return max(free + idle - _RESERVE, 0)


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Ask a GPU for kernels that give the same sums each time, wherever it has such; a CPU needs no asking.

    Operations without such a kernel are carried out all the same, with a warning.
    """
    if device.type != "cuda":
        yield
        return
    # cuBLAS reads it when a process first uses it.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    cudnn = torch.backends.cudnn
    fill: Any = torch.utils.deterministic  # a module whose one setting is made when it is imported
    before = (
        cudnn.deterministic,
        cudnn.benchmark,
        fill.fill_uninitialized_memory,
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    cudnn.deterministic, cudnn.benchmark = True, False
    fill.fill_uninitialized_memory = False  # nothing here reads memory before it is written
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark, fill.fill_uninitialized_memory = before[:3]
        torch.use_deterministic_algorithms(before[3], warn_only=before[4])
