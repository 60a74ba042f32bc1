"""Where a command may write a new run."""

from pathlib import Path

from recam_core.errors import UserError


def check_out(out: Path) -> None:
    """Leave the folders of trainings in the queue to them, whether they wait, run, or were cut off and may go on.

    Raises:
        UserError: the folder is one of them.
    """
    from recam_core.trainings.listing import writer_of

    training = writer_of(out)
    if training is not None and training.out.resolve() == out.resolve():
        raise UserError(
            f"{out} belongs to a training in the queue ({training.state}): choose another folder, or see "
            f"`trainings resume {training.id}` and `trainings remove {training.id}`."
        )
