"""``analyse`` and ``report``: maps and counts made beforehand, and an analysis as one HTML file or as tables."""

from __future__ import annotations

import argparse
from pathlib import Path

from recam_core.cli.compared_runs import add_filter_options, add_run_options, compared_runs
from recam_core.cli.options import add_band, add_device, write_results
from recam_core.errors import UserError
from recam_core.words import megabytes


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``analyse`` and ``report``."""
    _add_analyse(subparsers)
    _add_report(subparsers)


def _add_report(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "report",
        help="write an analysis of runs as one HTML file, or as CSV",
        description="Scores with intervals, IoU per class, confusion matrices, confused pairs and the worst pictures "
        "of runs on a data set, in one HTML file that opens without a server, or as tables. Runs are compared with the "
        "first. Maps that ship or were kept before are used; others are made and kept.",
    )
    parser.add_argument("spec", metavar="SPEC", help="the data set, such as scenes@val")
    add_run_options(parser)
    parser.add_argument("--out", type=Path, metavar="FILE.html", help="the report")
    parser.add_argument("--csv", type=Path, metavar="DIR", help="folder for the tables")
    parser.add_argument("--title", default="", help="of the report")
    parser.add_argument("--pictures", type=int, default=4, metavar="N", help="pictures in each gallery (default: 4)")
    parser.add_argument("--pairs", type=int, default=20, metavar="N", help="confused pairs that are listed (20)")
    parser.add_argument("--bootstrap", type=int, default=1000, metavar="N", help="draws behind intervals (1000)")
    add_filter_options(parser)
    parser.set_defaults(run=run_report)


def run_report(arguments: argparse.Namespace) -> int:
    """Write the report, whole or not at all."""
    from recam_core.analysis.picture_table import single_class_words
    from recam_core.atomic_write import replacing_file
    from recam_core.checkpoint.run_folder import command_line
    from recam_core.progress import terminal
    from recam_core.report.files import report_tables
    from recam_core.report.page import report_html, write_report
    from recam_core.report.report_data import report_data

    _check(arguments)
    compared = compared_runs(arguments)
    with terminal("report") as progress:
        data = report_data(
            compared.methods,
            arguments.threshold,
            chosen=compared.chosen,
            wanted=compared.wanted,
            with_single=arguments.single_class,
            resamples=arguments.bootstrap,
            pairs=arguments.pairs,
            progress=progress,
        )
        if arguments.out is not None:
            page = report_html(
                data,
                compared.dataset,
                title=arguments.title,
                about=compared.about,
                pictures=arguments.pictures,
                command=command_line(),
                progress=progress,
            )
            write_report(arguments.out, page)
    pictures = int(data.chosen.sum())
    if words := single_class_words(int(data.single.sum()), data.with_single):
        print(words)
    if arguments.out is not None:
        print(f"Report on {pictures} pictures written to {arguments.out} ({megabytes(len(page))}).")
    if arguments.csv is not None:
        tables = report_tables(data)
        for name, table in tables.items():
            with replacing_file(arguments.csv / name) as temporary:
                temporary.write_text(table, encoding="utf-8", newline="")
        print(f"{len(tables)} tables on {pictures} pictures written to {arguments.csv}: {', '.join(tables)}.")
    return 0


def _check(arguments: argparse.Namespace) -> None:
    if arguments.out is None and arguments.csv is None:
        raise UserError("Name a file for the report (--out report.html), a folder for its tables (--csv DIR), or both.")
    for name, least in (("pictures", 0), ("pairs", 0), ("bootstrap", 1)):
        value = getattr(arguments, name)
        if value < least:
            raise UserError(f"--{name} takes a number from {least}, got {value}.")
    if arguments.pictures > 50:
        raise UserError(
            f"--pictures takes up to 50, got {arguments.pictures}: the file would become too large to open."
        )
    if arguments.out is not None and arguments.out.is_dir():
        raise UserError(f"{arguments.out} is a folder; name a file for the report, such as report.html.")
    if arguments.csv is not None and arguments.csv.exists() and not arguments.csv.is_dir():
        raise UserError(f"{arguments.csv} is a file; name a folder for the tables.")


# What reports and the app need, made beforehand -----------------------------------------------------------------------


def _add_analyse(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "analyse",
        help="prepare a data set for error analysis in the app",
        description="Make the maps and pixel counts of runs on a data set and keep them, so that the pages of the app "
        "and `report` open at once. What is kept already is not made again. With --band, the pixels near contours are "
        "counted by themselves, too.",
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="run folders")
    parser.add_argument("--data", required=True, metavar="SPEC", help="the data set, such as scenes@val")
    parser.add_argument(
        "--rule",
        metavar="RULE",
        help="extraction rule, or attribution method with a head, such as grad_cam-fc1 (default: each run's own)",
    )
    parser.add_argument("--to", type=Path, metavar="DIR", help="keep them here, and not in the cache")
    add_band(parser)
    add_device(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was made to FILE")
    parser.set_defaults(run=run_analyse)


def run_analyse(arguments: argparse.Namespace) -> int:
    """Analyse each run; each result is kept whole or not at all."""
    from recam_core.analysis.analysed import analyse, check_maps, settings_of
    from recam_core.analysis.banded import analyse_band
    from recam_core.checkpoint.run_folder import load_run, read_info
    from recam_core.data.spec import open_dataset
    from recam_core.device import pick_device
    from recam_core.progress import terminal
    from recam_core.scores.band import band_words, check_band
    from recam_core.scores.evaluate import check_classes

    if arguments.band is not None:
        check_band(arguments.band)
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
            if arguments.band is not None:
                analyse_band(done, dataset, arguments.band, progress)
        folder = done.store.path.parent
        counted = "" if arguments.band is None else f"; the pixels {band_words(arguments.band)} counted in the cache"
        print(f"{info.name} {rule}: {len(done.store)} pictures in {folder}{counted}")
        made.append({"run": str(path), "rule": rule, "pictures": len(done.store), "folder": str(folder)})
    write_results(arguments.json, {"data": dataset.spec, "band": arguments.band, "analysed": made})
    return 0
