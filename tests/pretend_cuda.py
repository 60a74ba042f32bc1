"""A CUDA device that pretends: tensors that say they lie on one, and an operation mode that finds what would wait.

The meta device does the rest: it has shapes and no numbers, so that whoever asks for a number fails.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class OnCuda(torch.Tensor):
    """A tensor of the CPU that says it is on ``cuda:1``, as does whatever is made of it."""

    @property
    def is_cuda(self) -> bool:
        return True

    @property
    def device(self) -> torch.device:
        return torch.device("cuda:1")


class Copies(TorchDispatchMode):
    """Counts the numbers of the tensors that operations copy from one layout into another."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if func.overloadpacket in (torch.ops.aten.clone, torch.ops.aten.copy_, torch.ops.aten._to_copy):
            self.sizes.append(found.numel())
        return found


@contextmanager
def cards(monkeypatch: Any, count: int = 2, capability: tuple[int, int] = (7, 5)) -> Iterator[list[Any]]:
    """So many cards that torch says it sees; what is asked of them goes into the list."""
    asked: list[Any] = []

    def note(word: str, answer: Any = None) -> Callable:
        def called(*words: Any) -> Any:
            asked.append((word, *words))
            return answer

        return called

    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    monkeypatch.setattr(torch.cuda, "set_device", note("set_device"))
    monkeypatch.setattr(torch.cuda, "synchronize", note("synchronize"))
    monkeypatch.setattr(torch.cuda, "empty_cache", note("empty_cache"))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: (10 << 30, 80 << 30))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device=None: 6 << 30)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device=None: 2 << 30)
    yield asked
