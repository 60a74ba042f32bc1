"""The work itself, a training or a grid of them, once the device is free. This is the module that loads torch."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from recam_core.checkpoint.run_folder import RunInfo, load_run
from recam_core.data.spec import open_dataset
from recam_core.device import device_name, pick_device
from recam_core.errors import UserError
from recam_core.experiments.full_cost import Speed, seconds_done, task_seconds
from recam_core.experiments.full_grid import check_start, full_grid
from recam_core.experiments.full_training import SCORING, TRAINING, FullTask, task_progress
from recam_core.experiments.protocol import PARTS
from recam_core.memory import memory_told
from recam_core.progress import Cancelled, WatchFn
from recam_core.queue.job import TrainingJob
from recam_core.queue.kept_grids import write_grid
from recam_core.queue.start_grid import grid_of
from recam_core.train.loop import train
from recam_core.train.recipe import from_json


@memory_told("There is not enough memory for this training: take smaller batches or crops. What was finished is kept.")
def train_job(job: TrainingJob, watch: WatchFn) -> RunInfo:
    """Do what the job asks; what was finished of it before is not done again.

    Args:
        job: what is asked.
        watch: see :func:`recam_core.train.loop.train`.

    Raises:
        UserError: as :func:`recam_core.train.loop.train`; also where the disk or the memory is full.
    """
    try:
        recipe = from_json(job.recipe)
    except ValueError as error:
        raise UserError(f"The recipe of this training is of another version: {error}.") from error
    device = pick_device(job.device)
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
        watch=watch,
        half=job.half,
        command=job.command,
    )


#: Called with what goes on in words, trainings that are finished, all trainings, the share of the work that is done,
#: and seconds left.
ToldFn = Callable[[str, int, int, float, float], None]
#: Seconds between two looks at how far the trainings are.
_LOOK = 1.0
#: Work that must be seen before it tells as much of the time left as what was expected: seconds, and a share of all.
_TRUST, _TRUSTED_SHARE = 60.0, 0.05


def train_grid(job: TrainingJob, told: ToldFn, is_cancelled: Callable[[], bool]) -> None:
    """Do what the job asks; what was finished of it before is not done again.

    Args:
        job: of a grid.
        told: called about once a second.
        is_cancelled: asked twice a second.

    Raises:
        Cancelled: it was cancelled; finished trainings, and finished epochs of the others, are kept.
        UserError: data or a run that is not there any more, a training that failed, a full disk.
    """
    device_name(job.device)
    grid = grid_of(job)
    plan = grid.plan(Path(job.out))
    parts = check_start(grid.protocol, grid.init)
    pictures = {part: len(parts[part]) for part in PARTS}
    assert job.grid is not None  # or it had been no grid
    speed = Speed(job.grid.train, job.grid.score)
    each = [task_seconds(task, pictures, speed) for task in plan.tasks]
    whole = sum(seconds[TRAINING] + seconds[SCORING] for seconds in each)
    write_grid(job, grid.x.name, grid.y.name)
    began, since, looked = time.monotonic(), time.time(), 0.0
    first, trust = seconds_done(plan.tasks, each), max(_TRUST, _TRUSTED_SHARE * whole)

    def progress(done: int, total: int, note: str) -> None:
        nonlocal looked
        if is_cancelled():
            raise Cancelled
        now = time.monotonic()
        if now - looked < _LOOK:
            return
        looked, behind = now, seconds_done(plan.tasks, each)
        # At first what was expected counts, later what is seen: starting a process takes longer than its first steps.
        left = (whole - behind) * (now - began + trust) / (behind - first + trust)
        finished = sum(task_progress(task) == (SCORING, 1.0) for task in plan.tasks[1:])
        told(_words(plan.tasks, since), finished, plan.trainings, behind / whole, left)

    full_grid(grid, Path(job.out), grid.queue_way(), progress)


def _words(tasks: Sequence[FullTask], since: float) -> str:
    """What is going on now; progress from before ``since`` are those of a process that was stopped."""
    busy = []
    for task in tasks:
        step, done = task_progress(task)
        if step and done < 1 and task.progress.exists() and task.progress.stat().st_mtime >= since:
            busy.append((task, step))
    if not busy:
        return "Starting the next training"
    task, step = busy[0]
    name = "the run as it is" if task.training is None else task.name.rpartition("-")[0]
    more = f", and {len(busy) - 1} more at a time" if len(busy) > 1 else ""
    return f"{step.capitalize()} {name}{more}"
