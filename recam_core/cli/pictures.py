"""``pictures`` and ``striking``: the pictures behind a confusion, and those on which a second run gains most."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from recam_core.cli.compared_runs import add_filter_options, add_run_options, compared_runs
from recam_core.cli.options import write_table
from recam_core.errors import UserError

if TYPE_CHECKING:
    from recam_core.cli.compared_runs import ComparedRuns
    from recam_core.data.sample import ClassList
    from recam_core.report.report_data import ReportData


#: Errors by the words of the command line.
_KINDS = {"false-positives": "false_positive", "wrong-class": "wrong_class", "false-negatives": "false_negative"}
ANY_KIND = "any"


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``pictures`` and ``striking``."""
    _add_pictures(subparsers)
    _add_striking(subparsers)


def _add_pictures(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "pictures",
        help="list the pictures behind a confusion, worst first",
        description="The pictures with most pixels of one class that were taken for another, worst first, by the last "
        "of the runs. With --truth alone: false negatives of a class; with --taken-for alone: its false positives. "
        "With --taken-back or --lost: the pixels that the first run has wrong and the last one right, or the reverse.",
    )
    parser.add_argument("spec", metavar="SPEC", help="the data set, such as scenes@val")
    add_run_options(parser)
    parser.add_argument("--truth", metavar="CLASS", help="what the pixels are; background is a class here")
    parser.add_argument("--taken-for", metavar="CLASS", help="what they were given to")
    moved = parser.add_mutually_exclusive_group()
    for option, words in (
        ("--taken-back", "pixels that the first run has wrong and the last one right"),
        ("--lost", "pixels that the first run has right and the last one wrong"),
    ):
        moved.add_argument(
            option,
            nargs="?",
            const=ANY_KIND,
            choices=(ANY_KIND, *_KINDS),
            metavar="KIND",
            help=f"{words}, of these errors: {', '.join(_KINDS)} (default: any)",
        )
    parser.add_argument("--most", type=int, default=20, metavar="N", help="lines that are printed (default: 20)")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write all of them to FILE")
    add_filter_options(parser)
    parser.set_defaults(run=run_pictures)


def run_pictures(arguments: argparse.Namespace) -> int:
    """Print the list."""
    from recam_core.analysis.cell_index import CellIndex
    from recam_core.analysis.csv_tables import cell_csv
    from recam_core.analysis.picture_table import single_class_words
    from recam_core.data.spec import open_dataset
    from recam_core.report.report_data import report_data

    kind, lost = arguments.taken_back or arguments.lost, arguments.lost is not None
    if arguments.truth is None and arguments.taken_for is None and kind is None:
        raise UserError(
            "Name the pixels: --truth CLASS (what they are), --taken-for CLASS, or both; or --taken-back or --lost."
        )
    if kind is not None and len(arguments.runs) < 2:
        raise UserError("--taken-back and --lost compare the last of --runs with the first; name two runs.")
    if arguments.most < 1:
        raise UserError(f"--most takes a number from 1, got {arguments.most}.")
    # Names are looked at before what may be hours of inference.
    classes = open_dataset(arguments.spec).classes
    truth, predicted = (_value(name, classes) for name in (arguments.truth, arguments.taken_for))
    compared = compared_runs(arguments)
    ids = compared.methods[0].counts.ids
    data = report_data(
        compared.methods,
        arguments.threshold,
        chosen=compared.chosen,
        wanted=compared.wanted,
        with_single=arguments.single_class,
        resamples=1,
        pairs=0,
    )
    if kind is not None:
        return _moved(arguments, compared, data, truth, predicted, _KINDS.get(kind), lost)
    subject = data.subject
    index, threshold = CellIndex.of(subject.counts), data.cuts[subject.key].threshold
    if truth is not None and predicted is not None:
        positions, pixels = index.pictures(truth, predicted, threshold, data.listed)
    elif truth is not None:
        positions, pixels = index.false_negatives(truth - 1, threshold, data.listed)
    else:
        assert predicted is not None  # one of the two is named
        positions, pixels = index.false_positives(predicted - 1, threshold, data.listed)
    at = "" if threshold is None else f" at threshold {threshold:.2f}"
    what = f"{arguments.truth or 'anything else'} taken for {arguments.taken_for or 'anything else'}"
    print(f"{what} by {subject.title}{at}: {int(pixels.sum()):,} pixels in {len(positions):,} pictures")
    for position, count in zip(positions[: arguments.most].tolist(), pixels.tolist(), strict=False):
        print(f"{count:>10,}  {ids[position]}")
    if len(positions) > arguments.most:
        print(f"and {len(positions) - arguments.most:,} more; --csv FILE writes all.")
    if words := single_class_words(int(data.single.sum()), data.with_single):
        print(words)
    write_table(arguments.csv, cell_csv(ids, positions, pixels))
    return 0


def _moved(
    arguments: argparse.Namespace,
    compared: ComparedRuns,
    data: ReportData,
    truth: int | None,
    predicted: int | None,
    kind: str | None,
    lost: bool,
) -> int:
    """Print the pictures with most pixels that were taken back, or lost."""
    from recam_core.analysis.csv_tables import moved_csv
    from recam_core.analysis.joint_counts import joint_at
    from recam_core.analysis.taken_back import KIND_WORDS, taken_back
    from recam_core.progress import terminal
    from recam_core.scores.metrics import value_names

    first, last = data.reference, data.subject
    before, after = data.cuts[first.key].threshold, data.cuts[last.key].threshold
    with terminal("pixel by pixel") as progress:
        found = taken_back(joint_at(first, last, before, after, compared.dataset, progress))
    positions, pixels = found.pictures(truth, predicted, kind=kind, lost=lost, chosen=data.chosen)
    names = value_names(data.classes)
    what = f"{arguments.truth or 'anything'} taken for {arguments.taken_for or 'anything else'}"
    if truth is None and predicted is None:
        what = "pixels" if kind is None else KIND_WORDS[kind]
    elif kind is not None:
        what += f" ({KIND_WORDS[kind]})"
    words = f"lost by {last.title} against {first.title}" if lost else f"of {first.title} taken back by {last.title}"
    at = "" if before is None or after is None else f" at thresholds {before:.2f} and {after:.2f}"
    print(f"{what} {words}{at}: {int(pixels.sum()):,} pixels in {len(positions):,} pictures")
    cell = found.moved_cell(lost)
    for place, count in list(zip(positions.tolist(), pixels.tolist(), strict=True))[: arguments.most]:
        moved = f"{names[cell.truth[place]]} taken for {names[cell.taken_for[place]]}"
        shares = f"{cell.before[place]:.0%} before, {cell.after[place]:.0%} after"
        print(f"{count:>10,}  {found.ids[place]}  (most: {moved}, {shares})")
    if len(positions) > arguments.most:
        print(f"and {len(positions) - arguments.most:,} more; --csv FILE writes all.")
    write_table(arguments.csv, moved_csv(found, positions, pixels, lost))
    return 0


def _value(name: str | None, classes: ClassList) -> int | None:
    """The number of a class in masks; None for any."""
    from recam_core.scores.metrics import value_names

    if name is None:
        return None
    names = value_names(classes)
    if name not in names:
        raise UserError(f"There is no class {name!r}; there are {', '.join(names)}.")
    return names.index(name)


# Pictures on which a second run gains most ----------------------------------------------------------------------------


def _add_striking(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser(
        "striking",
        help="list the pictures on which the second of two runs gains most",
        description="Of each picture, the pixels that the second run has right and the first wrong, less those that it "
        "loses, in per cent of the pixels that count; largest first, with a sentence each, and the worst at the end. "
        "By this rule Explore chooses what it opens with.",
    )
    parser.add_argument("spec", metavar="SPEC", help="the data set, such as scenes:stuff=1@val")
    add_run_options(parser)
    parser.add_argument("--most", type=int, default=5, metavar="N", help="pictures that are printed (default: 5)")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the gain of every picture to FILE")
    add_filter_options(parser)
    parser.set_defaults(run=run_striking)


def run_striking(arguments: argparse.Namespace) -> int:
    """Print the list."""
    from dataclasses import replace

    import numpy as np

    from recam_core.analysis.csv_tables import csv_text
    from recam_core.analysis.shown_first import Standing, standing
    from recam_core.analysis.taken_back import change_sentence, what_changed
    from recam_core.maps.activation_maps import argmax_and_activation, seed_mask
    from recam_core.report.report_data import report_data
    from recam_core.scores.band import within_band

    if len(arguments.runs) != 2:
        raise UserError(f"Two runs are compared: --runs FIRST SECOND. {len(arguments.runs)} were given.")
    if arguments.most < 1:
        raise UserError(f"--most takes a number from 1, got {arguments.most}.")
    compared = compared_runs(arguments)
    data = report_data(
        compared.methods, arguments.threshold, chosen=compared.chosen, wanted=compared.wanted, resamples=1, pairs=0
    )
    # As they are cut for the report: where a run has no threshold of its own, with a usual one.
    first, second = (replace(one, threshold=data.cuts[one.key].threshold) for one in compared.methods)
    every, some = standing(first, second), np.flatnonzero(data.chosen)
    found = Standing(tuple(every.ids[place] for place in some.tolist()), every.gain[some])
    better, worse = int((found.gain > 0).sum()), int((found.gain < 0).sum())
    print(
        f"{second.title} against {first.title} on {len(found.ids):,} pictures: {100 * found.mean:+.2f} per cent of the "
        f"pixels on the mean; better on {better:,}, worse on {worse:,}"
    )
    gains = dict(zip(found.ids, found.gain.tolist(), strict=True))
    places = {id: place for place, id in enumerate(compared.dataset.ids)}
    shown = list(found.striking[: arguments.most])
    if found.worst is not None:
        shown.append(found.worst)
    for id in shown:
        mask = compared.dataset.mask(places[id])
        before, after = (seed_mask(*argmax_and_activation(one.store[id]), one.threshold) for one in (first, second))
        change = None
        if mask is not None:
            change = what_changed(before, after, within_band(mask, first.band), compared.dataset.classes)
        words = "" if change is None else change_sentence(change, compared.dataset.classes, first.title, second.title)
        print(f"{100 * gains[id]:+7.2f}  {id}  {words}")
    write_table(arguments.csv, csv_text(["id", "gain"], gains.items()))
    return 0
