"""``python -m recam_core cams``: activation maps of a data set into stores; and the options of making maps."""

from __future__ import annotations

import argparse
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from recam_core import ranks
from recam_core.cli.options import Opened, add_device, write_results
from recam_core.errors import UserError
from recam_core.maps.inference import QUICK_SCALES
from recam_core.words import counted, megabytes

if TYPE_CHECKING:
    from recam_core.checkpoint.run_folder import Run, RunInfo
    from recam_core.data.sample import Dataset
    from recam_core.maps.dataset_maps import MapSettings
    from recam_core.maps.kept import KeptMaps


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``cams``."""
    parser = subparsers.add_parser(
        "cams",
        help="write the activation maps of a data set to disk",
        description="Make the activation maps of trained runs: one pass through each network serves all its rules. "
        "Each run and rule gets a store DIR/RUN-RULE, which `evaluate`, `boundaries` and `masks` read. Runs that "
        "differ in their classifiers alone share a pass. A call that was cut off goes on with the pictures that are "
        "missing.",
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders")
    parser.add_argument("--data", required=True, metavar="SPEC", help="the data set, such as scenes@val")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the stores")
    parser.add_argument(
        "--processes",
        type=_positive,
        default=1,
        metavar="N",
        help="share the pictures and the cores of a CPU among N processes: faster than one of as many threads",
    )
    parser.add_argument(
        "--pictures", type=int, metavar="N", help="of N pictures, spread evenly over the data (default: all)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was made to FILE")
    add_inference_options(parser)
    parser.set_defaults(run=run, by_ranks=True)


def run(arguments: argparse.Namespace) -> int:
    """Write the stores, each whole or not at all."""
    from recam_core.checkpoint.run_folder import load_run, read_info
    from recam_core.data.subset import Subset, spread
    from recam_core.device import describe_device, pick_device
    from recam_core.maps.in_parts import on_one_backbone
    from recam_core.scores.evaluate import check_classes

    device = pick_device(arguments.device)
    if arguments.processes > 1 and (device.type != "cpu" or ranks.world() > 1):
        raise UserError(
            "--processes shares the cores of a CPU in a command of its own: a GPU takes pictures several at once by "
            "itself, and torchrun has shared them out already."
        )
    opened = Opened()
    dataset = opened.open(arguments.data, arguments.limit)
    if arguments.limit:
        dataset = Subset(dataset, range(min(arguments.limit, len(dataset))), dataset.spec)
    if arguments.pictures is not None:
        dataset = spread(dataset, arguments.pictures)
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
    loaded = [load_run(path, device) for path in arguments.runs]
    # The network's own view of the classes depends on its classifier, so that runs share no pass then.
    groups = on_one_backbone(loaded) if arguments.labels == "truth" else [[run] for run in loaded]
    made = []
    for group in groups:
        made += _write_stores(group, dataset, arguments)
    for entry in made:
        print(f"{entry['store']}: {entry['pictures']} pictures, {megabytes(entry['bytes'])}")
        if entry["no_activation"]:
            print(f"    {entry['no_activation']}")
    write_results(arguments.json, {"data": dataset.spec, "stores": made})
    return opened.status()


def store_name(info: RunInfo, rule: str) -> str:
    """The folder name of the store of a run and rule; a run's name may be anything, a folder's may not."""
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '_', info.name).lstrip('.') or 'run'}-{rule}"


def _write_stores(group: list[Run], dataset: Dataset, arguments: argparse.Namespace) -> list[dict]:
    from recam_core.cache import bytes_of
    from recam_core.maps.in_parts import StorePlan, write_stores
    from recam_core.progress import terminal
    from recam_core.refine.seeds import asked_seeds, seed_settings

    settings = settings_for(arguments, group[0].info)
    stores = {
        arguments.out / store_name(run.info, rule): (place, rule)
        for place, run in enumerate(group)
        for rule in rules_for(arguments, run.info)
    }
    asked = asked_seeds((rule for _, rule in stores.values()), settings)
    plan = StorePlan(tuple(group), stores, settings, arguments.limit, asked)
    with terminal(", ".join(run.info.name for run in group)) as progress:
        silent = write_stores(plan, dataset, arguments.processes, progress)
    return [
        {
            "store": str(store),
            "run": group[place].info.name,
            "rule": rule,
            "pictures": min(arguments.limit or len(dataset), len(dataset)),
            "bytes": bytes_of(store),
            "settings": asdict(seed_settings(rule, settings)),
            "no_activation": silent[store].words(dataset.classes.names),
        }
        for store, (place, rule) in stores.items()
        if ranks.is_first()
    ]


# Options of the commands that run a network over a data set -----------------------------------------------------------


def add_inference_options(parser: argparse.ArgumentParser) -> None:
    """``--rule``, ``--scales``, ``--no-mirror``, ``--labels``, ``--device`` and ``--limit``."""
    group = parser.add_argument_group("maps from a run")
    group.add_argument(
        "--rule",
        action="append",
        metavar="RULE",
        help="extraction rule: fc1, fc2, sum, product or rectified_product, or an attribution method with a head, such "
        "as region_cam-fc1, whose scales are its own; repeat it for several (default: the run's)",
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


def add_kept_maps(parser: argparse.ArgumentParser) -> None:
    """``--maps``."""
    parser.add_argument(
        "--maps",
        action="append",
        type=Path,
        metavar="DIR",
        help="maps of this run that `cams` made (a store, or its --out), instead of making them again; repeat it for "
        "several parts of the data",
    )


def maps_kept(arguments: argparse.Namespace, info: RunInfo, rule: str, dataset: Dataset) -> KeptMaps:
    """What ``--maps`` has of a data set, and a line that says how many pictures that are.

    Raises:
        UserError: a store of other maps.
    """
    from recam_core.maps.kept import kept_maps
    from recam_core.refine.seeds import seed_settings

    settings = seed_settings(rule, settings_for(arguments, info))
    found = kept_maps(arguments.maps or (), info, rule, dataset, settings)
    if arguments.maps:
        print(f"Maps of {len(found)} of {counted(len(dataset), 'picture')} of {dataset.spec} are there already.")
    return found


def rules_for(arguments: argparse.Namespace, info: RunInfo) -> list[str]:
    """The rules, or attribution methods with a head, that are asked for, each once and checked, or the run's own.

    Raises:
        UserError: unknown, one that needs FC2 where the run has none, or attributions of classes that the network names
            itself.
    """
    from recam_core.analysis.analysed import check_maps
    from recam_core.refine.seeds import check_labels

    rules = [check_maps(info, rule) for rule in dict.fromkeys(arguments.rule or [info.rule])]
    for rule in rules:
        check_labels(rule, arguments.labels)
    return rules


def seed_rule(arguments: argparse.Namespace, info: RunInfo) -> str:
    """The one of :func:`rules_for` of a command that makes masks of seeds. Raises UserError for several, too."""
    rules = rules_for(arguments, info)
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
        raise argparse.ArgumentTypeError(f"{value} is not 1 or more")
    return value
