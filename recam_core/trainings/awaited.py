"""A training that starts from a run which another training is still to make."""

import time
from collections.abc import Callable
from pathlib import Path

from recam_core.errors import UserError
from recam_core.progress import Cancelled
from recam_core.trainings.reserved import has_record, is_finished, owner
from recam_core.trainings.status import CANCELLED, FAILED, KILLED
from recam_core.trainings.training import look

#: Seconds between two looks.
_LOOK = 0.4
_ENDS = {FAILED: "failed", CANCELLED: "was cancelled", KILLED: "was killed"}


def is_awaited(init: str) -> bool:
    """Whether the run to start from is not there whole yet; "" is nothing to wait for."""
    return bool(init) and not is_finished(Path(init)) and (bool(owner(Path(init))) or not has_record(Path(init)))


def wait_for_run(trainings: Path, init: str, is_cancelled: Callable[[], bool]) -> None:
    """Wait until the run is there.

    Args:
        trainings: the folder of the queue.
        init: the run's folder.
        is_cancelled: asked between looks.

    Raises:
        Cancelled: it was cancelled while it waited.
        UserError: the training that was to make the run has ended without it, or was removed.
    """
    name = Path(init).name
    while is_awaited(init):
        if is_cancelled():
            raise Cancelled
        number = owner(Path(init))
        if not number:
            raise UserError(
                f"The run {name}, which this training starts from, is not there: it was deleted, or its training was "
                "removed from the queue before it had made it. Start from another run."
            )
        try:
            state = look(trainings / number).state
        except UserError:
            state = KILLED  # its folder is being deleted
        # Between the two looks it may have ended well.
        if state in _ENDS and is_awaited(init):
            raise UserError(
                f"The training of {name}, which this one starts from, {_ENDS[state]}. Resume it, then this one."
            )
        time.sleep(_LOOK)
