"""``runs``: list, show, rename, star, delete, compare, pack and unpack runs."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recam_core.cli.options import write_results
from recam_core.errors import UserError
from recam_core.words import listing, megabytes

if TYPE_CHECKING:
    from recam_core.analysis.analysed import Analysed
    from recam_core.runs.compare import ScoreComparison
    from recam_core.runs.listed import ListedRun

_METHODS = ("bce", "sce", "recam", "heads")
_ORDERS = ("name", "created", "miou", "method", "data", "size")
_RUN = "a name, a key such as scenes/bce, or a folder"


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``runs`` and what it can do."""
    parser = subparsers.add_parser("runs", help="list, rename, star, delete, compare, export and import runs")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    table = actions.add_parser("list", help="list the runs that ship and your own")
    table.add_argument("words", nargs="*", metavar="WORD", help="words that must occur in name, data or settings")
    table.add_argument("--method", action="append", choices=_METHODS, help="only this method; may be repeated")
    table.add_argument("--starred", action="store_true", help="only starred ones")
    whose = table.add_mutually_exclusive_group()
    whose.add_argument("--own", dest="shipped", action="store_false", default=None, help="only your own")
    whose.add_argument("--shipped", dest="shipped", action="store_true", help="only those that came with the project")
    table.add_argument("--sort", choices=_ORDERS, default="name", help="by what (default: name)")
    table.add_argument("--reverse", action="store_true", help="largest, or last, first")
    table.add_argument("--json", type=Path, metavar="FILE", help="also write the list to FILE")
    table.set_defaults(run=run_list)

    show = actions.add_parser("show", help="print the settings of a run and the command that makes it")
    show.add_argument("name", metavar="RUN", help=_RUN)
    show.add_argument("--json", type=Path, metavar="FILE", help="also write the record to FILE")
    show.set_defaults(run=run_show)

    rename = actions.add_parser("rename", help="give one of your runs another name")
    rename.add_argument("name", metavar="RUN", help=_RUN)
    rename.add_argument("new", metavar="NEW", help="the new name")
    rename.set_defaults(run=run_rename)

    star = actions.add_parser("star", help="star runs, so that they are found quickly")
    star.add_argument("names", nargs="+", metavar="RUN", help=_RUN)
    star.add_argument("--remove", action="store_true", help="take the star away")
    star.set_defaults(run=run_star)

    delete = actions.add_parser("delete", help="delete runs of your own (asks first)")
    delete.add_argument("names", nargs="+", metavar="RUN", help=_RUN)
    delete.add_argument("--yes", action="store_true", help="do not ask")
    delete.set_defaults(run=run_delete)

    compare = actions.add_parser("compare", help="settings and scores of runs side by side")
    compare.add_argument("names", nargs="+", metavar="RUN", help=f"{_RUN}; the others are compared with the first")
    compare.add_argument("--data", metavar="SPEC", help="pictures to compare on, such as scenes@val")
    compare.add_argument("--analyse", action="store_true", help="make the maps and counts that are not kept yet")
    compare.add_argument("--all", action="store_true", help="also print settings that are the same")
    compare.add_argument("--bootstrap", type=int, default=1000, metavar="N", help="draws of pictures (default: 1000)")
    compare.add_argument("--device", default="auto", help="auto, cuda, cuda:1, mps or cpu (--analyse)")
    compare.add_argument("--json", type=Path, metavar="FILE", help="also write the comparison to FILE")
    compare.set_defaults(run=run_compare)

    export = actions.add_parser("export", help="pack a run into a zip")
    export.add_argument("name", metavar="RUN", help=_RUN)
    export.add_argument("file", nargs="?", type=Path, default=Path(), metavar="ZIP", help="the zip, or a folder for it")
    export.set_defaults(run=run_export)

    reader = actions.add_parser("import", help="check a packed run and unpack it among your own")
    reader.add_argument("file", type=Path, metavar="ZIP", help="what `runs export` wrote")
    reader.add_argument("--name", default="", help="what to call it (default: as it was called)")
    reader.set_defaults(run=run_import)


def run_list(arguments: argparse.Namespace) -> int:
    from recam_core.runs.listed import filter_runs, headline, list_runs, sort_runs
    from recam_core.scores.table import aligned

    found = list_runs()
    runs = filter_runs(
        found.runs,
        text=" ".join(arguments.words),
        methods=arguments.method or (),
        starred=arguments.starred,
        shipped=arguments.shipped,
    )
    runs = sort_runs(runs, arguments.sort, arguments.reverse)
    rows = [("", "run", "method", "rule", "mIoU", "on", "data", "from", "made", "MB")]
    for run in runs:
        score = headline(run.info)
        rows.append(
            (
                "*" if run.starred else "",
                run.name,
                run.info.method,
                run.info.rule,
                f"{100 * score.miou:.1f}" if score else "",
                score.split if score else "",
                run.info.data,
                run.info.parent or "",
                run.info.created[:10],
                f"{run.bytes / 1e6:.0f}",
            )
        )
    if runs:
        print(aligned(rows))
    else:
        print("There is no such run." if found.runs else "There are no runs yet.")
    for fault in found.faults:
        print(f"left out: {fault}", file=sys.stderr)
    write_results(arguments.json, [_to_json(run) for run in runs])
    return 0


def run_show(arguments: argparse.Namespace) -> int:
    from recam_core.runs.compare import run_settings
    from recam_core.runs.lineage import again_command
    from recam_core.runs.listed import find_run
    from recam_core.scores.table import in_columns

    run = find_run(arguments.name)
    print(f"{run.name}{' *' if run.starred else ''}: {run.path}")
    print(in_columns([list(row) for row in run_settings(run.info).items()], words=2))
    if run.info.command:
        print(f"\nMade by\n  {run.info.command}")
    print(f"Made again by\n  {again_command(run, 'runs/NEW')}")
    write_results(arguments.json, _to_json(run) | {"record": asdict(run.info)})
    return 0


def run_rename(arguments: argparse.Namespace) -> int:
    from recam_core.runs.change import rename_run
    from recam_core.runs.listed import find_run

    print(f"Renamed to {rename_run(find_run(arguments.name), arguments.new)}.")
    return 0


def run_star(arguments: argparse.Namespace) -> int:
    from recam_core.runs.folder import set_star
    from recam_core.runs.listed import find_run, list_runs

    found, listed = [find_run(name) for name in arguments.names], {run.key for run in list_runs().runs}
    for run in found:
        if run.key not in listed:
            raise UserError(f"{run.path} is not in the list of runs, so it cannot be starred.")
    for run in found:
        set_star(run.key, not arguments.remove)
        print(f"{run.name}: {'no star' if arguments.remove else 'starred'}.")
    return 0


def run_delete(arguments: argparse.Namespace) -> int:
    from recam_core.runs.change import check_deletable, delete_run
    from recam_core.runs.lineage import children_of
    from recam_core.runs.listed import find_run, list_runs

    runs = list({run.key: run for run in map(find_run, arguments.names)}.values())
    for run in runs:
        check_deletable(run)
    everything = list_runs().runs
    for run in runs:
        children = ", ".join(child.name for child in children_of(run, everything) if child not in runs)
        note = f" {children} started from it and could not be made again." if children else ""
        if not arguments.yes and not _agreed(f"Delete {run.path} ({run.bytes / 1e6:.0f} MB) for good?{note}"):
            print(f"{run.name} was left as it is.")
            continue
        delete_run(run)
        print(f"{run.name} was deleted.")
    return 0


def run_compare(arguments: argparse.Namespace) -> int:
    from recam_core.runs.compare import compare_settings
    from recam_core.runs.listed import find_run, headlines
    from recam_core.scores.table import aligned

    runs = list({run.key: run for run in map(find_run, arguments.names)}.values())
    if len(runs) < 2:
        raise UserError("A comparison needs at least two different runs.")
    settings = compare_settings([run.info for run in runs])
    shown = [row for row in settings if row.differs or arguments.all]
    names = [run.name for run in runs]
    if shown:
        print(aligned([["", *names], *([row.name, *(value or "-" for value in row.values)] for row in shown)]))
    else:
        print(f"{listing(names)} do not differ in any setting; --all shows what they have in common.")
    results: dict[str, Any] = {
        "runs": [run.key for run in runs],
        "settings": [{"name": row.name, "values": row.values, "differs": row.differs} for row in settings],
        "recorded": {
            run.key: [{"split": one.split, "rule": one.rule, "miou": one.miou} for one in headlines(run.info)]
            for run in runs
        },
    }
    if arguments.data:
        comparison = _compare_on(runs, arguments)
        print()
        _print_scores(comparison)
        results["scores"] = _scores_to_json(comparison)
    else:
        print("\nWith --data SPEC the scores are compared, too, as in --data scenes@val.")
    write_results(arguments.json, results)
    return 0


def _compare_on(runs: list[ListedRun], arguments: argparse.Namespace) -> ScoreComparison:
    from recam_core.data.digest import dataset_digest
    from recam_core.data.match_classes import match_classes
    from recam_core.data.spec import open_dataset
    from recam_core.progress import terminal
    from recam_core.runs.compare import compare_scores

    dataset = open_dataset(arguments.data)
    for run in runs:
        if not match_classes(dataset.classes, run.info.class_list).is_same:
            raise UserError(f"The classes of {dataset.spec} are not those of the run {run.name}.")
    digest = dataset_digest(dataset)
    methods = [_analysed(run, dataset, digest, arguments) for run in runs]
    with terminal("bootstrap") as progress:
        return compare_scores(methods, dataset.spec, arguments.bootstrap, progress)


def _analysed(run: ListedRun, dataset: Any, digest: str, arguments: argparse.Namespace) -> Analysed:
    from recam_core.analysis.analysed import analyse, find_analysed, settings_of
    from recam_core.checkpoint.run_folder import load_run
    from recam_core.device import pick_device
    from recam_core.progress import terminal

    settings = settings_of(run.info)
    found = find_analysed(run.info, run.info.rule, dataset, settings, run.key, run.name, digest)
    if found is None and not arguments.analyse:
        raise UserError(f"No pixel counts of {run.name} on {dataset.spec} are kept; --analyse makes them.")
    if found is None:
        loaded = load_run(run.path, pick_device(arguments.device))
        with terminal(run.name) as progress:
            found = analyse(loaded, run.info.rule, dataset, settings, progress, run.key, run.name)
    return found


def _print_scores(comparison: ScoreComparison) -> None:
    from recam_core.analysis.gains import RATES
    from recam_core.runs.compare import rate_verdicts, verdicts
    from recam_core.scores.table import aligned, signed

    gain, rates = comparison.gain, comparison.rates
    rows = [("", "threshold", "mIoU", "to the first", "95% interval")]
    for place, title in enumerate(comparison.titles):
        cut = comparison.thresholds[place]
        points = [100 * float(one[place]) for one in (gain.miou_gain, gain.miou_gain_low, gain.miou_gain_high)]
        change = (signed(points[0]), f"{signed(points[1])} to {signed(points[2])}") if place else ("", "")
        rows.append((title, "-" if cut is None else f"{cut:.2f}", f"{100 * float(gain.miou[place]):.1f}", *change))
    print(f"{comparison.data}: {comparison.pictures} pictures, each run at its own threshold")
    print(aligned(rows))
    for sentence in verdicts(comparison):
        print(sentence)
    rows = [("errors, less is better", "", "%", "to the first", "95% interval")]
    for number, name in enumerate(RATES.values()):
        for place, title in enumerate(comparison.titles):
            points = [100 * one[number, place] for one in (rates.change, rates.change_low, rates.change_high)]
            words = [signed(value, 2) for value in points]
            change = (words[0], f"{words[1]} to {words[2]}") if place else ("", "")
            rows.append((title, name, f"{100 * rates.rate[number, place]:.2f}", *change))
    print(f"\n{aligned(rows)}")
    for sentence in rate_verdicts(comparison):
        print(sentence)


def _scores_to_json(comparison: ScoreComparison) -> dict[str, Any]:
    from recam_core.analysis.gains import RATES
    from recam_core.runs.compare import rate_verdicts, verdicts

    gain, rates = comparison.gain, comparison.rates

    def numbers(values: Any) -> list[float | None]:
        return [None if value != value else float(value) for value in values]

    return {
        "data": comparison.data,
        "pictures": comparison.pictures,
        "reference": comparison.keys[0],
        "verdicts": [*verdicts(comparison), *rate_verdicts(comparison)],
        "runs": {
            key: {
                "threshold": comparison.thresholds[place],
                "miou": float(gain.miou[place]),
                "miou_interval": numbers((gain.miou_low[place], gain.miou_high[place])),
                "gain": float(gain.miou_gain[place]),
                "gain_interval": numbers((gain.miou_gain_low[place], gain.miou_gain_high[place])),
                "rates": {
                    name: {
                        "rate": numbers(rates.rate[number, place : place + 1])[0],
                        "rate_interval": numbers((rates.rate_low[number, place], rates.rate_high[number, place])),
                        "change": numbers(rates.change[number, place : place + 1])[0],
                        "change_interval": numbers((rates.change_low[number, place], rates.change_high[number, place])),
                    }
                    for number, name in enumerate(RATES)
                },
                "class_gain": dict(zip(gain.names, numbers(gain.gain[place]), strict=True)),
                "class_gain_low": dict(zip(gain.names, numbers(gain.gain_low[place]), strict=True)),
                "class_gain_high": dict(zip(gain.names, numbers(gain.gain_high[place]), strict=True)),
            }
            for place, key in enumerate(gain.keys)
        },
    }


def run_export(arguments: argparse.Namespace) -> int:
    from recam_core.runs.listed import find_run
    from recam_core.runs.run_zip import export_run

    file = export_run(find_run(arguments.name), arguments.file)
    print(f"{file}: {megabytes(file.stat().st_size)}.")
    return 0


def run_import(arguments: argparse.Namespace) -> int:
    from recam_core.runs.run_zip import import_run

    print(f"Imported as {import_run(arguments.file, arguments.name)}.")
    return 0


def _to_json(run: ListedRun) -> dict[str, Any]:
    from recam_core.runs.listed import headline

    score = headline(run.info)
    return {
        "key": run.key,
        "path": str(run.path),
        "shipped": run.shipped,
        "starred": run.starred,
        "bytes": run.bytes,
        "method": run.info.method,
        "rule": run.info.rule,
        "data": run.info.data,
        "parent": run.info.parent,
        "created": run.info.created,
        "miou": None if score is None else score.miou,
        "split": None if score is None else score.split,
    }


def _agreed(question: str) -> bool:
    """Whether the person says yes; no answer (the input is no person) is a no."""
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False
