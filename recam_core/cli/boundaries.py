"""``python -m recam_core boundaries``: learn the boundaries of a data set from the seeds of a run, as IRN does."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from recam_core.cli.cams import add_inference_options, add_kept_maps, maps_kept, seed_rule, settings_for
from recam_core.cli.options import Opened, check_files, check_out, print_notes, write_files, write_results
from recam_core.cli.train import worker_count
from recam_core.errors import UserError

if TYPE_CHECKING:
    from recam_core.data.sample import Dataset
    from recam_core.refine.boundaries import BoundaryRecipe, ConfidentLabels

#: Pictures that `--show` draws.
_SHOWN = 6


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``boundaries``."""
    parser = subparsers.add_parser(
        "boundaries",
        help="learn boundaries from seeds (IRN), for `masks --way irn`",
        description="Take what the seeds of a run are sure of as labels, and train IRN's two heads on the run's "
        "backbone, which stays as it is. A call that was cut off goes on with its last epoch.",
    )
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="the run that makes the seeds")
    parser.add_argument("--data", required=True, metavar="SPEC", help="training data, such as scenes@train")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="the folder of the boundaries")
    parser.add_argument(
        "--preset",
        choices=("paper", "small"),
        default="paper",
        help="paper: crops of 512 pixels, 32 a batch; small: 224 and 16 (default: paper)",
    )
    parser.add_argument("--crop", type=int, metavar="N", help="pixels of a crop (default: the preset's)")
    parser.add_argument("--epochs", type=int, default=3, help="passes over the data (default: 3)")
    parser.add_argument(
        "--foreground", type=float, metavar="T", help="a class above it (default: the seed threshold + 0.12)"
    )
    parser.add_argument(
        "--background", type=float, metavar="T", help="background up to it (default: the seed threshold - 0.10)"
    )
    parser.add_argument("--seed-threshold", type=float, metavar="T", help="of the seeds (default: the run's own)")
    parser.add_argument("--finish", default="pamr", help="what makes the labels follow contours (default: pamr)")
    parser.add_argument("--seed", type=int, default=0, help="of the weights, the order and the views")
    parser.add_argument("--workers", type=worker_count, help="loader processes")
    parser.add_argument(
        "--show",
        type=Path,
        metavar="FILE",
        help="draw what the thresholds select on 6 pictures (PNG, SVG or PDF) before the training begins",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the record to FILE")
    parser.add_argument(
        "--pictures", type=int, metavar="N", help="learn from N pictures, spread evenly over the data (default: all)"
    )
    add_kept_maps(parser)
    add_inference_options(parser)
    parser.set_defaults(run=run, by_ranks=True)


def run(arguments: argparse.Namespace) -> int:
    """Make the labels, say what they select, train, and keep the heads."""
    from recam_core.checkpoint.run_folder import load_run
    from recam_core.data.subset import Subset, spread
    from recam_core.device import describe_device, pick_device
    from recam_core.progress import terminal
    from recam_core.refine.boundaries import (
        SMALL,
        BoundaryRecipe,
        boundaries_made_by,
        confident_labels,
        learnt_before,
        train_boundaries,
        usual_thresholds,
    )
    from recam_core.refine.finishes import check_finish
    from recam_core.refine.seeds import seed_settings
    from recam_core.scores.evaluate import check_classes

    check_finish(arguments.finish)
    check_out(arguments.out)
    if arguments.show is not None:
        from recam_core.views.figure_text import FIGURE_KINDS

        check_files([arguments.show], [f".{kind}" for kind in FIGURE_KINDS])
    device = pick_device(arguments.device)
    opened = Opened()
    dataset = opened.open(arguments.data, arguments.limit)
    loaded = load_run(arguments.run_folder, device)
    info = loaded.info
    check_classes(info.class_list, dataset.classes, f"The run {info.name}", f"the data set {dataset.spec}")
    rule = seed_rule(arguments, info)
    seeds_at = arguments.seed_threshold
    if seeds_at is None:
        seeds_at = info.threshold_of(rule)
    if seeds_at is None and None in (arguments.foreground, arguments.background):
        if dataset.classes.has_background or arguments.foreground is None:
            both = "both --foreground and --background" if dataset.classes.has_background else "--foreground"
            raise UserError(
                f"{info.name} has no threshold of its own for the rule {rule}: name the seeds' with "
                f"--seed-threshold, or {both}."
            )
        seeds_at = arguments.foreground
    usual = usual_thresholds(seeds_at) if seeds_at is not None else (0.0, 0.0)
    recipe = BoundaryRecipe(
        usual[0] if arguments.foreground is None else arguments.foreground,
        usual[1] if arguments.background is None else arguments.background,
        arguments.finish,
        arguments.epochs,
        seed=arguments.seed,
    )
    if arguments.preset == "small":
        recipe = replace(recipe, batch_size=SMALL[0], crop=SMALL[1])
    if arguments.crop is not None:
        recipe = replace(recipe, crop=arguments.crop)
    if arguments.limit:
        dataset = Subset(dataset, range(min(arguments.limit, len(dataset))), dataset.spec)
    if arguments.pictures is not None:
        dataset = spread(dataset, arguments.pictures)
    settings = seed_settings(rule, settings_for(arguments, info))
    made_by = boundaries_made_by(loaded, dataset, rule, settings, recipe)
    record = learnt_before(arguments.out, made_by)
    if record is not None and (arguments.show is None or arguments.show.exists()):
        print(f"{arguments.out}: there already, by the same command; nothing was done.")
        write_results(arguments.json, record)
        return opened.status()
    kept = maps_kept(arguments, info, rule, dataset)
    print(f"Boundaries of {dataset.spec} from {info.name} ({rule}), {describe_device(device)}.")
    with terminal("labels") as progress:
        labels = confident_labels(loaded, dataset, rule, settings, recipe, progress, kept)
    foreground, background, unsure = labels.shares
    if dataset.classes.has_background:
        at, of_background = f"{recipe.foreground:.2f} and {recipe.background:.2f}", f", {background:.1%} background"
    else:
        at, of_background = f"{recipe.foreground:.2f}", ""
    print(f"Confident labels at {at}: {foreground:.1%} of the pixels a class{of_background}, {unsure:.1%} neither.")
    if told := _right_words(labels):
        print(told)
    if arguments.show is not None:
        _show(arguments.show, dataset, labels, recipe, f"{info.name} {rule} on {dataset.spec}")
    with terminal("boundaries") as progress:
        record = train_boundaries(
            loaded,
            dataset,
            labels,
            rule,
            recipe,
            arguments.out,
            workers=arguments.workers,
            progress=progress,
            made_by=made_by,
        )
    print(f"{arguments.out}: loss {record['history'][-1]['loss']:.4f}")
    print_notes(dataset)
    write_results(arguments.json, record)
    return opened.status()


def _right_words(labels: ConfidentLabels) -> str:
    """How many of the labels are right, where ground truth says it; "" elsewhere."""
    foreground, background = labels.right
    parts = [f"{foreground:.1%} of the pixels of a class"] if foreground == foreground else []
    parts += [f"{background:.1%} of those of the background"] if background == background else []
    return f"Right, by the ground truth: {' and '.join(parts)}." if parts else ""


def _show(file: Path, dataset: Dataset, labels: ConfidentLabels, recipe: BoundaryRecipe, name: str) -> None:
    """Draw the labels of pictures from all over the data set."""
    import numpy as np

    from recam_core.views.figure_labels import labels_figure
    from recam_core.views.figure_text import figure_bytes

    chosen = np.unique(np.linspace(0, len(labels) - 1, min(_SHOWN, len(labels))).round().astype(int)).tolist()
    foreground, background, unsure = labels.shares
    parts = [f"A class above {recipe.foreground:.2f}: {foreground:.1%} of all pixels."]
    parts += [f"Background up to {recipe.background:.2f}: {background:.1%}."] if dataset.classes.has_background else []
    title = f"{name}\n{' '.join(parts)} Neither: {unsure:.1%}.\n{_right_words(labels)}"
    figure = labels_figure([(dataset.load(index), labels[index]) for index in chosen], dataset.classes, title)
    write_files([(file, figure_bytes(figure, file.suffix[1:].lower()))])
