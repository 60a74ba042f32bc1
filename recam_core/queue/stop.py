"""Cancelling a training, and removing one from the queue."""

import os
import shutil
import signal
import time

from recam_core.errors import UserError
from recam_core.lock import holding, try_lock
from recam_core.queue.job import CANCEL_FILE, LOCK_FILE
from recam_core.queue.listing import Training, find_training
from recam_core.queue.reserved import discard
from recam_core.queue.status import HOST, is_running

#: Seconds that a training has to end by itself.
GRACE = 10.0
#: Seconds between the last word of a process and its end.
_LAST_STEPS = 5.0


def ask_to_stop(training_id: str) -> Training:
    """Ask a training to stop after its step, without waiting for it; its last finished epoch is kept.

    Raises:
        UserError: there is no such training, it is over, or it may not be stopped from here.
    """
    training = find_training(training_id)
    if not training.is_live:
        raise UserError(f"'{training.job.name}' is over ({training.state}); there is nothing to cancel.")
    try:
        (training.folder / CANCEL_FILE).touch()
    except OSError as error:
        # A process of this machine hears a signal as well; on a full disk that has to do.
        if training.status.host != HOST:
            raise UserError(f"Cannot write {training.folder}: {error.strerror or error}.") from error
    _signal(training, signal.SIGTERM)
    return training


def cancel_training(training_id: str, grace: float = GRACE) -> Training:
    """Ask a training to stop, and make it stop where it does not.

    Args:
        training_id: which.
        grace: seconds to wait before it is killed. A training on another machine is only asked.

    Raises:
        UserError: as :func:`ask_to_stop`.
    """
    training = ask_to_stop(training_id)
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline:
        training = find_training(training_id)
        if not training.is_live:
            return training
        time.sleep(0.1)
    _signal(training, signal.SIGKILL)
    time.sleep(0.2)
    return find_training(training_id)


def remove_training(training_id: str) -> None:
    """Take a training that is over out of the queue. An unfinished run goes with it; a finished one stays.

    Raises:
        UserError: there is no such training, or it is live.
    """
    training = find_training(training_id)
    busy = UserError(f"'{training.job.name}' is at work or waits for its turn; cancel it before you remove it.")
    if training.is_live:
        raise busy
    deadline = time.monotonic() + _LAST_STEPS
    while (handle := try_lock(training.folder / LOCK_FILE)) is None:
        if find_training(training_id).is_live or time.monotonic() > deadline:
            raise busy  # resumed by somebody else in this moment
        time.sleep(0.05)
    with holding(handle):
        discard(training.out, training.id)
        shutil.rmtree(training.folder, ignore_errors=True)


def _signal(training: Training, number: int) -> None:
    """Signal the process and those that load its data; never another one that got its number since."""
    status = training.status
    if status.host != HOST or not is_running(status.pid, status.process_start):
        return
    try:
        if number == signal.SIGKILL and os.getpgid(status.pid) == status.pid:
            os.killpg(status.pid, number)
        else:
            os.kill(status.pid, number)
    except ProcessLookupError:
        return  # it has just ended
    except PermissionError as error:
        raise UserError(f"'{training.job.name}' was started by another user of this machine.") from error
