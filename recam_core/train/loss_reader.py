"""Reading the losses of the steps without making a GPU wait for it."""

from collections.abc import Iterator

import torch
from torch import Tensor


class LossReader:
    """Hands out each step's losses as numbers: at once on a CPU, and one step late on CUDA.

    Asking a GPU for a number stops it until it has nothing left to do. So the number is copied in the background
    and read when the next step has been handed over.
    """

    def __init__(self) -> None:
        self._pending: tuple[int, list[str], Tensor, torch.cuda.Event] | None = None

    def put(self, step: int, losses: dict[str, Tensor]) -> Iterator[tuple[int, dict[str, float]]]:
        """Take the losses (scalars) of a step; yields those (step, losses) that can be read now."""
        values = torch.stack([loss.detach().float() for loss in losses.values()])
        if not values.is_cuda:
            yield step, dict(zip(losses, values.tolist(), strict=True))
            return
        there = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
        there.copy_(values, non_blocking=True)
        copied = torch.cuda.Event()
        # On the stream that computes the losses: the current device may be another one.
        copied.record(torch.cuda.current_stream(values.device))
        before, self._pending = self._pending, (step, list(losses), there, copied)
        if before is not None:
            yield self._read(*before)

    def rest(self) -> Iterator[tuple[int, dict[str, float]]]:
        """What was not handed out yet, at the end of an epoch."""
        before, self._pending = self._pending, None
        if before is not None:
            yield self._read(*before)

    @staticmethod
    def _read(step: int, names: list[str], there: Tensor, copied: "torch.cuda.Event") -> tuple[int, dict[str, float]]:
        copied.synchronize()
        return step, dict(zip(names, there.tolist(), strict=True))
