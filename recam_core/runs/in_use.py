"""Whether a training is writing a run, or is about to read it."""

from pathlib import Path

from recam_core.errors import UserError
from recam_core.train.state import STATE_FILE
from recam_core.queue.job import JOB_FILE, read_job
from recam_core.queue.listing import trainings_folder
from recam_core.queue.status import LIVE, read_status, true_state


def check_free(path: Path) -> None:
    """Raise UserError if the run must stay where it is, because a training has it in its hands.

    Args:
        path: the run's folder.
    """
    if (path / STATE_FILE).exists():
        raise UserError(
            f"A training is writing the run {path.name}, or was cut off while it did; let it end, or resume it, first."
        )
    here = path.resolve()
    for file in trainings_folder().glob(f"*/{JOB_FILE}"):
        try:
            job = read_job(file.parent)
        except UserError:
            continue  # removed meanwhile, or damaged: then nothing works on it
        status = read_status(file.parent)
        if status is None or true_state(status) not in LIVE:
            continue
        if Path(job.out).resolve() == here:
            raise UserError(f"A training is writing the run {path.name}; cancel it or wait for its end first.")
        if job.init and Path(job.init).resolve() == here:
            raise UserError(
                f"The training of {job.name} starts from the run {path.name}; cancel it or wait for its end first."
            )
