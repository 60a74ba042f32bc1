"""``python -m recam_core cams``: activation maps of a data set into stores; and the options of making maps."""

from __future__ import annotations

import argparse
import re
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from recam_core import ranks
from recam_core.cli.options import add_device, write_results
from recam_core.errors import UserError
from recam_core.maps.inference import QUICK_SCALES
from recam_core.words import counted, megabytes

if TYPE_CHECKING:
    from recam_core.checkpoint.run_folder import Run, RunInfo
    from recam_core.data.sample import Dataset
    from recam_core.maps.dataset_maps import MapSettings


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``cams``."""
    parser = subparsers.add_parser(
        "cams",
        help="write the activation maps of a data set to disk",
        description="Make the activation maps of trained runs: one pass through each network serves all its rules. "
        "Each run and rule gets a store DIR/RUN-RULE, which `evaluate` reads.",
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders")
    parser.add_argument("--data", required=True, metavar="SPEC", help="the data set, such as scenes@val")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the stores")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was made to FILE")
    add_inference_options(parser)
    parser.set_defaults(run=run, by_ranks=True)


def run(arguments: argparse.Namespace) -> int:
    """Write the stores, each whole or not at all."""
    from recam_core.checkpoint.run_folder import load_run, read_info
    from recam_core.data.spec import open_dataset
    from recam_core.device import describe_device, pick_device
    from recam_core.scores.evaluate import check_classes

    device = pick_device(arguments.device)
    dataset = open_dataset(arguments.data)
    ranks.check_same("\n".join(dataset.ids), f"pictures of {dataset.spec}")
    # Everything that can be wrong is looked for before the first of what may be hours of inference.
    targets: dict[Path, Path] = {}
    for path in arguments.runs:
        info = read_info(path)
        check_classes(info.class_list, dataset.classes, f"The run {info.name}", f"the data set {dataset.spec}")
        for rule in rules_for(arguments, info):
            target = arguments.out / store_name(info, rule)
            if target in targets:
                raise UserError(
                    f"{path} and {targets[target]} would both be written to {target}; use two --out folders."
                )
            targets[target] = path
    print(f"{counted(len(targets), 'store')} of {dataset.spec}, {describe_device(device)}.")
    made = []
    for path in arguments.runs:
        made += _write_stores(load_run(path, device), dataset, arguments)
    for entry in made:
        print(f"{entry['store']}: {entry['pictures']} pictures, {megabytes(entry['bytes'])}")
        if entry["no_activation"]:
            print(f"    {entry['no_activation']}")
    write_results(arguments.json, {"data": dataset.spec, "stores": made})
    return 0


def store_name(info: RunInfo, rule: str) -> str:
    """The folder name of the store of a run and rule; a run's name may be anything, a folder's may not."""
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '_', info.name).lstrip('.') or 'run'}-{rule}"


def _write_stores(loaded: Run, dataset: Dataset, arguments: argparse.Namespace) -> list[dict]:
    from recam_core.maps.dataset_maps import maps_of_dataset, store_info
    from recam_core.maps.store import writing_store
    from recam_core.progress import terminal

    info, rules, settings = loaded.info, rules_for(arguments, loaded.info), settings_for(arguments, loaded.info)
    total = min(arguments.limit or len(dataset), len(dataset))
    with ExitStack() as stack:
        writers = {}
        for rule in rules if ranks.is_first() else ():
            record = store_info(info, rule, dataset, settings)
            writers[rule] = stack.enter_context(writing_store(arguments.out / store_name(info, rule), record))
        progress = stack.enter_context(terminal(info.name))
        pictures = maps_of_dataset(loaded.network, dataset, rules, settings, arguments.limit)
        for done, maps in enumerate(ranks.in_order((maps for _, maps in pictures), total), start=1):
            for rule, writer in writers.items():
                writer.add(maps[rule])
            progress(done, total, "")
    return [
        {
            "store": str(arguments.out / store_name(info, rule)),
            "run": info.name,
            "rule": rule,
            "pictures": total,
            "bytes": sum(file.stat().st_size for file in (arguments.out / store_name(info, rule)).iterdir()),
            "settings": asdict(settings),
            "no_activation": writers[rule].silent.words(dataset.classes.names),
        }
        for rule in writers
    ]


# Options of the commands that run a network over a data set -----------------------------------------------------------


def add_inference_options(parser: argparse.ArgumentParser) -> None:
    """``--rule``, ``--scales``, ``--no-mirror``, ``--labels``, ``--device`` and ``--limit``."""
    group = parser.add_argument_group("maps from a run")
    group.add_argument(
        "--rule",
        action="append",
        metavar="RULE",
        help="extraction rule: fc1, fc2, sum, product or rectified_product; repeat it for several (default: the run's);"
        " in `masks` and `boundaries` also an attribution method with a head, such as region_cam-fc1",
    )
    group.add_argument(
        "--scales",
        nargs="+",
        type=float,
        default=list(QUICK_SCALES),
        metavar="S",
        help="factors of the picture's size (default: 1.0 2.0; the paper: 0.5 1.0 1.5 2.0)",
    )
    group.add_argument("--no-mirror", action="store_true", help="leave the mirror images out: twice as fast")
    group.add_argument(
        "--labels",
        choices=("truth", "predicted"),
        default="truth",
        help="maps for the classes of the ground-truth label, or for those the network sees (default: truth)",
    )
    add_device(group)
    group.add_argument("--limit", type=_positive, metavar="N", help="only the first N pictures")


def rules_for(arguments: argparse.Namespace, info: RunInfo) -> list[str]:
    """The rules asked for, each once and checked, or the run's own.

    Raises:
        UserError: unknown rule, or one that needs FC2 where the run has none.
    """
    from recam_core.checkpoint.run_folder import check_run_rule

    return [check_run_rule(info, rule) for rule in dict.fromkeys(arguments.rule or [info.rule])]


def seed_rule(arguments: argparse.Namespace, info: RunInfo) -> str:
    """The one rule, or attribution method with a head, of a command that makes masks of seeds.

    Raises:
        UserError: several, unknown, or one that needs FC2 where the run has none.
    """
    from recam_core.analysis.analysed import check_maps

    rules = [check_maps(info, rule) for rule in dict.fromkeys(arguments.rule or [info.rule])]
    if len(rules) > 1:
        raise UserError("Name one --rule: pseudo masks are made by one extraction rule.")
    return rules[0]


def settings_for(arguments: argparse.Namespace, info: RunInfo) -> MapSettings:
    """How the maps of a run are made."""
    from recam_core.maps.dataset_maps import MapSettings

    return MapSettings(
        scales=tuple(arguments.scales),
        mirror=not arguments.no_mirror,
        labels=arguments.labels,
        softmax=info.method == "sce",
    )


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a number of pictures")
    return value
