"""Tasks for other processes, in a file that is quick to import."""

import os
import signal
import time
from pathlib import Path

from recam_core.errors import UserError


def double(number: int) -> int:
    if number < 0:
        raise UserError("This number is negative.")
    return 2 * number


def die(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(600)
    return number


def sleep(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def meet(files: tuple[str, str]) -> int:
    """Say that this one is here, and wait for the other."""
    mine, other = map(Path, files)
    mine.touch()
    deadline = time.monotonic() + 60
    while not other.exists():
        if time.monotonic() > deadline:
            raise UserError("The other one never came.")
        time.sleep(0.02)
    return os.getpid()


def note(file: str) -> None:
    """Say who carries this out, and take long."""
    Path(file).write_text(str(os.getpid()))
    time.sleep(600)
