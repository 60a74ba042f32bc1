"""The process of one training, or of a grid of them: ``python -m recam_core.queue.trainer FOLDER``.

It belongs to nobody: whoever started it may end. It may be killed at any moment; what it leaves can be gone on from."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from types import FrameType

from recam_core.errors import UserError
from recam_core.lock import holding, try_lock
from recam_core.priority import TRAINING, behind_others
from recam_core.progress import SCORED, Cancelled, Moment
from recam_core.queue.job import CANCEL_FILE, LOCK_FILE, TrainingJob, read_job
from recam_core.queue.reporter import LossCurve, Reporter, TimeLeft
from recam_core.queue.reserved import is_finished, release
from recam_core.queue.status import CANCELLED, DONE, FAILED, RUNNING, WAITING, Status, read_status
from recam_core.queue.waiting import holding_device, is_awaited, wait_for_run

#: Seconds that loader processes of a killed training may take to end; they hold its lock, too.
_LAST_BREATH = 8.0
#: Exit status where another process is at the same training already.
TAKEN = 3


def main(folder: Path) -> int:
    """Wait for the device, train, and say how it ended; 0 when the run is there."""
    behind_others(TRAINING)
    stop = threading.Event()

    def on_term(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_term)
    handle = _own_lock(folder)
    if handle is None:
        return TAKEN
    with holding(handle):
        job = read_job(folder)
        return _work(folder, job, lambda: stop.is_set() or (folder / CANCEL_FILE).exists())


def say(text: str) -> None:
    """A line in the log. A full disk does not end a training for want of a line."""
    try:
        print(f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S} {text}", flush=True)
    except OSError:
        return


def _own_lock(folder: Path) -> int | None:
    read_job(folder)  # a folder that was removed must not be made again by its lock
    deadline = time.monotonic() + _LAST_BREATH
    while True:
        handle = try_lock(folder / LOCK_FILE)
        if handle is not None or time.monotonic() > deadline:
            return handle
        time.sleep(0.2)


def _work(folder: Path, job: TrainingJob, is_cancelled: Callable[[], bool]) -> int:
    before = read_status(folder) or Status()
    now = time.time()
    awaits = Path(job.init).name if is_awaited(job.init) else ""
    doing = f"Waiting for the run {awaits}" if awaits else "Waiting for the device"
    status = Status(WAITING, doing, queued=now, losses=before.losses, awaits=awaits)
    if job.grid is not None:
        # Trainings that are finished stay so, also where this process ends before it has looked for them.
        status = replace(status, epoch=before.epoch, epochs=before.epochs)
    reporter = Reporter(folder, status)
    state, message = FAILED, "The training broke off unexpectedly; its log says why. It can be resumed."
    try:
        out = Path(job.out)
        _clear_leftovers(folder, out, *(out.glob("*") if job.grid is not None else ()))
        if not is_finished(Path(job.out)):
            if awaits:
                say(f"Waiting for the run {awaits}, which another training is to make")
                wait_for_run(folder.parent, job.init, is_cancelled)
                reporter.update(doing="Waiting for the device", awaits="")
            with holding_device(folder, job.device, now, is_cancelled):
                reporter.update(state=RUNNING, doing="Loading", began=time.time())
                say(f"Started: {job.command}")
                if job.grid is None:
                    _train(job, reporter, before, is_cancelled)
                else:
                    _train_grid(job, reporter, is_cancelled)
        release(Path(job.out), job.id)
        state, message = DONE, ""
    except Cancelled:
        state, message = CANCELLED, ""
    except UserError as error:
        message = str(error)
    finally:
        kept = "the last finished epoch is kept" if job.grid is None else "finished trainings and epochs are kept"
        say({DONE: "Finished.", CANCELLED: f"Cancelled; {kept}."}.get(state, message))
        reporter.close(state=state, doing="", awaits="", message=message, ended=time.time(), seconds_left=None)
    return 0 if state == DONE else 1


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


def _train_grid(job: TrainingJob, reporter: Reporter, is_cancelled: Callable[[], bool]) -> None:
    from recam_core.queue.work import train_grid

    def told(words: str, finished: int, count: int, share: float, seconds_left: float) -> None:
        if finished != reporter.status.epoch or not reporter.status.epochs:
            say(f"{finished} of {count} trainings finished")
        # Thousandths, as the work is of two kinds, which are counted in seconds.
        reporter.update(
            doing=words, step=round(1000 * share), steps=1000, epoch=finished, epochs=count, seconds_left=seconds_left
        )

    train_grid(job, told, is_cancelled)


def _clear_leftovers(*folders: Path) -> None:
    """Delete the half-written files of a process that was killed; no other process writes here."""
    for folder in folders:
        for place in (folder, folder / "state"):
            for file in place.glob(".*.tmp"):
                file.unlink(missing_ok=True)


if __name__ == "__main__":
    place = Path(sys.argv[1]).absolute()
    try:
        os.chdir(read_job(place).folder)
        sys.exit(main(place))
    except (UserError, OSError) as error:
        # Before there is a status to say it in: whoever started this process reads the log.
        say(str(error))
        sys.exit(1)
