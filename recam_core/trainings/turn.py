"""One training at a time on a device; the others wait in the order in which they came."""

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from recam_core.errors import UserError
from recam_core.lock import holding, try_lock
from recam_core.progress import Cancelled
from recam_core.trainings.job import read_job
from recam_core.trainings.process import HOST
from recam_core.trainings.status import WAITING, read_status, true_state

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
def turn(folder: Path, device: str, queued: float, is_cancelled: Callable[[], bool]) -> Iterator[None]:
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
