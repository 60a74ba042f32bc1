"""The process of one job of the queue: ``python -m recam_core.queue.trainer FOLDER``.

It belongs to nobody: whoever started it may end. It may be killed at any moment; what it leaves can be gone on from."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType

from recam_core.errors import UserError
from recam_core.lock import holding, try_lock
from recam_core.priority import TRAINING, behind_others
from recam_core.progress import Cancelled
from recam_core.queue.job import CANCEL_FILE, LOCK_FILE, TrainingJob, read_job
from recam_core.queue.kinds import GRID, KINDS, PIPELINE
from recam_core.queue.reporter import Reporter, say
from recam_core.queue.reserved import is_finished, release
from recam_core.queue.status import CANCELLED, DONE, FAILED, RUNNING, WAITING, Status, read_status
from recam_core.queue.waiting import holding_device, is_awaited, wait_for_run

#: Seconds that loader processes of a killed training may take to end; they hold its lock, too.
_LAST_BREATH = 8.0
#: Exit status where another process is at the same training already.
TAKEN = 3


def main(folder: Path) -> int:
    """Wait for the device, do the work, and say how it ended; 0 when its result is there."""
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
    kind = KINDS[job.kind]
    awaited = [place for place in (job.init, *job.needs) if is_awaited(place)]
    awaits = Path(awaited[0]).name if awaited else ""
    doing = f"Waiting for {awaits}" if awaits else "Waiting for the device"
    status = Status(WAITING, doing, queued=now, losses=before.losses, awaits=awaits)
    if job.kind in (GRID, PIPELINE):
        # What is finished of it stays so, also where this process ends before it has looked for it.
        status = replace(status, epoch=before.epoch, epochs=before.epochs)
    reporter = Reporter(folder, status)
    state, message = FAILED, "It broke off unexpectedly; its log says why. It can be resumed."
    try:
        out = Path(job.out)
        _clear_leftovers(folder, out, *(out.glob("*") if job.kind in (GRID, PIPELINE) else ()))
        if not is_finished(out):
            for place in awaited:
                name = Path(place).name
                say(f"Waiting for {name}, which another training is to make")
                reporter.update(doing=f"Waiting for {name}", awaits=name)
                wait_for_run(folder.parent, place, is_cancelled)
            reporter.update(doing="Waiting for the device", awaits="")
            with holding_device(folder, job.device, now, is_cancelled):
                reporter.update(state=RUNNING, doing="Loading", began=time.time())
                say(f"Started: {job.command}")
                kind.work(job, reporter, before, is_cancelled)
        release(out, job.id)
        state, message = DONE, ""
    except Cancelled:
        state, message = CANCELLED, ""
    except UserError as error:
        message = str(error)
    finally:
        say({DONE: "Finished.", CANCELLED: f"Cancelled; {kind.kept}."}.get(state, message))
        reporter.close(state=state, doing="", awaits="", message=message, ended=time.time(), seconds_left=None)
    return 0 if state == DONE else 1


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
