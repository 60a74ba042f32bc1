"""The training itself, once its turn has come. This is the module that loads torch."""

from collections.abc import Callable
from pathlib import Path

from recam_core.checkpoint.run_folder import RunInfo, load_run
from recam_core.data.spec import open_dataset
from recam_core.device import pick_device
from recam_core.errors import UserError
from recam_core.memory import memory_told
from recam_core.progress import ProgressFn
from recam_core.train.loop import train
from recam_core.train.recipe import from_json
from recam_core.trainings.job import TrainingJob


@memory_told("There is not enough memory for this training: take smaller batches or crops. What was finished is kept.")
def train_job(
    job: TrainingJob, progress: ProgressFn, scoring: ProgressFn, on_step: Callable[[int, dict[str, float]], None]
) -> RunInfo:
    """Do what the job asks; what was finished of it before is not done again.

    Args:
        job: what is asked.
        progress, scoring, on_step: see :func:`recam_core.train.loop.train`.

    Raises:
        UserError: as :func:`recam_core.train.loop.train`; also where the disk or the memory is full.
    """
    try:
        device = pick_device(job.device)
        recipe = from_json(job.recipe)
        dataset = open_dataset(job.data)
        val = open_dataset(job.val) if job.val else None
        init = load_run(job.init) if job.init else None
        return train(
            recipe,
            dataset,
            Path(job.out),
            val=val,
            init=init,
            device=device,
            workers=job.workers,
            progress=progress,
            scoring=scoring,
            half=job.half,
            on_step=on_step,
            command=job.command,
        )
    except TypeError as error:
        if "unexpected keyword" not in str(error):
            raise
        raise UserError(f"The recipe of this training is of another version: {error}.") from error
