"""Putting a training into the queue, and resuming one."""

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

from recam_core.checkpoint.run_folder import read_info
from recam_core.data.spec import open_dataset
from recam_core.device import device_name
from recam_core.errors import UserError
from recam_core.folders import runs_folder
from recam_core.guest import environment_of, guest, refuse_foreign_run, refuse_training
from recam_core.guest_room import number_setting, room_for
from recam_core.home import ROOT
from recam_core.method.background import check_background
from recam_core.queue.job import CANCEL_FILE, LOG_FILE, TrainingJob, new_id, write_job
from recam_core.queue.kinds import TRAINING
from recam_core.queue.listing import (
    Training,
    every_training,
    find_training,
    training_folder,
    trainings_folder,
    writer_of,
)
from recam_core.queue.reserved import discard, reclaim, reserve
from recam_core.queue.status import LIVE, read_status, true_state
from recam_core.retrain.named_run import check_run_name
from recam_core.train.recipe import Recipe, check_recipe, train_command
from recam_core.typed_path import as_typed, is_plain_name

#: Seconds within which the new process must have said something.
_PATIENCE = 60.0
#: Trainings and grids that may run or wait, of all and of one visitor of the app.
MOST_TRAININGS, MOST_TRAININGS_EACH = 40, 10
#: Bytes that a guest must have left for a run, with the state that its training keeps.
OF_A_RUN = 100_000_000
#: Bytes without which a training need not begin.
_ROOM = 1 << 20


def start_training(
    recipe: Recipe,
    *,
    data: str,
    name: str,
    val: str = "",
    init: str | Path | None = None,
    device: str = "auto",
    half: bool = False,
    workers: int | None = None,
    visitor: str = "",
    address: str = "",
) -> Training:
    """Start a training in a process of its own, or line it up behind those that use its device.

    Args:
        recipe: every setting.
        data, val: specifications of the training and validation pictures; val may be "".
        name: of the run, in the folder of runs.
        init: the run to start from; ``recam`` needs one. It may be one that a training in the queue is still to make:
            this one then waits for it.
        device: see :func:`recam_core.device.device_name`.
        half: store the weights in half precision.
        workers: loader processes.
        visitor, address: who asks for it, see :func:`check_queue`. Of a guest, their name is taken.

    Returns:
        The training in the queue.

    Raises:
        UserError: settings that cannot work, data that is not there, a name that is taken, a full queue; nothing is
            left then.
    """
    refuse_training()
    runs = runs_folder().absolute()
    visitor = asking(visitor)
    check_queue(visitor, address)
    if is_plain_name(name.strip()):
        reclaim(runs / name.strip(), trainings_folder())
    name = check_run_name(name, runs)
    device = device_name(device)
    check_training(recipe, data=data, val=val, init=init)
    start = Path(init).absolute() if init else None
    return enqueue(
        TrainingJob(
            id=new_id(),
            recipe=recipe.to_json(),
            data=data,
            val=val,
            init=str(start or ""),
            out=str(runs / name),
            device=device,
            folder=str(Path.cwd()),
            command=training_command(recipe, data=data, val=val, init=start, name=name, half=half, workers=workers),
            half=half,
            workers=workers,
            created=time.time(),
            visitor=visitor,
            address=address,
        )
    )


def asking(visitor: str) -> str:
    """Who asks: a guest cannot ask in the name of another."""
    one = guest()
    return visitor if one is None else one.name


def check_queue(visitor: str = "", address: str = "") -> None:
    """Refuse one more training where the queue is full: it is the one thing that works on after its page is closed.

    Args:
        visitor: who asks, as jobs name it; "" for the command line, for which only the whole queue counts.
        address: stands for the network address that they ask from, which has the same bound: whoever drops cookies is
            another visitor each time. "" where that is not known.

    Raises:
        UserError: so many wait or run already, of all or of this visitor.
    """
    live = [training for training in every_training() if training.is_live]
    own = sum(training.job.visitor == visitor for training in live) if visitor else 0
    from_there = sum(training.job.address == address for training in live) if address else 0
    own = max(own, from_there)
    for count, setting, usual, whose in (
        (len(live), "RECAM_MOST_TRAININGS", MOST_TRAININGS, "in all"),
        (own, "RECAM_MOST_TRAININGS_EACH", MOST_TRAININGS_EACH, "of yours"),
    ):
        most = number_setting(setting, usual)
        if count >= most:
            raise UserError(
                f"The queue is full: {count} trainings {whose} run or wait, and {most} is most. Wait for one to "
                f"end, or cancel one. Who runs the app sets another number by {setting} in the environment."
            )


def enqueue(job: TrainingJob, size: int = OF_A_RUN, files: int = 1) -> Training:
    """Take the folder that a job will fill, and start its process.

    Args:
        job: what is asked.
        size, files: that a guest must have room for.

    Raises:
        UserError: the folder is taken, or the process does not start; nothing is left then.
    """
    refuse_training()
    place, out = training_folder(job.id), Path(job.out)
    with room_for(size, files):
        reserve(out, job.id)
    try:
        write_job(place, job)
        spawn(place)
    except BaseException:
        discard(out, job.id)
        shutil.rmtree(place, ignore_errors=True)
        raise
    return find_training(job.id)


def check_training(recipe: Recipe, *, data: str, val: str, init: str | Path | None) -> None:
    """Refuse at once what would fail after an hour in the queue.

    Raises:
        UserError: settings that cannot work, data or a run that is not there, classes that differ.
    """
    check_recipe(recipe)
    if recipe.method == "recam" and not init:
        raise UserError("ReCAM starts from a converged BCE run: train bce first, and start from that run.")
    dataset = open_dataset(data)
    check_background(recipe, dataset.classes.has_background, data)
    if len(dataset) == 0:
        raise UserError(f"{data} has no pictures to train on.")
    if val and tuple(open_dataset(val).classes.names) != tuple(dataset.classes.names):
        raise UserError(f"The classes of {val} are not those of {data}.")
    if init:
        refuse_foreign_run(Path(init).absolute())
    if init and classes_of(Path(init).absolute()) != tuple(dataset.classes.names):
        raise UserError(f"The classes of {data} are not those of the run {Path(init).name}.")


def classes_of(init: Path) -> tuple[str, ...]:
    """The classes of a run that is there, or that a training in the queue will make."""
    maker = writer_of(init)
    if maker is None or maker.job.kind != TRAINING:
        return tuple(read_info(init).classes)
    if not maker.is_live:
        raise UserError(
            f"The training of {maker.job.name} has ended without the run ({maker.state}): resume it first, or start "
            "from another run."
        )
    return tuple(open_dataset(maker.job.data).classes.names)


def training_command(
    recipe: Recipe,
    *,
    data: str,
    name: str,
    val: str = "",
    init: str | Path | None = None,
    half: bool = False,
    workers: int | None = None,
) -> str:
    """The command line that makes the same run without the queue, paths as one types them in the project's folder."""
    start = as_typed(Path(init)) if init else ""
    out = as_typed(runs_folder() / (name or "NAME"))
    return train_command(recipe, data=data, val=val, init=str(start), out=str(out), half=half, workers=workers)


def resume_training(training_id: str, visitor: str = "", address: str = "") -> Training:
    """Go on with the epoch that was cut off; the training lines up again.

    Args:
        training_id: which.
        visitor, address: who asks for it, see :func:`check_queue`.

    Raises:
        UserError: there is no such training, it is live or done, or its process does not start.
    """
    refuse_training()
    training = find_training(training_id)
    if training.is_live:
        raise UserError(f"'{training.job.name}' is at work or waits for its turn already.")
    if not training.can_resume:
        raise UserError(f"'{training.job.name}' is finished; there is nothing to resume.")
    check_queue(asking(visitor), address)
    (training.folder / CANCEL_FILE).unlink(missing_ok=True)
    spawn(training.folder)
    return find_training(training_id)


def spawn(folder: Path) -> None:
    """Start the process of a job, detached from this one, and wait until it has said that it is there.

    Raises:
        UserError: it does not start.
    """
    deadline = time.monotonic() + _PATIENCE
    try:
        ROOT.mkdir(parents=True, exist_ok=True)  # of an installed package, nobody may have needed it yet
        with (folder / LOG_FILE).open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "recam_core.queue.trainer", str(folder)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={**os.environ, **environment_of(guest()), "PYTHONUNBUFFERED": "1"},
            )
    except OSError as error:
        raise UserError(f"The training could not be started: {error.strerror or error}.") from error
    # Its result is asked for as soon as it ends, so that it does not stay behind as a zombie.
    threading.Thread(target=process.wait, daemon=True, name=f"reap {process.pid}").start()
    while time.monotonic() < deadline:
        status = read_status(folder)
        # Another one's word counts as well: two people may resume the same training at once.
        if status is not None and (status.pid == process.pid or true_state(status) in LIVE):
            return
        if process.poll() is not None:
            raise UserError(f"The training did not start: {_last_words(folder) or 'its process ended at once'}.")
        time.sleep(0.05)
    process.kill()
    raise UserError(f"The training did not start within {_PATIENCE:.0f} seconds; the machine may be overloaded.")


def _last_words(folder: Path) -> str:
    """Why the process ended before it wrote a status."""
    try:
        if shutil.disk_usage(folder).free < _ROOM:
            return "the disk is full"
        lines = (folder / LOG_FILE).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return re.sub(r"^[\d-]+ [\d:]+ ", "", lines[-1]).rstrip(".") if lines else ""
