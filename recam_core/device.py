"""Which device the networks run on."""

import torch

from recam_core.errors import UserError

CHOICES = ("auto", "cuda", "mps", "cpu")


def pick_device(choice: str = "auto") -> torch.device:
    """The device for ``choice``; ``auto`` takes CUDA, then MPS, then the CPU.

    Raises:
        UserError: the choice is unknown, or that device is not there.
    """
    if choice not in CHOICES:
        raise UserError(f"There is no device '{choice}': choose one of {', '.join(CHOICES)}.")
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if choice == "auto":
        choice = next(name for name, there in available.items() if there)
    if not available[choice]:
        raise UserError(f"This machine offers no {choice} device; choose 'auto' to take the best that is there.")
    return torch.device(choice)


def describe_device(device: torch.device) -> str:
    """The device in words, such as ``CPU (2 threads)`` or ``CUDA (NVIDIA H100)``."""
    if device.type == "cuda":
        return f"CUDA ({torch.cuda.get_device_name(device)})"
    if device.type == "mps":
        return "MPS (Apple GPU)"
    threads = torch.get_num_threads()
    return f"CPU ({threads} thread{'s' * (threads > 1)})"
