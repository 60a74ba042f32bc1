"""One training of the queue at one moment, with its true state. Looking must not load torch: processes that wait do."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recam_core.queue.job import CANCEL_FILE, LOG_FILE, TrainingJob, read_job
from recam_core.queue.reserved import is_finished
from recam_core.queue.status import (
    CANCELLED,
    DONE,
    FAILED,
    KILLED,
    LIVE,
    WAITING,
    Status,
    read_status,
    true_state,
)
from recam_core.records import RecordError, is_finite, read_rows

#: Seconds that a new process may take to write its first status.
_FIRST_WORD = 20.0


@dataclass(frozen=True)
class Training:
    """One training at one moment.

    Attributes:
        folder: its folder in the queue.
        job: what it was asked to do.
        status: what its process wrote last.
        state: what is true now: ``waiting``, ``running``, ``done``, ``failed``, ``cancelled`` or ``killed``.
    """

    folder: Path
    job: TrainingJob
    status: Status
    state: str

    @property
    def id(self) -> str:
        return self.job.id

    @property
    def out(self) -> Path:
        """The folder of the run."""
        return Path(self.job.out)

    @property
    def is_live(self) -> bool:
        """Whether a process is at it."""
        return self.state in LIVE

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to stop and has not yet."""
        return self.is_live and (self.folder / CANCEL_FILE).exists()

    @property
    def can_resume(self) -> bool:
        return self.state in (FAILED, CANCELLED, KILLED)

    def epochs(self) -> list[dict[str, Any]]:
        """One entry a finished epoch: losses, seconds, and scores where there are validation pictures."""
        try:
            return [row for row in read_rows(self.out / "metrics.json") if is_finite(row.get("epoch"))]
        except RecordError:
            return []

    def log_tail(self, lines: int = 40) -> str:
        """The last lines of its log."""
        try:
            with (self.folder / LOG_FILE).open("rb") as log:
                log.seek(max(log.seek(0, os.SEEK_END) - 200 * lines, 0))
                text = log.read().decode("utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])


def look(folder: Path) -> Training:
    """The training of a folder, as it stands. Raises UserError where there is none, or a damaged one."""
    job = read_job(folder)
    status = read_status(folder)
    if status is None:
        # Of a clock that was set back since, no such training would ever have had its time.
        starting = abs(time.time() - job.created) < _FIRST_WORD
        return Training(folder, job, Status(doing="Starting"), WAITING if starting else KILLED)
    state = true_state(status)
    if state == KILLED and is_finished(Path(job.out)):
        state = DONE  # killed after its last word to the run, before that to the queue
    elif state == KILLED and (folder / CANCEL_FILE).exists():
        state = CANCELLED
    return Training(folder, job, status, state)
