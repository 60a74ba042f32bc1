"""``train bce``, ``train sce`` and ``train recam``; or a run again from its record."""

import argparse
import dataclasses
import json
from pathlib import Path

from recam_core import ranks
from recam_core.cli.options import Opened, add_device, add_settings, check_out, print_notes, write_results
from recam_core.cli.repeat_run import add_from, repeat
from recam_core.errors import UserError
from recam_core.train.recipe import Recipe

#: More loader processes than this are a slip of the finger.
_MOST_WORKERS = 256


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``train`` with one sub-command a method, and ``train --from``."""
    parser = subparsers.add_parser(
        "train",
        help="train a network from image-level labels",
        description="Train a network by a METHOD, or make a run again from its record: train --from RUN --out RUN2.",
    )
    again = parser.add_argument_group("making a run again")
    add_from(again)
    again.add_argument("--out", metavar="RUN2", type=Path, help="the new run's folder")
    again.add_argument("--data", metavar="SPEC", help="the same training data, if it has moved")
    again.add_argument("--val", metavar="SPEC", help="the data to validate on, if it has moved")
    again.add_argument("--init", metavar="RUN", type=Path, help="the run that it started from, if it has moved")
    again.add_argument("--weights", metavar="FILE", help="the file of its ImageNet weights, if it has moved")
    again.add_argument("--workers", type=worker_count, help="loader processes")
    add_device(again)
    again.add_argument("--json", type=Path, metavar="FILE", help="write the record as JSON")
    parser.set_defaults(run=run_again)
    methods = parser.add_subparsers(dest="method", metavar="METHOD")
    for method, text in (
        ("bce", "binary cross-entropy, equation 1: the ordinary CAM"),
        ("sce", "softmax cross-entropy on the multi-label images: the SCE-CAM"),
        ("recam", "L_bce + lambda * L_sce, equation 6, from a converged bce run (--init)"),
    ):
        command = methods.add_parser(method, help=text, description=text)
        command.add_argument("--data", required=True, metavar="SPEC", help="training data, such as scenes@train")
        command.add_argument("--val", metavar="SPEC", help="data to validate on after each epoch")
        command.add_argument("--out", required=True, metavar="RUN", type=Path, help="the run's folder")
        command.add_argument("--init", metavar="RUN", type=Path, help="the run to start from (recam: a bce run)")
        command.add_argument("--preset", default=None, help="paper (the published schedule) or small (no GPU)")
        command.add_argument("--resize-long", nargs=2, type=int, metavar=("LOW", "HIGH"), help="range of the long side")
        command.add_argument("--train-norm", action="store_true", help="train batch norm instead of freezing it")
        command.add_argument("--no-amp", action="store_true", help="no mixed precision on CUDA")
        command.add_argument("--workers", type=worker_count, help="loader processes")
        add_device(command)
        command.add_argument("--half", action="store_true", help="store the weights in half precision")
        command.add_argument("--show-recipe", action="store_true", help="print all settings and stop")
        command.add_argument("--json", type=Path, metavar="FILE", help="write the record and the curves as JSON")
        add_settings(command, Recipe)
        command.set_defaults(run=run, by_ranks=True)


def worker_count(text: str) -> int:
    """A number of loader processes from the command line, as argparse reads it."""
    if not (text.isdecimal() and int(text) <= _MOST_WORKERS):
        raise argparse.ArgumentTypeError(f"'{text}' is no number from 0 to {_MOST_WORKERS}")
    return int(text)


def run_again(arguments: argparse.Namespace) -> int:
    """Make a run again; the same command after a kill goes on where it was cut off."""
    if arguments.repeated is None:
        raise UserError("Say what to train: bce, sce or recam, or --from RUN to make a run again.")
    if arguments.out is None:
        raise UserError("Say with --out RUN2 where the new run goes.")
    return repeat(arguments, {}, parent=arguments.init)


def recipe_of(arguments: argparse.Namespace, has_background: bool = False) -> Recipe:
    """The recipe that the options of a method mean, for data with or without a background class.

    Raises:
        UserError: it cannot work.
    """
    from recam_core.model.backbones import PAPER_BACKBONE
    from recam_core.train.recipe import check_recipe, preset

    if arguments.resize_long is not None:
        arguments.resize_long = tuple(arguments.resize_long)
    # The published schedule belongs to the published backbone; any other starts from the small preset.
    name = arguments.preset or ("paper" if arguments.backbone in (None, PAPER_BACKBONE) else "small")
    recipe = preset(arguments.method, name, has_background)
    if arguments.background == 0 and arguments.rule is None:
        recipe = dataclasses.replace(recipe, rule=preset(arguments.method, name).rule)
    given = {
        field.name: getattr(arguments, field.name)
        for field in dataclasses.fields(recipe)
        if field.name != "method" and getattr(arguments, field.name, None) is not None
    }
    if arguments.train_norm:
        given["freeze_norm"] = False
    if arguments.no_amp:
        given["amp"] = False
    recipe = dataclasses.replace(recipe, **given)
    check_recipe(recipe)
    return recipe


def run(arguments: argparse.Namespace) -> int:
    """Train as the arguments say; the same command after a kill goes on where it was cut off."""
    from recam_core.checkpoint.run_folder import METRICS_FILE, load_run
    from recam_core.data.spec import open_dataset
    from recam_core.device import describe_device, pick_device
    from recam_core.progress import on_bar, terminal
    from recam_core.train.loop import train

    if arguments.repeated is not None:
        raise UserError(f"--from takes the method from the run's record too, so leave out {arguments.method}.")
    recipe_of(arguments, True)  # what no data could make work is refused before any is read
    if not arguments.show_recipe:
        check_out(arguments.out)
    opened = Opened()
    dataset = opened.open(arguments.data) if not arguments.show_recipe else open_dataset(arguments.data)
    recipe = recipe_of(arguments, dataset.classes.has_background)
    if arguments.show_recipe:
        print(json.dumps(recipe.to_json(), indent=2))
        return 0
    device = pick_device(arguments.device)
    val = opened.open(arguments.val) if arguments.val else None
    if val is not None and val.classes.names != dataset.classes.names:
        raise UserError(f"The classes of {arguments.val} are not those of {arguments.data}.")
    for one in (dataset, val):
        if one is not None:
            print_notes(one)
    init = load_run(arguments.init) if arguments.init else None
    print(f"Training {recipe.method} ({recipe.backbone}) on {len(dataset)} pictures, {describe_device(device)}.")
    with terminal(recipe.method) as bar:
        info = train(
            recipe,
            dataset,
            arguments.out,
            val=val,
            init=init,
            device=device,
            workers=arguments.workers,
            watch=on_bar(bar),
            half=arguments.half,
        )
    if not ranks.is_first():
        return 0
    history = json.loads((arguments.out / METRICS_FILE).read_text(encoding="utf-8"))
    last = ", ".join(f"{key} {value:.4g}" for key, value in history[-1].items() if key != "epoch")
    print(f"{arguments.out}: {last}")
    write_results(arguments.json, {"run": dataclasses.asdict(info), "curves": history})
    return opened.status()
