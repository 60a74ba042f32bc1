"""``python -m recam_core report``: an analysis as one HTML file that opens offline."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recam_core.errors import UserError

if TYPE_CHECKING:
    from recam_core.analysis.analysed import Analysed
    from recam_core.checkpoint.run_folder import RunInfo
    from recam_core.data.sample import Dataset

#: How a run is called that bears the name of its method.
_TITLES = {"bce": "BCE-CAM", "sce": "SCE-CAM", "recam": "ReCAM"}


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``report``."""
    parser = subparsers.add_parser(
        "report",
        help="write an analysis of runs as one HTML file",
        description="Scores with intervals, IoU per class, confusion matrices, confused pairs and the worst pictures "
        "of runs on a data set, in one HTML file that opens without a server. Runs are compared with the first. Maps "
        "that ship or were kept before are used; others are made and kept.",
    )
    parser.add_argument("spec", metavar="SPEC", help="the data set, such as scenes@val")
    parser.add_argument("--runs", nargs="+", required=True, type=Path, metavar="RUN", help="run folders")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE.html", help="the report")
    parser.add_argument("--title", default="", help="of the report")
    parser.add_argument(
        "--threshold", type=float, metavar="T", help="one background threshold for all (default: each run's own)"
    )
    parser.add_argument("--rule", metavar="RULE", help="one extraction rule for all (default: each run's own)")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N pictures")
    parser.add_argument("--pictures", type=int, default=4, metavar="N", help="pictures in each gallery (default: 4)")
    parser.add_argument("--pairs", type=int, default=20, metavar="N", help="confused pairs that are listed (20)")
    parser.add_argument("--bootstrap", type=int, default=1000, metavar="N", help="draws behind intervals (1000)")
    parser.add_argument("--device", default="auto", help="auto, cuda, mps or cpu (default: auto)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the report, whole or not at all."""
    from recam_core.checkpoint.run_folder import command_line, read_info
    from recam_core.checkpoint.run_rule import check_rule
    from recam_core.data.spec import open_dataset
    from recam_core.progress import terminal
    from recam_core.report.page import report_html, write_report
    from recam_core.report.report_data import report_data
    from recam_core.scores.evaluate import check_classes

    _check(arguments)
    dataset = open_dataset(arguments.spec)
    if not dataset.has_masks:
        raise UserError(f"{dataset.spec} has no ground-truth masks, so errors cannot be told.")
    # Everything that can be wrong is looked for before the first of what may be hours of inference.
    infos = [read_info(path) for path in arguments.runs]
    for info in infos:
        check_classes(info.class_list, dataset.classes, f"The run {info.name}", f"the data set {dataset.spec}")
        check_rule(info, arguments.rule or info.rule)
    titles = _titles(arguments.runs, infos)
    methods, dataset, chosen = _methods(arguments, infos, titles, dataset)
    with terminal("report") as progress:
        data = report_data(
            methods,
            arguments.threshold,
            chosen=None if chosen is None else [id in chosen for id in methods[0].counts.ids],
            resamples=arguments.bootstrap,
            pairs=arguments.pairs,
            progress=progress,
        )
        page = report_html(
            data,
            dataset,
            title=arguments.title,
            about=f"Only the first {arguments.limit:,} pictures." if arguments.limit else "",
            pictures=arguments.pictures,
            command=command_line(),
            progress=progress,
        )
    write_report(arguments.out, page)
    print(f"Report on {int(data.chosen.sum())} pictures written to {arguments.out} ({len(page) / 1e6:.1f} MB).")
    return 0


def _check(arguments: argparse.Namespace) -> None:
    for name, least in (("limit", 1), ("pictures", 0), ("pairs", 0), ("bootstrap", 1)):
        value = getattr(arguments, name)
        if value is not None and value < least:
            raise UserError(f"--{name} takes a number from {least}, got {value}.")
    if arguments.pictures > 50:
        raise UserError(
            f"--pictures takes up to 50, got {arguments.pictures}: the file would become too large to open."
        )
    if arguments.threshold is not None and not 0 <= arguments.threshold <= 1:
        raise UserError(f"A background threshold lies between 0 and 1, got {arguments.threshold}.")
    if arguments.out.is_dir():
        raise UserError(f"{arguments.out} is a folder; name a file for the report, such as report.html.")


def _titles(paths: Sequence[Path], infos: Sequence[RunInfo]) -> list[str]:
    """What runs are called; the same name twice gets the folder's beside it."""
    names = [_TITLES.get(info.name, info.name) if info.name == info.method else info.name for info in infos]
    titles = [
        name if names.count(name) == 1 else f"{name} ({path.resolve().parent.name}/{path.resolve().name})"
        for name, path in zip(names, paths, strict=True)
    ]
    if len(set(titles)) < len(titles):
        raise UserError(f"The run {next(t for t in titles if titles.count(t) > 1)} is given twice; name it once.")
    return titles


def _methods(
    arguments: argparse.Namespace, infos: Sequence[RunInfo], titles: Sequence[str], dataset: Dataset
) -> tuple[list[Analysed], Dataset, set[str] | None]:
    """The analysis of every run, the pictures it is about, and the ids to choose from it (None for all)."""
    from recam_core.analysis.analysed import analyse, find_analysed, settings_of
    from recam_core.checkpoint.run_folder import load_run
    from recam_core.data.digest import dataset_digest
    from recam_core.data.subset import Subset
    from recam_core.device import pick_device
    from recam_core.progress import terminal

    rules = [arguments.rule or info.rule for info in infos]
    limit = arguments.limit if arguments.limit and arguments.limit < len(dataset) else None
    digest = dataset_digest(dataset)
    found = [
        find_analysed(info, rule, dataset, settings_of(info), title, title, digest)
        for info, rule, title in zip(infos, rules, titles, strict=True)
    ]
    if all(found) and limit:
        return [method for method in found if method], dataset, set(dataset.ids[:limit])
    if limit:
        # What is there of the whole set does not help: the same pictures must be compared.
        dataset = Subset(dataset, range(limit), dataset.spec)
        found = [None] * len(found)
    methods = []
    for path, info, rule, title, ready in zip(arguments.runs, infos, rules, titles, found, strict=True):
        if ready is None:
            with terminal(title) as progress:
                run = load_run(path, pick_device(arguments.device))
                ready = analyse(run, rule, dataset, settings_of(info), progress, title, title)
        methods.append(ready)
    return methods, dataset, None
