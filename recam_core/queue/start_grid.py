"""Putting a grid of full trainings into the queue."""

import os
import shlex
import time
from dataclasses import dataclass, replace
from pathlib import Path

from recam_core.device import device_name, pick_device
from recam_core.errors import UserError
from recam_core.experiments.axes import Axis, full_axis
from recam_core.experiments.dispatch import pick_way, ray_is_installed
from recam_core.experiments.full_cost import Speed, measure_speed, task_seconds
from recam_core.experiments.full_grid import FullGridPlan, check_start, plan_full_grid
from recam_core.experiments.full_training import SCORING, TRAINING
from recam_core.experiments.protocol import FIT, PARTS, Protocol, protocol_for
from recam_core.guest import as_typed_spec, refuse_training
from recam_core.memory import memory_told
from recam_core.queue.job import GridRequest, TrainingJob, new_id
from recam_core.queue.listing import Training, grids_folder
from recam_core.queue.start import asking, check_queue, enqueue
from recam_core.train.recipe import Recipe, from_json, train_command
from recam_core.typed_path import as_typed


@dataclass(frozen=True)
class GridQuestion:
    """A grid of full trainings as a person asks for it.

    Attributes:
        init: the converged BCE run that each training starts from, an absolute path.
        data: the training split as a whole, such as ``scenes@train``.
        protocol: its parts.
        x, y: the axes, see :func:`recam_core.experiments.axes.full_axis`.
        preset: name of the preset that ``base`` is.
        base: every other setting.
        seeds: each point once a seed.
        device: as :func:`recam_core.device.device_name` gives it.
        workers: trainings at a time.
        by: see :func:`recam_core.experiments.dispatch.dispatch`.
        threads: of the processor, a training; 0 shares them out.
    """

    init: Path
    data: str
    protocol: Protocol
    x: Axis
    y: Axis
    preset: str
    base: Recipe
    seeds: tuple[int, ...] = (0,)
    device: str = "cpu"
    workers: int = 1
    by: str = "auto"
    threads: int = 0

    def plan(self, folder: Path) -> FullGridPlan:
        """Its trainings. Raises UserError for settings that cannot work, or too many trainings."""

        def command(recipe: Recipe, out: Path) -> str:
            start = str(as_typed(self.init))
            return train_command(recipe, data=self.protocol.fit, init=start, out=str(as_typed(out)))

        threads = self.threads or threads_of(self.workers)
        # Ray gives each worker the one device that it may use.
        device = self.device.partition(":")[0] if self.queue_way() == "ray" else self.device
        return plan_full_grid(
            self.init, self.protocol, folder, self.x, self.y, self.base, self.seeds, device, threads, command
        )

    def queue_way(self) -> str:
        """How the queue hands its trainings out: ``local`` or ``ray``.

        Raises:
            UserError: see :func:`recam_core.experiments.dispatch.pick_way`.
        """
        way = pick_way(self.by, self.workers)
        # A process each, also of one at a time: the queue can then end it at once, and gets its memory back.
        return "local" if way == "one" else way

    def command(self, folder: Path | None = None) -> str:
        """The command line that does the same: in a folder, or by the queue."""
        words = ["python", "-m", "recam_core", "experiment", "full", str(as_typed(self.init))]
        words += ["--data", as_typed_spec(self.data)]
        if self.protocol != protocol_for(self.data):
            words += ["--report", self.protocol.report]
        words += ["--x", self.x.name, *axis_words(self.x), "--y", self.y.name, *axis_words(self.y)]
        words += ["--preset", self.preset, "--epochs", str(self.base.epochs)]
        words += ["--background", repr(self.base.background)] if self.base.background else []
        words += ["--seeds", *map(str, self.seeds)] if self.seeds != (0,) else []
        words += ["--workers", str(self.workers)] if self.workers > 1 else []
        words += ["--by", self.by] if self.by != "auto" else []
        words += ["--folder", str(as_typed(folder))] if folder is not None else ["--queue"]
        return shlex.join(words)


def axis_words(axis: Axis) -> list[str]:
    """The values of an axis as a command line takes them, numbers with all their digits."""
    return [repr(value) if isinstance(value, float) else str(value) for value in axis.values]


def threads_of(workers: int) -> int:
    """Threads of each of so many trainings on one processor, or they would all take all cores; 0 for a single one."""
    return max((os.cpu_count() or 1) // workers, 1) if workers > 1 else 0


def usual_workers(device: str) -> int:
    """Trainings at a time to begin with: one on a device, unless there is Ray to hand several processors out."""
    return min(2, os.cpu_count() or 1) if device == "cpu" and ray_is_installed() else 1


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


def grid_cost(question: GridQuestion, speed: Speed | None = None) -> GridCost:
    """Count the trainings, and time a step of one on this machine, which takes seconds.

    Args:
        question: what is asked for.
        speed: of this machine with this network and these crops, where it was measured already.

    Raises:
        UserError: settings that cannot work, a run or pictures that cannot be read, or no memory for a step.
    """
    plan = question.plan(grids_folder())
    parts = check_start(question.protocol, question.init)
    device = pick_device(question.device)
    with memory_told(
        f"There is not enough memory on {question.device} for a step of this training; take smaller batches or "
        "crops, or wait until it is free."
    ):
        speed = speed or measure_speed(str(question.init), parts[FIT], question.base, device)
    pictures = {part: len(dataset) for part, dataset in parts.items()}
    each = [task_seconds(task, pictures, speed) for task in plan.tasks]
    return GridCost(plan.trainings, sum(seconds[TRAINING] + seconds[SCORING] for seconds in each), speed)


def start_grid(question: GridQuestion, speed: Speed | None = None, visitor: str = "", address: str = "") -> Training:
    """Start a grid in a process of its own, or line it up behind those that use its device.

    Args:
        question: what is asked for.
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
    question = replace(question, init=question.init.absolute(), device=device_name(question.device))
    question.queue_way()
    number = new_id()
    folder = grids_folder() / f"{question.x.name}-{question.y.name}-{number[-6:]}"
    question.plan(folder)  # refuses what cannot work
    parts = check_start(question.protocol, question.init)
    for part in PARTS:
        if len(parts[part]) == 0:
            raise UserError(f"{getattr(question.protocol, part)} has no pictures.")
    speed = speed or grid_cost(question).speed
    request = GridRequest(
        (question.x.name, *axis_words(question.x)),
        (question.y.name, *axis_words(question.y)),
        question.preset,
        question.protocol.report,
        question.seeds,
        question.workers,
        question.by,
        speed.train,
        speed.score,
    )
    return enqueue(
        TrainingJob(
            id=number,
            recipe=question.base.to_json(),
            data=question.data,
            val="",
            init=str(question.init),
            out=str(folder),
            device=question.device,
            folder=str(Path.cwd()),
            command=question.command(folder),
            created=time.time(),
            grid=request,
            visitor=visitor,
            address=address,
        )
    )


def question_of(job: TrainingJob) -> GridQuestion:
    """What a job in the queue asks for. Raises UserError for one of another version, or of a single training."""
    request = job.grid
    if request is None:
        raise UserError(f"{job.name} is no grid.")
    try:
        base = from_json(job.recipe)
    except ValueError as error:
        raise UserError(f"The recipe of this grid is of another version: {error}.") from error
    x, y = (full_axis(name, words) for name, *words in (request.x, request.y))
    return GridQuestion(
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
