"""The queue as it stands, and where it lies: every training with its true state."""

import shutil
from collections.abc import Collection
from pathlib import Path

from recam_core.errors import UserError
from recam_core.folders import host_runs_folder, runs_folder
from recam_core.guest import guest
from recam_core.queue.job import JOB_FILE, check_id, no_training
from recam_core.queue.reserved import owner
from recam_core.queue.status import RUNNING, WAITING
from recam_core.queue.training import Training, look

#: Inside the folder of runs; the leading dot keeps it out of the list of runs.
QUEUE_FOLDER = ".trainings"
#: Inside the folder of runs as well: what grids of full trainings leave, a folder each.
GRIDS_FOLDER = ".grids"


def trainings_folder() -> Path:
    """The folder that holds one folder a training. All who share a folder of runs share the queue, and so do all
    guests: the devices are the same.
    """
    return host_runs_folder().absolute() / QUEUE_FOLDER


def grids_folder() -> Path:
    """The folder that holds one folder a grid of full trainings, with its runs and its result."""
    return runs_folder().absolute() / GRIDS_FOLDER


def training_folder(training_id: str) -> Path:
    """The folder of one training.

    Raises:
        UserError: the id has not the form of one.
    """
    return trainings_folder() / check_id(training_id)


_ORDER = (RUNNING, WAITING)


def list_trainings() -> list[Training]:
    """All trainings: the running ones, those that wait in their order, then the rest, the newest first. A guest sees
    their own alone.
    """
    return read_queue()[0]


def every_training() -> list[Training]:
    """The trainings of everybody, whoever asks: to be counted, and not to be shown."""
    return _read_all()[0]


def read_queue() -> tuple[list[Training], list[str]]:
    """The trainings of :func:`list_trainings`, and a sentence for each whose record is damaged."""
    found, faults = _read_all()
    if guest() is None:
        return found, faults
    return [training for training in found if _is_theirs(training)], []


def _is_theirs(training: Training) -> bool:
    one = guest()
    return one is None or training.job.visitor == one.name


def _read_all() -> tuple[list[Training], list[str]]:
    found: list[Training] = []
    faults: list[str] = []
    try:
        folders = sorted(file.parent for file in trainings_folder().glob(f"*/{JOB_FILE}"))
    except OSError:
        return found, faults
    for folder in folders:
        try:
            found.append(look(folder))
        except UserError as error:
            if (folder / JOB_FILE).exists():  # else it was removed meanwhile
                faults.append(f"{error} Delete its folder to be rid of it.")
    return sorted(found, key=_rank), faults


def find_training(training_id: str) -> Training:
    """One training.

    Raises:
        UserError: there is none of that id, or it is another guest's.
    """
    training = look(training_folder(training_id))
    if not _is_theirs(training):
        raise UserError(no_training(training_id))
    return training


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


def _rank(training: Training) -> tuple[int, float]:
    if training.state in _ORDER:
        return _ORDER.index(training.state), training.status.queued
    return len(_ORDER), -(training.status.ended or training.status.updated or training.job.created)


def live_visitors() -> set[str]:
    """The visitors of whom a training waits or works."""
    return {training.job.visitor for training in every_training() if training.is_live}


def forget_trainings(visitors: Collection[str]) -> None:
    """Take the trainings of visitors whose folders were deleted out of the queue; those that are live stay."""
    for training in every_training() if visitors else ():
        if training.job.visitor in visitors and not training.is_live:
            shutil.rmtree(training.folder, ignore_errors=True)
