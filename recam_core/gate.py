"""One at a time on a GPU, of all threads and processes of a user: pages, jobs, commands and trainings.

Work is done in pieces of a second or so, a picture or a step, each behind the gate. Who has a long piece gives way in
it. Whoever leaves while somebody waits hands over the memory that is held and not used, so what is free when a piece
begins stays free for it. The locks are the operating system's, which takes them back from a process that ends.

A CPU has no gate: the system shares it out, and its memory with it.
"""

import platform
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import torch

from recam_core import ranks
from recam_core.cache import cache_folder
from recam_core.errors import UserError
from recam_core.lock import try_lock, unlock
from recam_core.memory import give_back_memory

#: Seconds between two looks of one who waits, and how long one who gives way waits to be followed.
_LOOK, _HAND_OVER = 0.01, 0.5
#: Memory that a process may keep at hand between two pieces of work though it does not use it.
_KEPT_BYTES = 1 << 30


class Gate:
    """The gate of a device; see :func:`device_gate`."""

    def __init__(self, lock: Path) -> None:
        """Nothing is held yet.

        Args:
            lock: held by the process that is inside; beside it lies the one that those share who wait.
        """
        self._lock, self._waiting_room = lock, lock.with_suffix(".waiting")
        self._turn = threading.Condition()
        self._owner: int | None = None
        self._depth = self._waiting = self._turns = 0
        self._handle: int | None = None

    @property
    def is_mine(self) -> bool:
        """Whether this thread is inside."""
        return self._owner == threading.get_ident()

    def enter(self) -> None:
        """Wait until nobody else is inside. A thread that is inside may enter again."""
        me = threading.get_ident()
        with self._turn:
            if self._owner != me:
                self._waiting += 1
                try:
                    self._turn.wait_for(lambda: self._owner is None)
                finally:
                    self._waiting -= 1
                self._owner = me
                self._turns += 1
            self._depth += 1
            if self._depth > 1:
                return
        try:
            self._handle = self._of_the_system()
        except BaseException:
            self._let_go()
            raise

    def leave(self) -> None:
        """Let the next one in, and wait a moment until somebody who waits came."""
        if self._depth > 1:
            self._depth -= 1
            return
        others = self._others_wait()
        if others or _idle_bytes() > _KEPT_BYTES:
            give_back_memory()
        handle, self._handle = self._handle, None
        if handle is not None:
            unlock(handle)  # loader processes were forked from inside
        threads, turns = self._waiting, self._turns
        self._let_go()
        until = time.monotonic() + _HAND_OVER
        # Without this, a loop of pieces would be back before those who wait had looked again.
        while time.monotonic() < until and ((threads and self._turns == turns) or (others and self._is_free())):
            time.sleep(_LOOK / 4)

    def give_way(self) -> None:
        """Between two steps of long work: let those in who wait, and come back after them."""
        if self._depth == 1 and (self._waiting or self._others_wait()):
            self.leave()
            self.enter()

    def _let_go(self) -> None:
        with self._turn:
            self._depth, self._owner = 0, None
            self._turn.notify()

    def _of_the_system(self) -> int | None:
        try:
            handle = try_lock(self._lock)
            if handle is None:
                seat = self._sit_down()
                try:
                    while (handle := try_lock(self._lock)) is None:
                        time.sleep(_LOOK)
                finally:
                    unlock(seat)
        except UserError:
            return None  # a cache that cannot be written to: the threads of this process take turns all the same
        return handle

    def _sit_down(self) -> int:
        # Those inside look whether it is shared by taking it for themselves, for a moment.
        while (handle := try_lock(self._waiting_room, shared=True)) is None:
            time.sleep(_LOOK / 10)
        return handle

    def _others_wait(self) -> bool:
        return not _can_be_had(self._waiting_room)

    def _is_free(self) -> bool:
        return _can_be_had(self._lock)


@contextmanager
def device_gate(device: torch.device | str) -> Iterator[Gate | None]:
    """Be alone on a GPU inside; at once, and with None, for a CPU.

    Args:
        device: a CUDA or MPS device.
    """
    gate = gate_of(torch.device(device))
    if gate is None:
        yield None
        return
    gate.enter()
    try:
        yield gate
    finally:
        gate.leave()


def give_way(device: torch.device) -> None:
    """Between two steps of long work that is inside the gate of a device: let those in who wait, and come back after.

    Nothing happens where this thread is not inside, or not by one piece of work alone.
    """
    gate = gate_of(device)
    if gate is not None and gate.is_mine:
        gate.give_way()


def gate_of(device: torch.device) -> Gate | None:
    """The gate of a device; None for a CPU, and under ``torchrun``: two commands of several ranks, of which each waits
    for a card of the other's, would wait for ever."""
    if ranks.world() > 1:
        return None
    return _gate_of(_card(device), cache_folder()) if device.type in ("cuda", "mps") else None


@cache
def _gate_of(card: str, folder: Path) -> Gate:
    return Gate(folder / "devices" / (re.sub(r"[^A-Za-z0-9.]+", "-", f"{platform.node()}-{card}") + ".lock"))


def _card(device: torch.device) -> str:
    """The card itself: two processes may see different ones under one number."""
    if device.type != "cuda":
        return device.type
    index = torch.cuda.current_device() if device.index is None else device.index
    return str(getattr(torch.cuda.get_device_properties(index), "uuid", "")) or f"cuda-{index}"


def _idle_bytes() -> int:
    if not torch.cuda.is_initialized():
        return 0
    return sum(
        torch.cuda.memory_reserved(index) - torch.cuda.memory_allocated(index)
        for index in range(torch.cuda.device_count())
    )


def _can_be_had(lock: Path) -> bool:
    with suppress(UserError):
        handle = try_lock(lock)
        if handle is None:
            return False
        unlock(handle)
    return True
