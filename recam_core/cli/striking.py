"""``python -m recam_core striking``: where a second run does better than a first, and where worse."""

from __future__ import annotations

import argparse
from pathlib import Path

from recam_core.cli.compared_runs import add_run_options, compared_runs
from recam_core.cli.filter_options import add_filter_options
from recam_core.cli.output import write_table
from recam_core.errors import UserError


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``striking``."""
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
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the list."""
    from dataclasses import replace

    import numpy as np

    from recam_core.analysis.csv_tables import csv_text
    from recam_core.analysis.shown_first import Standing, standing
    from recam_core.analysis.taken_back import change_sentence, what_changed
    from recam_core.maps.activation_maps import argmax_and_activation, seed_mask
    from recam_core.report.report_data import report_data

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
        change = None if mask is None else what_changed(before, after, mask, compared.dataset.classes)
        words = "" if change is None else change_sentence(change, compared.dataset.classes, first.title, second.title)
        print(f"{100 * gains[id]:+7.2f}  {id}  {words}")
    write_table(arguments.csv, csv_text(["id", "gain"], gains.items()))
    return 0
