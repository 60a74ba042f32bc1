"""What the queue carries: a table of kinds of work, each with its result on disk, its progress and how it is done.

Trainings and grids of them are done in the process of the queue. Every other kind is a command of this program in a
process of its own below that, and says by its progress bars how far it is; a new one is an entry in :data:`KINDS`.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import recam_core
from recam_core.errors import LEFT_OUT, UserError
from recam_core.progress import PIPE, SCORED, STEPS, Cancelled, Moment
from recam_core.queue.job import LOG_FILE, KindName, TrainingJob
from recam_core.queue.reporter import LossCurve, Reporter, TimeLeft, say
from recam_core.queue.status import Status

#: Does what a job asks, told the status of the process before it, if one was stopped, and asked whether to stop.
WorkFn = Callable[[TrainingJob, Reporter, Status, Callable[[], bool]], None]


@dataclass(frozen=True)
class Kind:
    """One kind of work.

    Attributes:
        title: for people, such as "Boundaries".
        result: the file in the folder of a job that is there when the work is done, as its writer names it.
        work: does it; what was finished before is not done again.
        unit: what is counted of it, and kept when it is cut off; "" where it then begins anew.
        parts: of its command: label of a progress bar -> what is counted there, for people. What stands at "" is said
            of all others.
    """

    title: str
    result: str
    work: WorkFn
    unit: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)

    @property
    def kept(self) -> str:
        """What there is of one that is cut off."""
        return f"finished {self.unit}s are kept" if self.unit else "it begins anew when it is resumed"


# Trainings ------------------------------------------------------------------------------------------------------------


def _train(job: TrainingJob, reporter: Reporter, before: Status, is_cancelled: Callable[[], bool]) -> None:
    from recam_core.queue.work import train_job

    curve = LossCurve()
    epochs = int(job.recipe["epochs"])
    clock = TimeLeft(epochs)

    def watch(moment: Moment) -> None:
        nonlocal curve
        done, total = moment.done, moment.total
        if is_cancelled():
            raise Cancelled
        if moment.kind == SCORED:
            clock.scored(done, total)
            doing = f"Scoring picture {done + 1} of {total}" if done < total else "Saving"
            reporter.update(doing=doing, seconds_left=clock.seconds())
            return
        if not curve.names:
            # What a kill cut off after the last finished epoch is trained, and drawn, again.
            curve = LossCurve.up_to(before.losses, done - 1)
        curve.add(done, moment.losses)
        clock.stepped(done, total)
        per_epoch = max(total // epochs, 1)
        reporter.update(
            doing="Training" if done % per_epoch else "Scoring" if job.val else "Saving",
            step=done,
            steps=total,
            epoch=min((done - 1) // per_epoch + 1, epochs),
            epochs=epochs,
            seconds_left=clock.seconds(),
            losses=curve.so_far(),
        )
        if done % per_epoch == 0:
            say(moment.note)

    train_job(job, watch)


def _train_grid(job: TrainingJob, reporter: Reporter, before: Status, is_cancelled: Callable[[], bool]) -> None:
    from recam_core.queue.work import train_grid

    def told(words: str, finished: int, count: int, share: float, seconds_left: float) -> None:
        if finished != reporter.status.epoch or not reporter.status.epochs:
            say(f"{finished} of {count} trainings finished")
        # Thousandths, as the work is of two kinds, which are counted in seconds.
        reporter.update(
            doing=words, step=round(1000 * share), steps=1000, epoch=finished, epochs=count, seconds_left=seconds_left
        )

    train_grid(job, told, is_cancelled)


# Commands -------------------------------------------------------------------------------------------------------------

#: What the words of a command are given to.
PROGRAM = (sys.executable, "-m", "recam_core")
#: Seconds between two looks at what a command tells, and of a part before which nothing is said of the time left.
_LOOK, _ENOUGH = 0.2, 2.0
#: Seconds without a word after which another part is told.
_SILENCE = 10.0
#: Bytes of what a command tells that are read at once: as many as a pipe holds.
_PIPE_BYTES = 1 << 16


def _command(job: TrainingJob, reporter: Reporter, before: Status, is_cancelled: Callable[[], bool]) -> None:
    """Have a process carry out the words of a job. It ends by itself, at its next progress or soon, when this one has
    gone, or hears it no more."""
    log = reporter.folder / LOG_FILE
    said_before = log.stat().st_size if log.exists() else 0
    told = _Told(job, reporter)
    # Wherever the job was asked for, the program is this one.
    path = os.pathsep.join(filter(None, (str(Path(recam_core.__file__).parent.parent), os.environ.get("PYTHONPATH"))))
    with _pipe() as (name, pipe):
        process = subprocess.Popen(
            [*PROGRAM, *job.words],
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path, PIPE: name},
        )
        try:
            is_over = False
            while not is_over:
                if is_cancelled():
                    raise Cancelled
                is_over = process.poll() is not None
                for line in _read_lines(pipe):  # once more when it is over
                    told.hear(*json.loads(line))
                time.sleep(0 if is_over else _LOOK)
        finally:
            os.close(pipe)
            process.wait()
    if process.returncode not in (0, LEFT_OUT):
        raise UserError(_sentences(log, said_before) or "It broke off unexpectedly; its log says why.")


@contextmanager
def _pipe() -> Iterator[tuple[str, int]]:
    """The name of a pipe that processes write to, and the end to read, which is to be closed.

    Not in the folder of the job: file systems of a network have no pipes.
    """
    with tempfile.TemporaryDirectory(prefix="recam-") as folder:
        name = os.path.join(folder, "progress")
        os.mkfifo(name, 0o600)
        yield name, os.open(name, os.O_RDONLY | os.O_NONBLOCK)


def _read_lines(pipe: int) -> list[bytes]:
    """What was written since the last look. Lines are written whole, and a pipe holds whole ones."""
    try:
        return os.read(pipe, _PIPE_BYTES).splitlines()
    except BlockingIOError:
        return []


def _sentences(log: Path, begin: int) -> str:
    """The errors that a command, and those that it called, told its log."""
    try:
        with log.open("rb") as file:
            file.seek(begin)
            lines = file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return " ".join(line.removeprefix("error: ") for line in lines if line.startswith("error: "))


class _Told:
    """Puts what a command tells into the status: a part of the work after another, and of a pipeline its steps."""

    def __init__(self, job: TrainingJob, reporter: Reporter):
        self._words, self._reporter = KINDS[job.kind].parts, reporter
        self._label, self._first, self._began, self._heard, self._step = "", 0, 0.0, 0.0, ""

    def hear(self, label: str, done: int, total: int, note: str) -> None:
        if label == STEPS:
            self._step, self._label = f"Step {done + 1} of {total}, {note}: ", ""
            self._reporter.update(
                doing=f"{self._step}Starting", epoch=done, epochs=total, step=0, steps=0, seconds_left=None
            )
            return
        now = time.monotonic()
        if label != self._label:
            if self._label and now - self._heard < _SILENCE:
                return  # of two parts that go on beside each other one is told
            self._label, self._first, self._began = label, done, now
        if done < self._first:
            self._first, self._began = done, now
        # What is over makes room for the next part.
        self._heard = now if done < total else 0.0
        gone = now - self._began
        left = gone / (done - self._first) * (total - done) if done > self._first and gone > _ENOUGH else None
        begin = label.partition(" ")[0]
        words = self._words.get(label) or _READING.get(begin) or self._words.get("", begin)
        self._reporter.update(doing=f"{self._step}{words}", step=done, steps=total, seconds_left=left)


#: The table that a pipeline writes last, before its runs are kept and it is done.
FOUND_FILE = "found.json"


def _pipeline(job: TrainingJob, reporter: Reporter, before: Status, is_cancelled: Callable[[], bool]) -> None:
    """A pipeline; its runs are kept among the user's runs, too, where all that can be done with runs finds them."""
    _command(job, reporter, before, is_cancelled)
    reporter.update(doing="Keeping its runs", step=0, steps=0, seconds_left=None)
    from recam_core.queue.kept_runs import keep_runs_of_pipeline

    out = Path(job.out)
    for words in keep_runs_of_pipeline(out):
        say(words)
    os.replace(out / FOUND_FILE, out / KINDS[PIPELINE].result)


TRAINING: Final[KindName] = "training"
GRID: Final[KindName] = "grid"
BOUNDARIES: Final[KindName] = "boundaries"
MASKS: Final[KindName] = "masks"
NETWORK: Final[KindName] = "network"
PIPELINE: Final[KindName] = "pipeline"
_PICTURES = "Making and refining maps, picture"
#: What any command does first with a large data set.
_READING = {"reading": "Looking for pictures that cannot be read, picture"}
_LEARNING = {"labels": "Labels from the seeds, picture", "boundaries": "Learning boundaries, batch"}
_TRAINING = dict.fromkeys(("bce", "recam"), "batch")
_SEGMENT = {"segment": "Training the network, batch"}

KINDS: dict[KindName, Kind] = {
    TRAINING: Kind("Training", "run.json", _train, "epoch"),
    GRID: Kind("Grid of full trainings", "result.json", _train_grid, "training"),
    BOUNDARIES: Kind("Boundaries", "boundaries.json", _command, "epoch", _LEARNING),
    MASKS: Kind("Masks", "masks.json", _command, "", {"": _PICTURES}),
    NETWORK: Kind("Segmentation network", "segment.json", _command, "epoch", _SEGMENT),
    PIPELINE: Kind(
        "Pipeline", "pipeline.json", _pipeline, "step", {**_LEARNING, **_SEGMENT, **_TRAINING, "": "picture"}
    ),
}
