"""Locks that the operating system takes back when their holder ends, however it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recam_core.errors import UserError


def try_lock(file: Path) -> int | None:
    """Take the lock ``file``, made if need be, without waiting.

    Returns:
        A handle to close, which gives the lock back; None where somebody else holds it.

    Raises:
        UserError: the file cannot be made.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise UserError(f"Cannot write {file}: {error.strerror or error}.") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


@contextmanager
def holding(handle: int) -> Iterator[None]:
    """Give a lock back at the end."""
    try:
        yield
    finally:
        os.close(handle)
