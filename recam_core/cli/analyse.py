"""``python -m recam_core analyse``: maps and pixel counts that the app and the reports open at once."""

from __future__ import annotations

import argparse
from pathlib import Path

from recam_core.cli.output import write_results


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``analyse``."""
    parser = subparsers.add_parser(
        "analyse",
        help="prepare a data set for error analysis in the app",
        description="Make the maps and pixel counts of runs on a data set and keep them, so that the pages of the app "
        "and `report` open at once. What is kept already is not made again.",
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders")
    parser.add_argument("--data", required=True, metavar="SPEC", help="the data set, such as scenes@val")
    parser.add_argument(
        "--rule",
        metavar="RULE",
        help="extraction rule, or attribution method with a head, such as grad_cam-fc1 (default: each run's own)",
    )
    parser.add_argument("--to", type=Path, metavar="DIR", help="keep them here, and not in the cache")
    parser.add_argument("--device", default="auto", help="auto, cuda, cuda:1, mps or cpu (default: auto)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was made to FILE")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Analyse each run; each result is kept whole or not at all."""
    from recam_core.analysis.analysed import analyse, check_maps, settings_of
    from recam_core.checkpoint.run_folder import load_run, read_info
    from recam_core.data.spec import open_dataset
    from recam_core.device import pick_device
    from recam_core.progress import terminal
    from recam_core.scores.evaluate import check_classes

    device = pick_device(arguments.device)
    dataset = open_dataset(arguments.data)
    infos = [read_info(path) for path in arguments.runs]
    # Everything that can be wrong is looked for before the first of what may be hours of inference.
    rules = [check_maps(info, arguments.rule or info.rule) for info in infos]
    for info in infos:
        check_classes(info.class_list, dataset.classes, f"The run {info.name}", f"the data set {dataset.spec}")
    made = []
    for path, info, rule in zip(arguments.runs, infos, rules, strict=True):
        with terminal(info.name) as progress:
            done = analyse(load_run(path, device), rule, dataset, settings_of(info), progress, folder=arguments.to)
        folder = done.store.path.parent
        print(f"{info.name} {rule}: {len(done.store)} pictures in {folder}")
        made.append({"run": str(path), "rule": rule, "pictures": len(done.store), "folder": str(folder)})
    write_results(arguments.json, {"data": dataset.spec, "analysed": made})
    return 0
