"""``python -m recam_core experiment figure1``: BCE against SCE on single-label pictures or features."""

from __future__ import annotations

import argparse
from pathlib import Path

from recam_core.cli.options import add_device, write_results, write_table
from recam_core.cli.train import worker_count
from recam_core.errors import UserError


def add_figure1(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "source",
        metavar="RUN",
        help="the run whose features stay as they are, or imagenet[:BACKBONE] for a backbone that neither loss has "
        "trained; with --depth full, imagenet[:BACKBONE] is what the trainings start from",
    )
    parser.add_argument("--data", required=True, metavar="SPEC", help="to train on, such as voc:FOLDER@train_aug")
    parser.add_argument("--report", default="@val", metavar="SPEC", help="where accuracy is reported (@val)")
    parser.add_argument(
        "--what",
        choices=("pictures", "features"),
        default="pictures",
        help="pictures of a single class, or features masked to each present class by FC1's maps (a run is needed)",
    )
    parser.add_argument("--group", type=int, default=5, metavar="N", help="classes of the hard group (5, as the paper)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4], metavar="N")
    parser.add_argument("--epochs", type=int, help="passes over the data (heads: 40; full: the preset's)")
    parser.add_argument("--rates", nargs="+", type=float, metavar="LR", help="learning rates of heads to choose from")
    parser.add_argument("--depth", choices=("heads", "full"), default="heads", help="train the backbone as well?")
    parser.add_argument("--folder", type=Path, help="with --depth full: where the runs go; those there are kept")
    parser.add_argument("--preset", choices=("small", "paper"), default="small", help="with --depth full (small)")
    add_device(parser)
    parser.add_argument("--workers", type=worker_count, help="with --depth full: processes that load pictures")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything to FILE")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the table to FILE")
    parser.set_defaults(run=run_figure1)


def run_figure1(arguments: argparse.Namespace) -> int:
    """Train the classifiers and print the table, the sentence and the notes."""
    from dataclasses import replace

    from recam_core.device import pick_device
    from recam_core.experiments.figure1 import HeadSettings, keep_figure1, text_figure1
    from recam_core.experiments.figure1_full import figure1_full
    from recam_core.experiments.figure1_heads import figure1
    from recam_core.experiments.pooled_vectors import named_backbone
    from recam_core.experiments.protocol import data_and_report
    from recam_core.progress import terminal
    from recam_core.train.recipe import preset

    settings = HeadSettings(group=arguments.group, seeds=tuple(arguments.seeds))
    if arguments.depth == "heads" and arguments.epochs is not None:
        settings = replace(settings, epochs=arguments.epochs)
    if arguments.rates:
        settings = replace(settings, rates=tuple(arguments.rates))
    device = pick_device(arguments.device)
    if arguments.depth == "heads":
        with terminal("figure 1") as progress:
            found = figure1(
                arguments.source, arguments.data, arguments.report, arguments.what, settings, device, progress
            )
    else:
        backbone = named_backbone(arguments.source)
        if backbone is None or arguments.what != "pictures" or arguments.folder is None:
            raise UserError(
                "Whole networks start from ImageNet's weights and learn pictures: give imagenet or imagenet:BACKBONE "
                "in the place of the run, --what pictures, and a --folder for the runs."
            )
        recipe = replace(preset("bce", arguments.preset), backbone=backbone)
        if arguments.epochs is not None:
            recipe = replace(recipe, epochs=arguments.epochs)
        fit, report = data_and_report(arguments.data, arguments.report)
        with terminal("figure 1") as progress:
            found = figure1_full(
                fit,
                report,
                recipe,
                settings,
                arguments.folder,
                device=device,
                workers=arguments.workers,
                progress=progress,
            )
    keep_figure1(found)  # the page Theory shows it
    print(f"Figure 1, {found.depth}: {found.source}")
    print(text_figure1(found))
    print(f"\n{found.sentence}\n")
    for note in found.notes:
        print(f"- {note}")
    write_table(arguments.csv, found.to_csv())
    write_results(arguments.json, found.to_json())
    return 0
