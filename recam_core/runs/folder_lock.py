"""One at a time: a lock on a folder of runs that holds between sessions and between processes."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recam_core.errors import UserError

LOCK_FILE = ".lock"
#: Nothing that is done under the lock takes longer than moments.
_PATIENCE = 10.0


@contextmanager
def locked(folder: str | Path) -> Iterator[Path]:
    """Hold the lock of ``folder``, which is made if need be; the system frees it when its holder dies.

    Raises:
        UserError: the folder cannot be written to, or somebody holds the lock for more than 10 seconds.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise UserError(f"Cannot write to {folder}: {error.strerror or error}.") from error
    try:
        deadline = time.monotonic() + _PATIENCE
        while not _take(handle):
            if time.monotonic() > deadline:
                raise UserError(f"Another session is changing the runs in {folder}; try again in a moment.")
            time.sleep(0.02)
        yield folder
    finally:
        os.close(handle)  # which frees the lock


def _take(handle: int) -> bool:
    """Whether the lock could be had at once."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
