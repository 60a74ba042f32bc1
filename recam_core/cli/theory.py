"""``python -m recam_core theory``: what the two losses do to a data set, and how alike the classes' weights are."""

from __future__ import annotations

import argparse
from pathlib import Path

from recam_core.cli.options import add_device, write_results


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``theory`` with its sub-commands."""
    parser = subparsers.add_parser(
        "theory",
        help="why softmax separates what BCE leaves close: gradients on a data set, weights of the classes",
        description="The numbers of the page Theory. The paper's figure 1 is `experiment figure1`.",
    )
    kinds = parser.add_subparsers(dest="kind", metavar="WHAT", required=True)
    meaning = "the gradient that confusing negatives still receive under BCE and under SCE, over a data set"
    gradients = kinds.add_parser("gradients", help=meaning, description=f"{meaning[0].upper()}{meaning[1:]}.")
    gradients.add_argument("source", metavar="RUN", type=Path, help="a finished run")
    gradients.add_argument("--data", metavar="SPEC", help="pictures; without it, the curve kept at training is printed")
    add_device(gradients)
    gradients.add_argument("--json", type=Path, metavar="FILE", help="write the quantiles to FILE")
    gradients.set_defaults(run=run_gradients)
    meaning = "cosine similarity of the rows of FC1 and FC2 between classes"
    weights = kinds.add_parser("weights", help=meaning, description=f"{meaning[0].upper()}{meaning[1:]}.")
    weights.add_argument("sources", metavar="RUN", type=Path, nargs="+", help="runs, such as one before and one after")
    weights.add_argument("--pairs", type=int, default=10, metavar="N", help="closest pairs to print (10)")
    weights.add_argument("--json", type=Path, metavar="FILE", help="write the matrices to FILE")
    weights.set_defaults(run=run_weights)


def run_gradients(arguments: argparse.Namespace) -> int:
    """Print quantiles of the gradients."""
    from recam_core.checkpoint.run_folder import load_run, read_info
    from recam_core.data.spec import open_dataset
    from recam_core.device import pick_device
    from recam_core.errors import UserError
    from recam_core.progress import terminal
    from recam_core.theory.negatives import GONE, QUANTILES, measure_negatives, read_negatives

    if arguments.data is None:
        info = read_info(arguments.source)
        curve = read_negatives(arguments.source)
        if curve is None:
            raise UserError(f"{info.name} has no curve of gradients: name pictures to measure it on by --data SPEC.")
    else:
        run = load_run(arguments.source, pick_device(arguments.device))
        dataset = open_dataset(arguments.data)
        with terminal("gradients") as progress:
            curve = measure_negatives(run, dataset, progress)
    words = f"{curve.head.upper()}, trained by {curve.loss.upper()}"
    print(f"Gradient on the confusing negative by {words}: {arguments.source}")
    quantiles = "".join(f"{f'{100 * share:g} %':>9s}" for share in QUANTILES)
    print(f"{'epoch':>7s}{'features':>10s}  {'loss':5s}{quantiles}{f'below {GONE:g}':>12s}")
    for point in curve.points:
        for name, values in point.quantiles.items():
            numbers = "".join(f"{value:>9.3f}" for value in values)
            epoch = f"{point.epoch:.1f}" if point.epoch else "-"
            print(f"{epoch:>7s}{point.features:>10d}  {name.upper():5s}{numbers}{100 * point.gone[name]:>10.1f} %")
    write_results(
        arguments.json,
        {
            "run": str(arguments.source),
            "data": arguments.data,
            "head": curve.head,
            "loss": curve.loss,
            "quantiles": list(QUANTILES),
            "points": [point.to_json() for point in curve.points],
        },
    )
    return 0


def run_weights(arguments: argparse.Namespace) -> int:
    """Print the closest pairs of classes, and the mean over all."""
    from recam_core.checkpoint.run_folder import read_info
    from recam_core.errors import UserError
    from recam_core.theory.weights import TITLES, class_cosines

    if arguments.pairs < 0:
        raise UserError(f"--pairs takes a number from 0, got {arguments.pairs}.")
    written = []
    for source in arguments.sources:
        info = read_info(source)
        found = class_cosines(source, info)
        for key in found.matrices:
            print(f"{source}, {TITLES[key]}: mean over the pairs {found.mean(key):+.3f}")
            for one, other, value in found.closest(key, arguments.pairs):
                print(f"  {value:+.3f}  {found.names[one]} - {found.names[other]}")
        matrices = {
            key: [[None if v != v else v for v in row] for row in m.tolist()] for key, m in found.matrices.items()
        }
        written.append({"run": str(source), "classes": list(found.names), "matrices": matrices})
    write_results(arguments.json, written)
    return 0
