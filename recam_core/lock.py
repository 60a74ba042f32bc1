"""Locks that the operating system takes back when their holder ends, however it ends.

Some are shared, as those of the library filelock are not. Windows has no such locks: the library can be imported there,
and what needs a lock says so.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from recam_core.atomic_write import cannot_write
from recam_core.errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def try_lock(file: Path, shared: bool = False) -> int | None:
    """Take the lock ``file``, made if need be, without waiting.

    Args:
        file: as said.
        shared: let others hold it as well, if they share it, too.

    Returns:
        A handle to close, which gives the lock back; None where somebody else holds it.

    Raises:
        UserError: the file cannot be made, or its file system or the operating system has no locks.
    """
    if fcntl is None:
        raise UserError(
            f"{file.name} cannot be locked: this operating system has no locks that it takes back from a program that "
            "ends. Work on Linux or macOS; on Windows, inside WSL."
        )
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise cannot_write(file, error) from error
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        if isinstance(error, BlockingIOError):
            return None
        raise UserError(f"Cannot lock {file}: {error.strerror or error}.") from error
    return handle


def unlock(handle: int) -> None:
    """Give a lock back at once, even where a process that was forked meanwhile still has the handle."""
    fcntl.flock(handle, fcntl.LOCK_UN)
    os.close(handle)


@contextmanager
def holding(handle: int) -> Iterator[None]:
    """Give a lock back at the end."""
    try:
        yield
    finally:
        os.close(handle)


@contextmanager
def waiting_for(file: Path, look: Callable[[], None], seconds: float = 0.2) -> Iterator[None]:
    """Hold a lock, once it is free.

    Args:
        file: see :func:`try_lock`.
        look: called each time that somebody else is found to hold it; may raise, which ends the wait.
        seconds: between two looks.

    Raises:
        UserError: see :func:`try_lock`.
    """
    while (handle := try_lock(file)) is None:
        look()
        time.sleep(seconds)
    with holding(handle):
        yield


#: Seconds that a killed command's own processes, loaders among them, may take to end.
_LAST_BREATH = 8.0
#: Handles of the folders that this process is the only one to write to, by the file of the lock.
_held: dict[Path, int] = {}


def hold_folder(folder: Path, locks: Path) -> None:
    """Be the only process that writes to a folder, until :func:`let_go` or the end of the process.

    Two trainings in one folder would read each other's half-trained state, and the later one would replace what the
    first one made. Where nothing can be locked (Windows, a cache that cannot be written to) there is no such promise.

    Args:
        folder: need not be there yet.
        locks: where the files of locks lie: beside what they lock they would be part of it.

    Raises:
        UserError: another process writes to it, and does not end within seconds.
    """
    file = locks / f"{hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:32]}.lock"
    if fcntl is None or file in _held:
        return
    ends = time.monotonic() + _LAST_BREATH
    try:
        while (handle := try_lock(file)) is None and time.monotonic() < ends:
            time.sleep(0.1)
    except UserError:
        return
    if handle is None:
        raise UserError(
            f"Another command is writing to {folder} at this moment: wait until it has ended, or choose another folder."
        )
    _held[file] = handle


def let_go() -> None:
    """Give all folders of :func:`hold_folder` back."""
    while _held:
        unlock(_held.popitem()[1])  # at once, though a loader that was forked may have it still
