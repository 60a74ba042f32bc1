"""Putting a grid of full trainings into the queue."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from recam_core.device import device_name, pick_device
from recam_core.errors import UserError
from recam_core.experiments.axes import full_axis
from recam_core.experiments.full_cost import Speed, measure_speed, task_seconds
from recam_core.experiments.full_grid import FullGrid, axis_words, check_start
from recam_core.experiments.full_training import SCORING, TRAINING
from recam_core.experiments.protocol import FIT, PARTS, protocol_for
from recam_core.guest import refuse_training
from recam_core.memory import memory_told
from recam_core.queue.job import GridRequest, TrainingJob, new_id
from recam_core.queue.kinds import GRID
from recam_core.queue.listing import Training, grids_folder
from recam_core.queue.start import asking, check_queue, enqueue
from recam_core.train.recipe import from_json


@dataclass(frozen=True)
class GridCost:
    """What a grid will take, if nothing of it is there yet.

    Attributes:
        trainings: how many networks are trained.
        seconds: of all. Trainings side by side on one processor share it; only those on several devices of a cluster
            would be quicker.
        speed: of this machine, which that follows from.
    """

    trainings: int
    seconds: float
    speed: Speed


def grid_cost(grid: FullGrid, speed: Speed | None = None) -> GridCost:
    """Count the trainings, and time a step of one on this machine, which takes seconds.

    Args:
        grid: what is asked for.
        speed: of this machine with this network and these crops, where it was measured already.

    Raises:
        UserError: settings that cannot work, a run or pictures that cannot be read, or no memory for a step.
    """
    plan = grid.plan(grids_folder())
    parts = check_start(grid.protocol, grid.init)
    device = pick_device(grid.device)
    with memory_told(
        f"There is not enough memory on {grid.device} for a step of this training; take smaller batches or "
        "crops, or wait until it is free."
    ):
        speed = speed or measure_speed(str(grid.init), parts[FIT], grid.base, device)
    pictures = {part: len(dataset) for part, dataset in parts.items()}
    each = [task_seconds(task, pictures, speed) for task in plan.tasks]
    return GridCost(plan.trainings, sum(seconds[TRAINING] + seconds[SCORING] for seconds in each), speed)


def start_grid(grid: FullGrid, speed: Speed | None = None, visitor: str = "", address: str = "") -> Training:
    """Start a grid in a process of its own, or line it up behind those that use its device.

    Args:
        grid: what is asked for.
        speed: of this machine, where it was measured already.
        visitor, address: who asks for it, see :func:`recam_core.queue.start.check_queue`.

    Returns:
        The grid in the queue.

    Raises:
        UserError: settings that cannot work, data that is not there, or a full queue; nothing is left then.
    """
    refuse_training()
    visitor = asking(visitor)
    check_queue(visitor, address)
    grid = replace(grid, init=grid.init.absolute(), device=device_name(grid.device))
    grid.queue_way()
    number = new_id()
    folder = grids_folder() / f"{grid.x.name}-{grid.y.name}-{number[-6:]}"
    grid.plan(folder)  # refuses what cannot work
    parts = check_start(grid.protocol, grid.init)
    for part in PARTS:
        if len(parts[part]) == 0:
            raise UserError(f"{getattr(grid.protocol, part)} has no pictures.")
    speed = speed or grid_cost(grid).speed
    request = GridRequest(
        (grid.x.name, *axis_words(grid.x)),
        (grid.y.name, *axis_words(grid.y)),
        grid.preset,
        grid.protocol.report,
        grid.seeds,
        grid.workers,
        grid.by,
        speed.train,
        speed.score,
    )
    return enqueue(
        TrainingJob(
            id=number,
            recipe=grid.base.to_json(),
            data=grid.data,
            val="",
            init=str(grid.init),
            out=str(folder),
            device=grid.device,
            folder=str(Path.cwd()),
            command=grid.command(folder),
            created=time.time(),
            grid=request,
            visitor=visitor,
            address=address,
            kind=GRID,
        )
    )


def grid_of(job: TrainingJob) -> FullGrid:
    """What a job in the queue asks for. Raises UserError for one of another version, or of a single training."""
    request = job.grid
    if request is None:
        raise UserError(f"{job.name} is no grid.")
    try:
        base = from_json(job.recipe)
    except ValueError as error:
        raise UserError(f"The recipe of this grid is of another version: {error}.") from error
    x, y = (full_axis(name, words) for name, *words in (request.x, request.y))
    return FullGrid(
        Path(job.init),
        job.data,
        protocol_for(job.data, request.report),
        x,
        y,
        request.preset,
        base,
        request.seeds,
        job.device,
        request.workers,
        request.by,
    )
