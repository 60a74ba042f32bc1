"""``python -m recam_core experiment``: what a setting of the retraining does, as a table and one sentence."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recam_core.cli.ablation import add_ablation
from recam_core.cli.figure1 import add_figure1
from recam_core.cli.output import write_results, write_table
from recam_core.cli.settings_options import add_settings
from recam_core.errors import UserError
from recam_core.retrain.head_recipe import HeadRecipe

if TYPE_CHECKING:
    from recam_core.data.sample import ClassList
    from recam_core.experiments.experiment import Experiment
    from recam_core.experiments.lab import HeadLab
    from recam_core.progress import ProgressFn
    from recam_core.queue.start_grid import GridQuestion

#: Each experiment with what ``--update`` is unless given, and a line of help.
KINDS = {
    "lambda": ("both", "mIoU, false positives and negatives over lambda, several seeds"),
    "masks": ("fc2", "masking choices side by side"),
    "rules": ("fc2", "extraction rules against each other"),
    "loss": ("fc2", "SCE against BCE on FC2: is it the softmax?"),
    "grid": ("fc2", "any two settings against each other"),
    "pair": ("fc2", "which setting of a grid separates two classes best, and what it costs the others"),
    "rounds": ("fc2", "masks made anew from FC2's maps, and FC2 trained again"),
}


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``experiment`` with one sub-command an experiment."""
    parser = subparsers.add_parser(
        "experiment",
        help="try settings of the retraining: a table and one sentence that the data supports",
        description="Heads are trained on one part of the data (SPLIT.fit), settings chosen on another (SPLIT.select) "
        "and figures reported on a third (@val); the three never mix.",
    )
    kinds = parser.add_subparsers(dest="kind", metavar="EXPERIMENT", required=True)
    for kind, (update, meaning) in KINDS.items():
        _add_kind(kinds.add_parser(kind, help=meaning, description=f"{meaning[0].upper()}{meaning[1:]}."), kind, update)
    meaning = "the paper's tables: BCE, SCE, FC2 with BCE and ReCAM; lambda; masks; rules - over several seeds"
    add_ablation(kinds.add_parser("ablation", help=meaning, description=f"{meaning[0].upper()}{meaning[1:]}."))
    meaning = "the paper's figure 1: single-label pictures told apart by BCE and by SCE, all classes and a hard group"
    add_figure1(kinds.add_parser("figure1", help=meaning, description=f"{meaning[0].upper()}{meaning[1:]}."))
    meaning = "a grid of full trainings, backbone and all, by processes of this machine or by Ray"
    _add_full(kinds.add_parser("full", help=meaning, description=f"{meaning[0].upper()}{meaning[1:]}."))


def _add_kind(parser: argparse.ArgumentParser, kind: str, update: str) -> None:
    _add_common(parser)
    parser.add_argument("--exact", action="store_true", help="score all pixels at the usual scales (minutes)")
    if kind == "lambda":
        parser.add_argument("--values", nargs="+", type=float, metavar="LAMBDA", help="lambdas to try; 0 is added")
    if kind == "masks":
        parser.add_argument("--values", nargs="+", metavar="MASK", help="none, soft, hard:T, power:G or oracle")
    if kind in ("rules", "rounds"):
        parser.add_argument("--rules", nargs="+", metavar="RULE", help="extraction rules to try")
    if kind == "rounds":
        parser.add_argument("--values", nargs="+", type=int, metavar="N", help="numbers of rounds to try")
    if kind == "loss":
        parser.add_argument("--values", nargs="+", type=float, metavar="F", help="factors on the learning rate")
    if kind in ("grid", "pair"):
        names = "lambda, mask, rule, background, background-power, loss, update, rounds, epochs, lr or weight-decay"
        named = {"nargs": "+", "metavar": ("NAME", "VALUE")}
        parser.add_argument("--x", default=["mask"], help=f"an axis: {names}, and its values (default: mask)", **named)
        parser.add_argument("--y", default=["rule"], help="the other axis (default: rule)", **named)
    if kind == "pair":
        parser.add_argument("--pair", metavar="A,B", help="two classes (default: the most confused on the select part)")
    if kind != "rounds":
        parser.add_argument("--update", choices=("fc2", "both"), default=update, help=f"what is trained ({update})")
        seeds = [0, 1, 2] if kind == "lambda" else [0]
        parser.add_argument("--seeds", nargs="+", type=int, default=seeds, metavar="N", help="for --update both")
    add_settings(parser, HeadRecipe, but=("update", "seed", "loss", "rounds"))
    parser.set_defaults(run=run)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="RUN", type=Path, help="the run to start from, such as a bce run")
    parser.add_argument("--data", required=True, metavar="SPEC", help="training data, such as scenes@train")
    parser.add_argument("--report", metavar="SPEC", help="where figures are reported (default: @val of --data)")
    parser.add_argument("--device", default="auto", help="auto, cuda, cuda:1, mps or cpu")
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
    names = "lambda, mask, rule, background, epochs, lr-fc2 or lr-backbone"
    named = {"nargs": "+", "metavar": ("NAME", "VALUE")}
    parser.add_argument("--x", default=["lambda"], help=f"an axis: {names}, and its values (default: lambda)", **named)
    parser.add_argument("--y", default=["rule"], help="the other axis (default: rule)", **named)
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
    base = _base(arguments)
    source = load_run(arguments.source, pick_device(arguments.device))
    perform = _prepared(arguments, base, source.info.class_list)
    with terminal("features") as progress:
        lab = open_lab(source, protocol, arguments.exact, progress)
    with terminal(arguments.kind) as progress:
        found = perform(lab, progress)
    _show(arguments, found)
    return 0


def run_full(arguments: argparse.Namespace) -> int:
    """Carry out a grid of full trainings and print its table and its sentence; or hand it to the queue."""
    from dataclasses import replace

    from recam_core.experiments.axes import full_axis
    from recam_core.experiments.dispatch import pick_way
    from recam_core.experiments.full_grid import full_grid
    from recam_core.experiments.protocol import protocol_for
    from recam_core.progress import terminal
    from recam_core.queue.start_grid import GridQuestion
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
    question = GridQuestion(
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
        return _queue(arguments, question)
    way = pick_way(arguments.by, arguments.workers)
    plan = question.plan(arguments.folder)
    with terminal("trainings") as progress:
        found = full_grid(plan, x, y, way, arguments.workers, progress)
    _show(arguments, found)
    return 0


def _queue(arguments: argparse.Namespace, question: GridQuestion) -> int:
    """Put a grid into the queue, and say what that means."""
    from recam_core.queue.start_grid import grid_cost, start_grid

    if arguments.json is not None or arguments.csv is not None:
        raise UserError("The queue prints no results: leave out --json and --csv.")
    cost = grid_cost(question)
    started = start_grid(question, cost.speed)
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


def _base(arguments: argparse.Namespace) -> HeadRecipe:
    """The settings that the experiment does not vary, checked."""
    from recam_core.retrain.head_recipe import check_lambda, completed

    names = ("weight", "mask", "rule", "background", "background_power", "epochs", "lr", "weight_decay")
    names = (*names, "batch_size", "update")
    given = {name: getattr(arguments, name, None) for name in names}
    base = HeadRecipe(**{name: value for name, value in given.items() if value is not None})
    completed(base)
    axes = {words[0] for words in (getattr(arguments, "x", None), getattr(arguments, "y", None)) if words}
    # Of 0 the experiments have a sentence of their own.
    if base.weight and "update" not in axes and (note := check_lambda(given["weight"], base.update)):
        print(note, file=sys.stderr)
    return base


def _prepared(
    arguments: argparse.Namespace, base: HeadRecipe, classes: ClassList
) -> Callable[[HeadLab, ProgressFn], Experiment]:
    """What the command asks for, with everything checked that can be before features are computed."""
    from recam_core.experiments import axes, iterations, lambda_sweep, loss_control, mask_comparison, pair_advice
    from recam_core.experiments import grid as grids
    from recam_core.experiments import rule_comparison as rules
    from recam_core.method.background import check_background

    kind, seeds = arguments.kind, getattr(arguments, "seeds", [0])
    _check_seeds(seeds)
    check_background(base, classes.has_background, arguments.data)
    values = getattr(arguments, "values", None)
    if kind in ("grid", "pair"):
        x, y = (axes.axis(name, some) for name, *some in (arguments.x, arguments.y))
        names = arguments.pair.split(",") if kind == "pair" and arguments.pair else None
        pair = pair_advice.find_pair(names, classes) if names else None
        for setting in grids.grid_settings(x, y, seeds, base):
            check_background(setting.recipes[0], classes.has_background, arguments.data)

        def on_grid(lab: HeadLab, progress: ProgressFn) -> Experiment:
            tried = grids.grid(lab, x, y, seeds, base, progress)
            return tried if kind == "grid" else pair_advice.pair_advice(lab, tried, pair)

        return on_grid
    if kind == "lambda":
        weights = values or lambda_sweep.WEIGHTS
        lambda_sweep.lambda_settings(weights, seeds, base)
        return lambda lab, progress: lambda_sweep.lambda_sweep(lab, weights, seeds, base, progress)
    if kind == "masks":
        masks = values or mask_comparison.MASKS
        mask_comparison.mask_settings(masks, seeds, base)
        return lambda lab, progress: mask_comparison.mask_comparison(lab, masks, seeds, base, progress)
    if kind == "rules":
        named = arguments.rules or rules.usual_rules(base)
        rules.rule_settings(named, seeds, base)
        return lambda lab, progress: rules.rule_comparison(lab, named, seeds, base, progress)
    if kind == "loss":
        rates = values or loss_control.RATES
        loss_control.loss_settings(rates, seeds, base)
        return lambda lab, progress: loss_control.loss_control(lab, rates, seeds, base, progress)
    rounds, named = values or iterations.ROUNDS, arguments.rules or iterations.RULES
    iterations.round_settings(rounds, named, base)
    return lambda lab, progress: iterations.iterations(lab, rounds, named, base, progress)
