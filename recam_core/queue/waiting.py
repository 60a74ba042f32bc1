"""What a job waits for: the run and all else that it starts from, while others are still to make it, and its device."""

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from recam_core.errors import UserError
from recam_core.lock import holding, try_lock
from recam_core.progress import Cancelled
from recam_core.queue.job import read_job
from recam_core.queue.reserved import has_record, is_finished, owner
from recam_core.queue.status import CANCELLED, FAILED, HOST, KILLED, WAITING, read_status, true_state
from recam_core.queue.training import look

_ENDS = {FAILED: "failed", CANCELLED: "was cancelled", KILLED: "was killed"}


def is_awaited(init: str) -> bool:
    """Whether the run, or another result, to start from is not there whole yet; "" is nothing to wait for."""
    return bool(init) and not is_finished(Path(init)) and (bool(owner(Path(init))) or not has_record(Path(init)))


def wait_for_run(trainings: Path, init: str, is_cancelled: Callable[[], bool]) -> None:
    """Wait until the run is there.

    Args:
        trainings: the folder of the queue.
        init: the run's folder.
        is_cancelled: asked between looks.

    Raises:
        Cancelled: it was cancelled while it waited.
        UserError: the training that was to make the run has ended without it, or was removed.
    """
    name = Path(init).name
    while is_awaited(init):
        if is_cancelled():
            raise Cancelled
        number = owner(Path(init))
        if not number:
            raise UserError(
                f"{name}, which this one starts from, is not there: it was deleted, or its training was removed from "
                "the queue before it had made it. Start from another one."
            )
        try:
            state = look(trainings / number).state
        except UserError:
            state = KILLED  # its folder is being deleted
        # Between the two looks it may have ended well.
        if state in _ENDS and is_awaited(init):
            raise UserError(
                f"The training of {name}, which this one starts from, {_ENDS[state]}. Resume it, then this one."
            )
        time.sleep(_LOOK)


#: Seconds between two looks at the queue.
_LOOK = 0.4


def device_lock(trainings: Path, device: str) -> Path:
    """The lock of a device of this machine; who holds it may train there.

    Args:
        trainings: the folder of the queue.
        device: as :func:`recam_core.device.device_names` names it.
    """
    return trainings / "devices" / (re.sub(r"[^A-Za-z0-9.]+", "-", f"{HOST}-{device}") + ".lock")


@contextmanager
def holding_device(folder: Path, device: str, queued: float, is_cancelled: Callable[[], bool]) -> Iterator[None]:
    """Wait until the device is free and no training waits for it longer; hold it meanwhile.

    Args:
        folder: of the training.
        device: its device, on this machine.
        queued: when it came.
        is_cancelled: asked between looks.

    Raises:
        Cancelled: it was cancelled while it waited.
    """
    lock = device_lock(folder.parent, device)
    while True:
        if is_cancelled():
            raise Cancelled
        if not ahead(folder, device, queued):
            handle = try_lock(lock)
            if handle is not None:
                with holding(handle):
                    yield
                return
        time.sleep(_LOOK)


def ahead(folder: Path, device: str, queued: float) -> list[str]:
    """The ids of the trainings that wait for the same device of this machine, and came before."""
    found = []
    with os.scandir(folder.parent) as entries:
        names = [entry.name for entry in entries if entry.is_dir() and entry.name != folder.name]
    for name in names:
        status = read_status(folder.parent / name)
        if status is None or status.host != HOST or true_state(status) != WAITING or status.awaits:
            continue
        try:
            same = read_job(folder.parent / name).device == device
        except UserError:
            continue  # being removed, or damaged: it waits for nothing
        if same and (status.queued, name) < (queued, folder.name):
            found.append(name)
    return found
