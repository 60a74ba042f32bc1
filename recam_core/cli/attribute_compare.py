"""``python -m recam_core attribute compare``: attribution methods side by side on a data set."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from recam_core.cli.options import add_device, write_results
from recam_core.errors import UserError

if TYPE_CHECKING:
    from recam_core.attribution.compare import ComparePlan, MethodScores
    from recam_core.checkpoint.run_folder import RunInfo
    from recam_core.data.sample import Dataset

DESCRIPTION = (
    "Score attribution methods on a data set: seeds and localisation against the ground truth, and without it "
    "deletion, insertion, infidelity and sensitivity, with 95% intervals over pictures, and the seconds of a picture. "
    "Maps are of the classes that each picture shows."
)


def add_compare(subparsers: argparse._SubParsersAction) -> None:
    """Register ``compare`` among the sub-commands of ``attribute``."""
    parser = subparsers.add_parser("compare", help="score methods side by side on a data set", description=DESCRIPTION)
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="a run folder")
    parser.add_argument("--data", required=True, metavar="SPEC", help="the data set, such as scenes@val")
    parser.add_argument("--methods", nargs="+", metavar="METHOD", help="which ones (default: all)")
    parser.add_argument(
        "--head", metavar="HEAD", help="fc1, fc2 or an extraction rule of weights (default: the run's own)"
    )
    parser.add_argument(
        "--select",
        metavar="SPEC",
        help="pictures on which each method's background threshold is chosen, such as scenes@train.select (without it: "
        "the best one on the very pictures that are scored, which flatters)",
    )
    parser.add_argument("--threshold", type=float, metavar="T", help="one background threshold for all methods")
    parser.add_argument("--pictures", type=_some, metavar="N", help="only N pictures of the data, evenly spread")
    parser.add_argument("--select-pictures", type=_some, metavar="N", help="only N pictures of --select, evenly spread")
    parser.add_argument(
        "--faithful",
        type=_count,
        default=12,
        metavar="N",
        help="pictures for the scores without ground truth, evenly spread; 0 for none (default: 12)",
    )
    parser.add_argument("--steps", type=int, default=16, help="steps of deletion and insertion (default: 16)")
    parser.add_argument("--masks", type=int, default=32, help="squares of infidelity (default: 32)")
    parser.add_argument("--shakes", type=int, default=3, help="noisy pictures of sensitivity; 0 for none (default: 3)")
    parser.add_argument("--baseline", choices=("blur", "mean"), default="blur", help="what hidden parts show")
    parser.add_argument("--bootstrap", type=int, default=1000, metavar="N", help="draws for intervals (default: 1000)")
    add_device(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything to FILE, after each method anew")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compare, print a table, and write what was asked for."""
    from recam_core.attribution.compare import compare_methods, compare_table
    from recam_core.attribution.table import METHODS, method_of
    from recam_core.checkpoint.run_folder import load_run, read_info
    from recam_core.cli.compared_runs import check_threshold
    from recam_core.data.spec import open_dataset
    from recam_core.device import describe_device, pick_device
    from recam_core.progress import terminal
    from recam_core.scores.evaluate import check_classes

    # Everything that can be wrong is looked for before what may be hours of work.
    check_threshold(arguments.threshold)
    info = read_info(arguments.run_folder)
    dataset = open_dataset(arguments.data)
    selection = None if arguments.select is None else open_dataset(arguments.select)
    if selection is not None and not selection.has_masks:
        raise UserError(f"{selection.spec} has no ground-truth masks, so no threshold can be chosen on it.")
    check_classes(info.class_list, dataset.classes, f"The run {info.name}", f"the data set {dataset.spec}")
    methods = list(dict.fromkeys(method_of(key).key for key in arguments.methods or METHODS))
    plan = _plan(arguments, info)
    if arguments.json is not None and not arguments.json.resolve().parent.is_dir():
        raise UserError(f"There is no folder {arguments.json.resolve().parent} to write {arguments.json.name} to.")
    device = pick_device(arguments.device)
    network = load_run(arguments.run_folder, device).network.eval()
    many = "1 method" if len(methods) == 1 else f"{len(methods)} methods"
    print(f"{many} on {dataset.spec}, {info.name}, logits of {plan.head}, {describe_device(device)}.")
    found: list[MethodScores] = []

    def keep(one: MethodScores) -> None:
        found.append(one)
        if arguments.json is not None:
            from recam_core.atomic_write import write_json

            write_json(arguments.json, _results(arguments, info, dataset, plan, found))

    with terminal("attributions") as progress:
        compare_methods(
            network,
            dataset,
            methods,
            plan,
            selection=selection,
            threshold=arguments.threshold,
            each=keep,
            progress=progress,
        )
    print("\n".join(compare_table(found, dataset.classes.has_background)))
    results = _results(arguments, info, dataset, plan, found)
    results["gains"] = _gains(found, arguments.bootstrap)
    for title, gain in results["gains"].items():
        span = "" if gain["low"] is None else f" (95 %: {100 * gain['low']:+.1f} to {100 * gain['high']:+.1f})"
        print(f"{title}: {100 * gain['gain']:+.1f} points of seed mIoU over {gain['over']}{span}.")
    write_results(arguments.json, results)
    return 0


def _gains(found: list[MethodScores], draws: int) -> dict[str, dict]:
    """What each method gains over the first in seed mIoU, by pairs of the same pictures; by title."""
    from recam_core.analysis.gains import class_gain
    from recam_core.scores.scores import json_number

    scored = {one.title: one.evaluation for one in found if one.evaluation is not None}
    if len(scored) < 2 or draws < 1:
        return {}
    gain = class_gain(
        {title: one.counts for title, one in scored.items()},
        {title: (one.fixed or one.best).threshold for title, one in scored.items()},
        resamples=draws,
    )
    return {
        title: {
            "over": gain.reference,
            "gain": float(gain.miou_gain[place]),
            "low": json_number(float(gain.miou_gain_low[place])),
            "high": json_number(float(gain.miou_gain_high[place])),
        }
        for place, title in enumerate(gain.keys)
        if title != gain.reference
    }


def _plan(arguments: argparse.Namespace, info: RunInfo) -> ComparePlan:
    from recam_core.attribution.compare import ComparePlan
    from recam_core.attribution.map_scores import FaithfulnessSettings
    from recam_core.checkpoint.run_folder import check_run_rule
    from recam_core.method.extraction import RULES

    rule = check_run_rule(info, arguments.head or info.rule)
    if not RULES[rule].makes_weights:
        raise UserError(f"The rule '{rule}' makes no class weights but probabilities; choose another with --head.")
    if arguments.bootstrap < 0:
        raise UserError(f"The draws for intervals are none or more, not {arguments.bootstrap}.")
    return ComparePlan(
        arguments.pictures or None,
        arguments.select_pictures or None,
        arguments.faithful,
        rule,
        faithfulness=FaithfulnessSettings(
            steps=arguments.steps,
            masks=arguments.masks,
            shakes=arguments.shakes,
            baseline=arguments.baseline,
            softmax=info.method == "sce" or rule == "fc2",
        ),
        draws=arguments.bootstrap,
    )


def _results(
    arguments: argparse.Namespace, info: RunInfo, dataset: Dataset, plan: ComparePlan, found: list[MethodScores]
) -> dict:
    from dataclasses import asdict

    return {
        "run": str(arguments.run_folder),
        "name": info.name,
        "weights": info.weights_sha256,
        "data": dataset.spec,
        "select": arguments.select,
        "head": plan.head,
        "faithfulness": asdict(plan.faithfulness),
        "methods": [one.to_json() for one in found],
    }


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is not a number of pictures")
    return value


def _some(text: str) -> int:
    value = _count(text)
    if value == 0:
        raise argparse.ArgumentTypeError("takes a number of pictures from 1; leave it out for all")
    return value
