"""The queue as it stands: every training with its true state."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recam_core.errors import UserError
from recam_core.trainings.job import CANCEL_FILE, JOB_FILE, LOG_FILE, TrainingJob, read_job
from recam_core.trainings.places import training_folder, trainings_folder
from recam_core.trainings.reserved import is_finished, owner
from recam_core.trainings.status import (
    CANCELLED,
    DONE,
    FAILED,
    KILLED,
    LIVE,
    RUNNING,
    WAITING,
    Status,
    read_status,
    true_state,
)

#: Seconds that a new process may take to write its first status.
_FIRST_WORD = 20.0
_ORDER = (RUNNING, WAITING)


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
            found = json.loads((self.out / "metrics.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []

    def log_tail(self, lines: int = 40) -> str:
        """The last lines of its log."""
        try:
            with (self.folder / LOG_FILE).open("rb") as log:
                log.seek(max(log.seek(0, os.SEEK_END) - 200 * lines, 0))
                text = log.read().decode("utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])


def list_trainings() -> list[Training]:
    """All trainings: the running ones, those that wait in their order, then the rest, the newest first."""
    try:
        folders = [file.parent for file in trainings_folder().glob(f"*/{JOB_FILE}")]
    except OSError:
        return []
    found = []
    for folder in folders:
        try:
            found.append(_look(folder))
        except UserError:
            continue  # removed meanwhile, or not a training
    return sorted(found, key=_rank)


def find_training(training_id: str) -> Training:
    """One training.

    Raises:
        UserError: there is none of that id.
    """
    return _look(training_folder(training_id))


def resolve_training(text: str) -> Training:
    """The training of an id, or of the name of its run.

    Raises:
        UserError: there is none.
    """
    found = [training for training in list_trainings() if text in (training.id, training.job.name)]
    if not found:
        raise UserError(f"There is no training '{text}'; `trainings list` shows them.")
    return found[0]


def writer_of(run: str | Path) -> Training | None:
    """The unfinished training that the folder of a run belongs to, live or not; None for any other folder."""
    name = owner(Path(run))
    try:
        return find_training(name) if name else None
    except UserError:
        return None  # the mark was made by hand, or the training is gone


def _look(folder: Path) -> Training:
    job = read_job(folder)
    status = read_status(folder)
    if status is None:
        starting = time.time() - job.created < _FIRST_WORD
        return Training(folder, job, Status(doing="Starting"), WAITING if starting else KILLED)
    state = true_state(status)
    if state == KILLED and is_finished(Path(job.out)):
        state = DONE  # killed after its last word to the run, before that to the queue
    elif state == KILLED and (folder / CANCEL_FILE).exists():
        state = CANCELLED
    return Training(folder, job, status, state)


def _rank(training: Training) -> tuple[int, float]:
    if training.state in _ORDER:
        return _ORDER.index(training.state), training.status.queued
    return len(_ORDER), -(training.status.ended or training.status.updated or training.job.created)
