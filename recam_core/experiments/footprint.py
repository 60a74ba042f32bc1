"""How far a long task is, in a file that whoever handed it out can read, on this machine or on another."""

import contextlib
import time
from pathlib import Path

from recam_core.atomic_write import write_json
from recam_core.errors import UserError
from recam_core.records import RecordError, as_finite, opened_record

#: Seconds between two writes.
INTERVAL = 1.0


class Footprint:
    """Writes the step that a task is in, and how far that is, about once a second.

    A disk that is full does not end the task for want of a footprint.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._step = ""
        self._written = 0.0

    def __call__(self, step: str, done: int, total: int) -> None:
        """The task is in a step, and has done so much of it."""
        now = time.monotonic()
        if step == self._step and now - self._written < INTERVAL:
            return
        self._step, self._written = step, now
        with contextlib.suppress(UserError):
            write_json(self.file, {"step": step, "done": done, "total": total})


def read_footprint(file: Path) -> tuple[str, float]:
    """The step of a task and the share of it that is done; no step where nothing was written yet."""
    try:
        with opened_record(file) as values:
            done, total = as_finite(values["done"]), as_finite(values["total"])
            return str(values["step"]), min(max(done / max(total, 1), 0.0), 1.0)
    except RecordError:
        return "", 0.0
