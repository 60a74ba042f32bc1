"""Where a command may write a new run."""

import os
from pathlib import Path

from recam_core.errors import UserError


def check_out(out: Path) -> None:
    """Find what is wrong with a folder before anything slow begins.

    The folders of trainings in the queue are left to them, whether they wait, run, or were cut off and may go on.

    Raises:
        UserError: the folder is one of them, or no folder can be made there.
    """
    from recam_core.queue.listing import writer_of

    there = next(place for place in (out.absolute(), *out.absolute().parents) if os.path.lexists(place))
    if not there.is_dir():
        raise UserError(f"Cannot write {out}: {there} is no folder. Choose another place.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"Cannot write {out}: nothing may be written to {there}. Choose another place.")
    training = writer_of(out)
    if training is not None and training.out.resolve() == out.resolve():
        raise UserError(
            f"{out} belongs to a training in the queue ({training.state}): choose another folder, or see "
            f"`trainings resume {training.id}` and `trainings remove {training.id}`."
        )
