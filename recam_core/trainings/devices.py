"""The devices that trainings queue for."""

import torch

from recam_core.device import CHOICES
from recam_core.errors import UserError


def training_devices() -> list[str]:
    """The devices of this machine, the fastest first: ``cuda:0``, ``cuda:1``, ..., ``mps``, ``cpu``."""
    found = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return [*found, *(["mps"] if torch.backends.mps.is_available() else []), "cpu"]


def training_device(choice: str = "auto") -> str:
    """The device that a choice (``auto``, ``cuda``, ``cuda:1``, ``mps``, ``cpu``) means on this machine.

    Raises:
        UserError: this machine has no such device.
    """
    there = training_devices()
    wanted = there[0] if choice == "auto" else "cuda:0" if choice == "cuda" else choice
    if wanted not in there:
        known = choice in CHOICES or choice.startswith("cuda:")
        word = "offers no device" if known else "knows no device"
        raise UserError(f"This machine {word} '{choice}': choose one of auto, {', '.join(there)}.")
    return wanted
