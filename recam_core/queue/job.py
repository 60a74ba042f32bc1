"""What was asked of the queue: ``job.json`` in the folder of a job, written once."""

import re
import secrets
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from recam_core.atomic_write import write_json
from recam_core.errors import UserError
from recam_core.records import RecordError, Time, as_kind, opened_record

JOB_FILE = "job.json"
LOG_FILE = "log.txt"
#: Held by the process that works on the training, as long as it lives.
LOCK_FILE = "lock"
#: Its being there asks that process to stop.
CANCEL_FILE = "cancel"
#: Of the form of ``job.json``; those of before there were versions are of 0, and lack nothing else. Up to 1 there were
#: trainings and grids alone, and no ``kind``.
VERSION = 2
#: Bytes that a job and a status may have.
_LARGEST = 1 << 20
#: As :func:`recam_core.train.recipe.check_recipe` allows them.
_MOST_EPOCHS = 10_000
_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")


#: Of :data:`recam_core.queue.kinds.KINDS`.
KindName = Literal["training", "grid", "boundaries", "masks", "network", "pipeline"]


@dataclass(frozen=True)
class GridRequest:
    """What a grid of full trainings varies, as plain values: a part of the job.

    Attributes:
        x, y: name of each axis, then its values as text.
        preset: name of the preset that the recipe began as.
        report: specification of the pictures that figures are reported on.
        seeds: each point once a seed.
        workers: trainings at a time.
        by: see :func:`recam_core.experiments.dispatch.dispatch`.
        train, score: seconds that a picture took when it was asked for, see
            :class:`recam_core.experiments.full_cost.Speed`; they say how much of the work is done.
    """

    x: Annotated[tuple[str, ...], Meta(min_length=1)]
    y: Annotated[tuple[str, ...], Meta(min_length=1)]
    preset: str
    report: str
    seeds: tuple[int, ...]
    workers: int
    by: str
    train: float
    score: float


@dataclass(frozen=True)
class TrainingJob:
    """One piece of work, a training or another of :data:`recam_core.queue.kinds.KINDS`, as its process needs it. Plain
    values only: waiting for a device must not load torch.

    Attributes:
        id: its name in the queue; sorts by time.
        recipe: of trainings and grids, the fields of :class:`recam_core.train.recipe.Recipe`.
        data, val: specifications of the training and validation pictures; val may be "".
        init: the run to start from, an absolute path, or "".
        out: the folder of the new run, or whatever else it makes, an absolute path.
        device: as :func:`recam_core.device.device_names` names them.
        folder: where relative paths in the specifications begin.
        command: the command line that makes the run again.
        half: store the weights in half precision.
        workers: loader processes; None leaves it to the training.
        created: seconds since 1970.
        grid: of a grid of full trainings, what it varies; the recipe is then the one that it varies. None for a
            single training.
        visitor: who asked for it, of the visitors of the app; "" for the command line.
        address: stands for the network address that they asked from; "" where that is not known.
        kind: of :data:`recam_core.queue.kinds.KINDS`.
        words: of a command, what stands behind ``python -m recam_core``.
        needs: what it reads besides the run, absolute paths: another job may still be to make it.
        version: of the form of the record.
    """

    id: str
    recipe: dict[str, Any]
    data: str
    val: str
    init: str
    out: str
    device: str
    folder: str
    command: str
    half: bool = False
    workers: int | None = None
    created: Time = 0.0
    grid: GridRequest | None = None
    visitor: str = ""
    address: str = ""
    kind: KindName = "training"
    words: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    version: int = VERSION

    @property
    def name(self) -> str:
        """The name of the run, or of the grid."""
        return Path(self.out).name

    @property
    def method(self) -> str:
        return str(self.recipe.get("method", ""))


def new_id() -> str:
    """An id that no other training has, and that sorts by time."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(3)}"


def check_id(text: str) -> str:
    """The id, if it has the form of one: it becomes part of a path.

    Raises:
        UserError: it has not.
    """
    if not _ID.fullmatch(text):
        raise UserError(f"'{text}' is not the id of a training; `trainings list` shows them.")
    return text


def no_training(training_id: str) -> str:
    """Said of an id that nothing is known of."""
    return f"There is no training '{training_id}'; it may have been removed."


def write_job(folder: Path, job: TrainingJob) -> None:
    """Write ``job.json``. Raises UserError where the folder cannot be written to."""
    write_json(folder / JOB_FILE, asdict(job))


def read_job(folder: Path) -> TrainingJob:
    """Read ``job.json``.

    Raises:
        UserError: it is missing or damaged.
    """
    try:
        with opened_record(folder / JOB_FILE, _LARGEST) as values:
            job = as_kind(values, TrainingJob, VERSION)
            if "kind" not in values and job.grid is not None:
                job = replace(job, kind="grid")
            if not 0 < as_kind(job.recipe.get("epochs", 1), int) <= _MOST_EPOCHS:
                raise ValueError("its epochs are out of range")
            if job.id != folder.name or not Path(job.out).is_absolute() or "\0" in job.out:
                raise ValueError("it belongs to another folder")
            return job
    except RecordError as error:
        if not error.is_missing:
            raise
        raise UserError(no_training(folder.name)) from error
