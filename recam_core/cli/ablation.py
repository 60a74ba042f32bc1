"""``python -m recam_core experiment ablation``: the paper's tables."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from recam_core.cli.options import add_device, write_results, write_table
from recam_core.errors import UserError


def add_ablation(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--data", required=True, metavar="SPEC", help="training data, such as scenes@train")
    parser.add_argument(
        "--report", nargs="+", default=["@val"], metavar="SPEC", help="where figures are reported (default: @val)"
    )
    parser.add_argument("--folder", required=True, type=Path, help="where runs and scores go; those there are kept")
    parser.add_argument(
        "--have", nargs="+", type=Path, default=[], metavar="DIR", help="folders with runs that are taken if they fit"
    )
    parser.add_argument(
        "--depth", choices=("full", "heads"), default="full", help="train the backbone too, or classifiers on top of it"
    )
    parser.add_argument("--update", choices=("both", "fc2"), default="both", help="with --depth heads: what is trained")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="N", help="each row once a seed")
    parser.add_argument(
        "--tables", nargs="+", default=[], metavar="TABLE", help="loss, lambda, masks, rules, background (all)"
    )
    parser.add_argument("--lambdas", nargs="+", type=float, metavar="LAMBDA", help="of the table lambda (0 0.1 1 10)")
    parser.add_argument("--masks", nargs="+", metavar="MASK", help="of the table masks (none soft power:2 hard:0.3)")
    parser.add_argument(
        "--backgrounds", nargs="+", type=float, metavar="W", help="weights of the background row, of its table (0.2)"
    )
    parser.add_argument(
        "--select",
        metavar="SPEC",
        help="where background thresholds are chosen (a fifth of the training data)",
    )
    parser.add_argument("--rule", default="sum", help="extraction rule wherever rules are not compared (sum)")
    parser.add_argument("--preset", choices=("small", "paper"), default="small", help="every other setting (small)")
    parser.add_argument("--epochs", type=int, help="of BCE and SCE (default: the preset's)")
    parser.add_argument("--recam-epochs", type=int, help="of ReCAM (default: the preset's)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="trainings at a time (default: 1)")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="of the processor, a training")
    parser.add_argument("--by", choices=("auto", "one", "local", "ray"), default="auto", help="see experiment full")
    add_device(parser)
    parser.add_argument("--markdown", action="store_true", help="print the tables for a document")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything to FILE")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the tables to FILE")
    parser.set_defaults(run=run_ablation)


def run_ablation(arguments: argparse.Namespace) -> int:
    """Train and score what is missing, and print the tables."""
    from dataclasses import replace

    from recam_core.experiments.ablation import ablation, ablation_text
    from recam_core.experiments.ablation_plan import BACKGROUNDS, LAMBDAS, MASKS, AblationPlan, report_specs
    from recam_core.progress import terminal
    from recam_core.retrain.head_recipe import HeadRecipe
    from recam_core.train.recipe import METHODS, preset

    if arguments.threads < 0 or arguments.workers < 1:
        raise UserError("--workers takes 1 or more, --threads 0 or more.")
    bases = {method: preset(method, arguments.preset) for method in METHODS}
    for method, recipe in bases.items():
        epochs = arguments.recam_epochs if method == "recam" else arguments.epochs
        rule = arguments.rule if method == "recam" else recipe.rule
        bases[method] = replace(recipe, epochs=epochs if epochs is not None else recipe.epochs, rule=rule)
    # Trainings that run side by side would otherwise each take all cores, and stand in each other's way.
    shared = max((os.cpu_count() or 1) // arguments.workers, 1) if arguments.workers > 1 else 0
    plan = AblationPlan(
        arguments.data,
        report_specs(arguments.data, arguments.report),
        arguments.folder,
        arguments.depth,
        tuple(arguments.seeds),
        tuple(arguments.tables),
        LAMBDAS if arguments.lambdas is None else tuple(arguments.lambdas),
        MASKS if arguments.masks is None else tuple(arguments.masks),
        BACKGROUNDS if arguments.backgrounds is None else tuple(arguments.backgrounds),
        arguments.rule,
        bases,
        HeadRecipe(update=arguments.update, rule=arguments.rule),
        tuple(arguments.have),
        report_specs(arguments.data, [arguments.select])[0] if arguments.select else "",
        arguments.device,
        arguments.threads or shared,
    )
    with terminal("ablation") as progress:
        found = ablation(plan, arguments.by, arguments.workers, progress)
    print(ablation_text(found, arguments.markdown))
    if found.sentence:
        print(f"\n{found.sentence}\n")
    for note in found.notes:
        print(f"- {note}")
    write_table(arguments.csv, found.to_csv())
    write_results(arguments.json, found.to_json())
    return 0
