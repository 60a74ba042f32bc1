"""One at a time: a lock on a folder of runs that holds between sessions and between processes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recam_core.errors import UserError
from recam_core.lock import holding, try_lock

LOCK_FILE = ".lock"
#: Seconds; nothing that is done under the lock takes longer than moments.
_PATIENCE = 10.0


@contextmanager
def locked(folder: str | Path) -> Iterator[Path]:
    """Hold the lock of ``folder``, which is made if need be; the system frees it when its holder dies.

    Raises:
        UserError: the folder cannot be written to, or somebody holds the lock for more than 10 seconds.
    """
    folder = Path(folder)
    deadline = time.monotonic() + _PATIENCE
    while (handle := try_lock(folder / LOCK_FILE)) is None:
        if time.monotonic() > deadline:
            raise UserError(f"Another session is changing the runs in {folder}; try again in a moment.")
        time.sleep(0.02)
    with holding(handle):
        yield folder
