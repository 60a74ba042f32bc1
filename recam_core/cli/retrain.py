"""``retrain``: FC2, or FC1 and FC2, on cached features; or a run again from its record."""

import argparse
import dataclasses
import sys
from pathlib import Path

from recam_core.cli.options import Opened, add_device, add_settings, check_out, print_notes, write_results
from recam_core.cli.repeat_run import add_from, repeat
from recam_core.errors import UserError
from recam_core.retrain.head_recipe import HeadRecipe
from recam_core.setting import settings


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``retrain``."""
    parser = subparsers.add_parser(
        "retrain",
        help="retrain FC2 (and FC1) on cached features: seconds instead of hours",
        description="Retrain the classifiers of a run on its own cached features; the backbone stays as it is. "
        "With --from, make a run again from its record.",
    )
    parser.add_argument("source", metavar="RUN", type=Path, nargs="?", help="the run to start from, such as a bce run")
    parser.add_argument("--data", metavar="SPEC", help="training data, such as scenes@train")
    parser.add_argument("--out", required=True, metavar="RUN2", type=Path, help="the new run's folder")
    add_from(parser)
    suits = "0: what suits --update"
    row = "default: 0.2 with the rule sum where the data has a background class"
    nothing = "it does nothing with --update fc2"
    add_settings(parser, HeadRecipe, more={"epochs": suits, "lr": suits, "background": row, "weight": nothing})
    parser.add_argument("--choose-threshold", action="store_true",
                        help="choose the background threshold on the training pictures, as the app does")  # fmt: skip
    add_device(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the record and the curve as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Build the cache where it is not there yet, train, and write the run."""
    from recam_core.atomic_write import replacing_folder, write_json
    from recam_core.checkpoint.run_folder import INFO_FILE, METRICS_FILE, load_run
    from recam_core.device import describe_device, pick_device
    from recam_core.method.background import check_background
    from recam_core.method.extraction import map_weights
    from recam_core.progress import terminal
    from recam_core.retrain.features import build_feature_cache
    from recam_core.retrain.head_recipe import check_lambda, completed, usual_heads
    from recam_core.retrain.heads import retrain_heads, save_heads
    from recam_core.scores.thresholds import choose_threshold

    names = [field.name for field in dataclasses.fields(HeadRecipe)]
    given = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    if arguments.repeated is not None:
        flags = {settings(HeadRecipe)[name].flag or name: value for name, value in given.items()}
        flags |= {"--choose-threshold": True} if arguments.choose_threshold else {}
        return repeat(arguments, flags, parent=arguments.source)
    if arguments.source is None or arguments.data is None:
        raise UserError("Give the run to start from and --data SPEC, or --from RUN to make a run again.")
    checked = completed(dataclasses.replace(usual_heads(True), **given))
    if note := check_lambda(given.get("weight"), checked.update):
        print(note, file=sys.stderr)
    check_out(arguments.out)
    if (arguments.out / INFO_FILE).exists():
        raise UserError(f"{arguments.out} holds a run already; choose another folder or delete it.")
    if arguments.out.exists() and (not arguments.out.is_dir() or any(arguments.out.iterdir())):
        raise UserError(f"{arguments.out} is there already and is not empty; choose another folder.")
    source = load_run(arguments.source, pick_device(arguments.device))
    opened = Opened()
    dataset = opened.open(arguments.data)
    print_notes(dataset)
    usual = usual_heads(dataset.classes.has_background and given.get("background") != 0)
    recipe = completed(dataclasses.replace(usual, **given))
    check_background(recipe, dataset.classes.has_background, dataset.spec)
    with terminal("features") as progress:
        cache = build_feature_cache(source, dataset, progress)
    with terminal("retrain") as progress:
        result = retrain_heads(cache, source, recipe, progress)
    threshold = None
    if arguments.choose_threshold:
        weight = map_weights(recipe.rule, result.fc1, result.fc2).to(source.network.device)
        with terminal("threshold") as progress:
            threshold = choose_threshold(source.network, weight, dataset, progress)
    with replacing_folder(arguments.out, fresh=True) as temporary:
        info = save_heads(temporary, source, dataset.spec, result)
        info.name, info.threshold = arguments.out.absolute().name, threshold
        write_json(temporary / INFO_FILE, dataclasses.asdict(info))
        write_json(temporary / METRICS_FILE, result.history)
    losses = ", ".join(f"{name} {value:.4f}" for name, value in result.history[-1].items() if name != "epoch")
    print(f"{arguments.out}: {losses}, {result.seconds:.2f} s on {describe_device(source.network.device)}.")
    if info.has_background and info.threshold is None:
        print(
            "It has no background threshold of its own: --choose-threshold chooses one, or afterwards, on pictures "
            f"that nothing is reported on, evaluate {arguments.out} --data SPEC --keep-threshold."
        )
    write_results(arguments.json, {"run": dataclasses.asdict(info), "curve": result.history, "seconds": result.seconds})
    return opened.status()
