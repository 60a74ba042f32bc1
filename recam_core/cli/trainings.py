"""``trainings list``, ``start``, ``cancel``, ``resume``, ``remove`` and ``log``: the queue of full trainings and of the
long steps to a segmentation network."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from recam_core.cli.options import write_results
from recam_core.errors import UserError
from recam_core.queue.kinds import BOUNDARIES, KINDS, MASKS, NETWORK, PIPELINE, TRAINING

if TYPE_CHECKING:
    from recam_core.queue.job import KindName
    from recam_core.queue.training import Training


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``trainings`` with its sub-commands."""
    parser = subparsers.add_parser(
        "trainings",
        help="full trainings in processes of their own, one at a time on each device",
        description="The queue of full trainings that everybody shares who shares the folder of runs. A training goes "
        "on when this command, the terminal or the app ends.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    listing = actions.add_parser("list", help="the queue, and what became of earlier trainings")
    listing.add_argument("--json", type=Path, metavar="FILE", help="write the list as JSON")
    listing.set_defaults(run=run_list)

    start = actions.add_parser(
        "start",
        help="put a training into the queue",
        description="Put a training into the queue. What follows is written as for `train`; --out gives the name of "
        "the new run in the folder of runs, and --init may name a run "
        "that a training in the queue is still to make. The commands boundaries, masks, segment train and pipeline go "
        "into the queue as well, written as they are; masks get their pictures, and go to the folder of data sets.",
    )
    start.add_argument(
        "words",
        nargs=argparse.REMAINDER,
        metavar="METHOD ...",
        help="as `train METHOD --help` says, or boundaries, masks, segment train or pipeline with their options",
    )
    start.set_defaults(run=run_start)

    for name, run, text in (
        ("cancel", run_cancel, "stop a training; its last finished epoch is kept"),
        ("resume", run_resume, "go on with a training that was cancelled, was killed or failed"),
        ("remove", run_remove, "take a training that is over out of the queue; a finished run stays"),
    ):
        action = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        action.add_argument("training", metavar="TRAINING", help="its id, or the name of its run")
        action.set_defaults(run=run)

    log = actions.add_parser("log", help="the log of a training")
    log.add_argument("training", metavar="TRAINING", help="its id, or the name of its run")
    log.add_argument("--lines", type=int, default=40, help="how many of the last lines")
    log.add_argument("--follow", action="store_true", help="go on until the training is over")
    log.set_defaults(run=run_log)


def run_list(arguments: argparse.Namespace) -> int:
    """Print one line a training."""
    from recam_core.queue.listing import list_trainings

    trainings = list_trainings()
    if not trainings:
        print("No trainings. `python -m recam_core trainings start METHOD ...` starts one.")
    else:
        print(f"{'id':<22} {'state':<10} {'device':<8} {'step':>13} {'left':>8}  run")
    for training in trainings:
        status = training.status
        step = f"{status.step}/{status.steps}" if status.steps else ""
        left = _minutes(status.seconds_left) if training.is_live else ""
        kind = training.job.kind
        what = "" if kind == TRAINING else f"{KINDS[kind].title.lower()} "
        line = f"{training.id:<22} {training.state:<10} {training.job.device:<8} {step:>13} {left:>8}"
        print(f"{line}  {what}{training.out}")
        if training.is_live and training.status.awaits:
            print(f"{'':<22} waits for {training.status.awaits}, which another training is to make")
        if training.state == "failed":
            print(f"{'':<22} {status.message}")
    rows = [
        {
            "id": training.id,
            "state": training.state,
            "kind": training.job.kind,
            "run": str(training.out),
            "method": training.job.method,
            "device": training.job.device,
            "step": training.status.step,
            "steps": training.status.steps,
            "seconds_left": training.status.seconds_left,
            "message": training.status.message,
            "awaits": training.status.awaits,
            "command": training.job.command,
        }
        for training in trainings
    ]
    write_results(arguments.json, rows)
    return 0


def run_start(arguments: argparse.Namespace) -> int:
    """Put a training, or another long command, into the queue."""
    if arguments.words[:1] and arguments.words[0] in _COMMANDS:
        return _start_step(*arguments.words)
    from recam_core.cli import train
    from recam_core.data.spec import open_dataset
    from recam_core.folders import runs_folder
    from recam_core.queue.start import start_training

    parser = argparse.ArgumentParser(prog="python -m recam_core trainings start", add_help=False)
    # As for `train`, so that a command line can be moved from one to the other.
    words = arguments.words[1:] if arguments.words[:1] in (["--"], ["train"]) else arguments.words
    train.add_parser(parser.add_subparsers(dest="command", required=True))
    asked = parser.parse_args(["train", *words])
    if asked.method is None:
        raise UserError("Say what to train: trainings start bce|sce|recam --data SPEC --out NAME ...")
    if asked.show_recipe or asked.json:
        raise UserError("The queue prints no results: leave out --show-recipe and --json.")
    train.recipe_of(asked, True)  # what no data could make work is refused before any is read
    recipe = train.recipe_of(asked, open_dataset(asked.data).classes.has_background)
    out = asked.out
    runs = runs_folder().absolute()
    if out.parent != Path() and out.absolute().parent.resolve() != runs.resolve():
        raise UserError(f"Trainings in the queue write to the folder of runs: give --out as a name, or in {runs}.")
    training = start_training(
        recipe,
        data=asked.data,
        name=out.name,
        val=asked.val or "",
        init=_start_of(asked.init, runs),
        device=asked.device,
        half=asked.half,
        workers=asked.workers,
    )
    return _told(training)


#: Commands that the queue carries besides trainings -> the kind of the table of the queue.
_COMMANDS: dict[str, KindName] = {"boundaries": BOUNDARIES, "masks": MASKS, "segment": NETWORK, "pipeline": PIPELINE}


def _start_step(command: str, *words: str) -> int:
    from recam_core.cli.pipeline import plan_of
    from recam_core.pipeline.plan import steps_of
    from recam_core.queue.start_step import Step, start_step

    parser = argparse.ArgumentParser(prog="python -m recam_core trainings start")
    importlib.import_module(f"recam_core.cli.{command}").add_parser(parser.add_subparsers(dest="command"))
    asked = parser.parse_args([command, *words])
    if getattr(asked, "part", "train") != "train":
        raise UserError("Of `segment` the queue carries `segment train`.")
    if asked.json:
        raise UserError("The queue prints no results: leave out --json.")
    if asked.out is None:
        raise UserError("Say with --out NAME what the result is called.")
    own = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    own.add_argument("--out")
    own.add_argument("--device")
    kept = [command, *own.parse_known_args(words)[1]]
    if command == "masks" and not asked.with_pictures:
        kept.append("--with-pictures")
    step = Step(
        _COMMANDS[command],
        tuple(kept),
        asked.data,
        getattr(asked, "run_folder", None),
        tuple(filter(None, (getattr(asked, name, None) for name in ("boundaries", "masks")))),
        tuple(filter(None, (getattr(asked, name, None) for name in ("select", "val")))),
        partial(steps_of, plan_of(asked)) if command == "pipeline" else None,
    )
    if asked.out.parent != Path() and asked.out.absolute().parent.resolve() != step.place.resolve():
        raise UserError(f"The queue writes these to {step.place}: give --out as a name, or in there.")
    return _told(start_step(step, asked.out.name, device=asked.device))


def _told(training: Training) -> int:
    print(f"{training.id}: {training.job.name} is in the queue of {training.job.device}.")
    print(f"See it by: python -m recam_core trainings log {training.id} --follow")
    return 0


def _start_of(init: Path | None, runs: Path) -> Path | None:
    """The run to start from; a bare name may be one in the folder of runs."""
    return runs / init if init is not None and init.parent == Path() and not init.exists() else init


def run_cancel(arguments: argparse.Namespace) -> int:
    """Stop a training."""
    from recam_core.queue.listing import resolve_training
    from recam_core.queue.stop import cancel_training

    training = cancel_training(resolve_training(arguments.training).id)
    print(f"{training.job.name} is {training.state}; `trainings resume {training.id}` goes on with it.")
    return 0


def run_resume(arguments: argparse.Namespace) -> int:
    """Go on with a training."""
    from recam_core.queue.listing import resolve_training
    from recam_core.queue.start import resume_training

    training = resume_training(resolve_training(arguments.training).id)
    print(f"{training.job.name} is in the queue of {training.job.device} again.")
    return 0


def run_remove(arguments: argparse.Namespace) -> int:
    """Take a training out of the queue."""
    from recam_core.queue.listing import resolve_training
    from recam_core.queue.stop import remove_training

    training = resolve_training(arguments.training)
    remove_training(training.id)
    print(f"{training.job.name} was removed from the queue.")
    return 0


def run_log(arguments: argparse.Namespace) -> int:
    """Print the end of a log, and what comes."""
    from recam_core.queue.job import LOG_FILE
    from recam_core.queue.listing import find_training, resolve_training

    training = resolve_training(arguments.training)
    print(training.log_tail(max(arguments.lines, 1)))
    if not arguments.follow:
        return 0
    with (training.folder / LOG_FILE).open(encoding="utf-8", errors="replace") as log:
        log.seek(0, 2)
        while True:
            live = find_training(training.id).is_live
            sys.stdout.write(log.read())
            sys.stdout.flush()
            if not live:
                return 0
            time.sleep(0.5)


def _minutes(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds / 60:.1f} min"
