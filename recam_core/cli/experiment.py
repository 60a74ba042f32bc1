"""``python -m recam_core experiment``: what a setting of the retraining does, as a table and one sentence."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recam_core.cli.ablation import add_ablation
from recam_core.cli.figure1 import add_figure1
from recam_core.cli.options import add_device, add_settings, write_results, write_table
from recam_core.errors import UserError
from recam_core.experiments.axes import axis
from recam_core.experiments.grid import FULL_OPTIONS
from recam_core.experiments.noise import capital
from recam_core.experiments.questions import QUESTIONS, ask
from recam_core.experiments.study import AxisOption, ListOption, Option, PairOption, Question, Study
from recam_core.retrain.head_recipe import UPDATES, HeadRecipe, check_lambda, completed
from recam_core.setting import settings

if TYPE_CHECKING:
    from recam_core.experiments.experiment import Experiment
    from recam_core.experiments.full_grid import FullGrid


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``experiment`` with one sub-command an experiment."""
    parser = subparsers.add_parser(
        "experiment",
        help="try settings of the retraining: a table and one sentence that the data supports",
        description="Heads are trained on one part of the data (SPLIT.fit), settings chosen on another (SPLIT.select) "
        "and figures reported on a third (@val); the three never mix.",
    )
    kinds = parser.add_subparsers(dest="kind", metavar="EXPERIMENT", required=True)
    for kind, question in QUESTIONS.items():
        meaning = question.help
        add_question(kinds.add_parser(kind, help=meaning, description=f"{capital(meaning)}."), question)
    meaning = "the paper's tables: BCE, SCE, FC2 with BCE and ReCAM; lambda; masks; rules - over several seeds"
    add_ablation(kinds.add_parser("ablation", help=meaning, description=f"{capital(meaning)}."))
    meaning = "the paper's figure 1: single-label pictures told apart by BCE and by SCE, all classes and a hard group"
    add_figure1(kinds.add_parser("figure1", help=meaning, description=f"{capital(meaning)}."))
    meaning = "a grid of full trainings, backbone and all, by processes of this machine or by Ray"
    _add_full(kinds.add_parser("full", help=meaning, description=f"{capital(meaning)}."))


def add_question(parser: argparse.ArgumentParser, question: Question) -> None:
    """Add the options of a question."""
    _add_common(parser)
    parser.add_argument("--exact", action="store_true", help="score all pixels at the usual scales (minutes)")
    for option in question.options:
        if isinstance(option, ListOption):
            parser.add_argument(option.flag, nargs="+", type=option.read, metavar=option.metavar, help=option.help)
        elif isinstance(option, AxisOption):
            _add_axis(parser, option)
        else:
            parser.add_argument(option.flag, metavar="A,B", help=option.help)
    if question.has_update:
        update = question.update
        parser.add_argument("--update", choices=UPDATES, default=update, help=f"what is trained ({update})")
        seeds = list(question.seeds)
        parser.add_argument("--seeds", nargs="+", type=int, default=seeds, metavar="N", help="for --update both")
    add_settings(parser, HeadRecipe, but=("update", "seed", "loss", "rounds"))
    parser.set_defaults(run=run)


def _add_axis(parser: argparse.ArgumentParser, option: AxisOption) -> None:
    named = ("NAME", "VALUE")
    parser.add_argument(option.flag, nargs="+", metavar=named, default=[option.usual], help=option.help)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="RUN", type=Path, help="the run to start from, such as a bce run")
    parser.add_argument("--data", required=True, metavar="SPEC", help="training data, such as scenes@train")
    parser.add_argument("--report", metavar="SPEC", help="where figures are reported (default: @val of --data)")
    add_device(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything to FILE")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the table to FILE")


def _add_full(parser: argparse.ArgumentParser) -> None:
    _add_common(parser)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--folder", type=Path, help="where the runs go; those there are not made again")
    where.add_argument(
        "--queue",
        action="store_true",
        help="let the queue of full trainings do it, in a process of its own; the Lab page shows the result",
    )
    for option in FULL_OPTIONS:
        _add_axis(parser, option)
    parser.add_argument("--preset", choices=("small", "paper"), default="small", help="every other setting (small)")
    parser.add_argument("--background", type=float, metavar="BETA", help="weight of the background row (0: none)")
    parser.add_argument("--epochs", type=int, help="passes over the data (default: the preset's)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], metavar="N", help="each point once a seed")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="trainings at a time (default: 1)")
    parser.add_argument(
        "--threads", type=int, default=0, metavar="N", help="of the processor, a training (default: shared out)"
    )
    parser.add_argument(
        "--by",
        choices=("auto", "one", "local", "ray"),
        default="auto",
        help="one after another, local processes, or Ray (the cluster of RAY_ADDRESS, else this machine); auto takes "
        "Ray where it is installed and there are several workers",
    )
    parser.set_defaults(run=run_full)


def run(arguments: argparse.Namespace) -> int:
    """Run one experiment and print its table and its sentence."""
    from recam_core.checkpoint.run_folder import load_run
    from recam_core.device import pick_device
    from recam_core.experiments.lab import open_lab
    from recam_core.experiments.protocol import protocol_for
    from recam_core.progress import terminal

    protocol = protocol_for(arguments.data, arguments.report)
    study = asked(arguments)
    source = load_run(arguments.source, pick_device(arguments.device))
    study.check(source.info.class_list, arguments.data)
    with terminal("features") as progress:
        lab = open_lab(source, protocol, arguments.exact, progress)
    with terminal(arguments.kind) as progress:
        found = study.run(lab, progress)
    _show(arguments, found)
    return 0


def run_full(arguments: argparse.Namespace) -> int:
    """Carry out a grid of full trainings and print its table and its sentence; or hand it to the queue."""
    from dataclasses import replace

    from recam_core.experiments.axes import full_axis
    from recam_core.experiments.full_grid import FullGrid, full_grid
    from recam_core.experiments.protocol import protocol_for
    from recam_core.progress import terminal
    from recam_core.train.recipe import preset

    x, y = (full_axis(name, some) for name, *some in (arguments.x, arguments.y))
    _check_seeds(arguments.seeds)
    base = preset("recam", arguments.preset)
    if arguments.epochs is not None:
        base = replace(base, epochs=arguments.epochs)
    if arguments.background is not None:
        base = replace(base, background=arguments.background)
    if arguments.threads < 0:
        raise UserError("--threads takes the number of threads of a training, or 0.")
    grid = FullGrid(
        arguments.source,
        arguments.data,
        protocol_for(arguments.data, arguments.report),
        x,
        y,
        arguments.preset,
        base,
        tuple(arguments.seeds),
        arguments.device,
        arguments.workers,
        arguments.by,
        arguments.threads,
    )
    if arguments.queue:
        return _queue(arguments, grid)
    with terminal("trainings") as progress:
        found = full_grid(grid, arguments.folder, progress=progress)
    _show(arguments, found)
    return 0


def _queue(arguments: argparse.Namespace, grid: FullGrid) -> int:
    """Put a grid into the queue, and say what that means."""
    from recam_core.queue.start_grid import grid_cost, start_grid

    if arguments.json is not None or arguments.csv is not None:
        raise UserError("The queue prints no results: leave out --json and --csv.")
    cost = grid_cost(grid)
    started = start_grid(grid, cost.speed)
    count = f"{cost.trainings} training{'s' if cost.trainings > 1 else ''}"
    words = f"{cost.seconds / 60:.0f} min" if cost.seconds >= 90 else f"{cost.seconds:.0f} s"
    print(f"{count}, about {words} on this machine.")
    print(f"{started.id}: {started.job.name} is in the queue of {started.job.device}.")
    print(f"See it by: python -m recam_core trainings log {started.id} --follow")
    return 0


def _show(arguments: argparse.Namespace, found: Experiment) -> None:
    """Print what was found, and write the files that were asked for."""
    from recam_core.experiments.experiment import text_table

    print(f"{found.title}: {arguments.source}")
    print(text_table(found))
    print(f"\n{found.sentence}\n")
    for note in found.notes:
        print(f"- {note}")
    write_table(arguments.csv, found.to_csv())
    write_results(arguments.json, found.to_json() | {"run": str(arguments.source)})


def _check_seeds(seeds: Sequence[int]) -> None:
    if any(seed < 0 for seed in seeds):
        raise UserError("Seeds are whole numbers from 0 on.")


def asked(arguments: argparse.Namespace) -> Study:
    """The study that a command asks for, with all checked that can be without a run; says what does nothing.

    Raises:
        UserError: what is asked for cannot be.
    """
    question = QUESTIONS[arguments.kind]
    seeds = arguments.seeds if question.has_update else question.seeds
    _check_seeds(seeds)
    names = [name for name in settings(HeadRecipe) if getattr(arguments, name, None) is not None]
    base = HeadRecipe(**{name: getattr(arguments, name) for name in names})
    completed(base)
    values = {one.name: _value(one, getattr(arguments, one.name)) for one in question.options}
    study = ask(arguments.kind, seeds, base, **values)
    # Of 0 the experiments have a sentence of their own.
    if base.weight and "update" not in study.varied and (note := check_lambda(arguments.weight, base.update)):
        print(note, file=sys.stderr)
    return study


def _value(option: Option, given: Sequence[str] | str | None) -> object:
    """What an option was given, as the study takes it; None where it was not given."""
    if isinstance(option, AxisOption) and given:
        name, *values = given
        return axis(name, values)
    return given.split(",") if isinstance(option, PairOption) and isinstance(given, str) else given or None
