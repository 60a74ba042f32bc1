"""``python -m recam_core why``: why a place of a picture is called one class and not another."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recam_core.cli.compared_runs import add_run_options
from recam_core.cli.one_picture import add_picture_options, class_numbers, seen_by_runs
from recam_core.cli.options import write_table
from recam_core.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from recam_core.data.sample import ClassList


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``why``."""
    parser = subparsers.add_parser(
        "why",
        help="say why a pixel is called one class and not another, by channels",
        description="At a pixel of a picture, what each channel of the features adds to the map of one class less that "
        "of another, for one run or for two (before and after). Without --pixel, the largest wrong region of the first "
        "run is asked about, the one first of which the second run has most right.",
    )
    add_run_options(parser)
    add_picture_options(parser)
    question = parser.add_argument_group("the question")
    question.add_argument("--pixel", nargs=2, type=int, metavar=("COLUMN", "ROW"), help="the pixel, from 0")
    question.add_argument("--called", metavar="CLASS", help="the class that it is called (default: what the map gives)")
    question.add_argument("--instead-of", metavar="CLASS", help="the class that it is not (default: the truth)")
    question.add_argument("--most", type=int, default=8, metavar="N", help="channels that are printed (default: 8)")
    question.add_argument("--csv", type=Path, metavar="FILE", help="write every channel of every run to FILE")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the sentence and the channels."""
    from recam_core.analysis.csv_tables import csv_text
    from recam_core.analysis.why import (
        Answer,
        contributions,
        map_rows,
        one_pixel,
        place_weights,
        proposed_classes,
        table_rows,
        why_sentence,
    )
    from recam_core.checkpoint.run_folder import load_run
    from recam_core.device import pick_device
    from recam_core.maps.activation_maps import argmax_and_activation, seed_mask
    from recam_core.maps.inference import maps_from_features, picture_features, predicted_classes
    from recam_core.method.extraction import map_weights
    from recam_core.scores.thresholds import shown_threshold

    if len(arguments.runs) > 2:
        raise UserError(f"One run is asked, or two, before and after: {len(arguments.runs)} were given.")
    if arguments.most < 1:
        raise UserError(f"--most takes a number from 1, got {arguments.most}.")
    seen = seen_by_runs(arguments)
    classes, mask, device = seen.classes, seen.sample.mask, pick_device(arguments.device)
    if len(classes) < 2:
        raise UserError("These runs know a single class, so there is no other one to ask about.")
    named = [
        class_numbers([name], classes, option)[0] if name else None
        for name, option in ((arguments.called, "--called"), (arguments.instead_of, "--instead-of"))
    ]
    if named[0] == named[1] is not None:
        raise UserError(f"--called and --instead-of both name {arguments.called!r}: name two different classes.")
    chosen = [(info.threshold, info.rule) for info in seen.infos]
    present, features, rows, all_maps, seeds, sets = seen.present, [], [], [], [], []
    for path, info, rule in zip(arguments.runs, seen.infos, seen.rules, strict=True):
        network = load_run(path, device).network
        features.append(picture_features(network, seen.sample.image))
        if not present:
            present = tuple(predicted_classes(features[0], softmax=info.method == "sce").tolist())
        fc1, fc2 = network.fc1.detach(), None if network.fc2 is None else network.fc2.detach()
        weights = map_weights(rule, fc1, fc2)
        all_maps.append(maps_from_features(features[-1], weights, present, seen.sample.id))
        threshold = shown_threshold(rule, [(info.threshold, info.rule), *chosen], classes)
        if arguments.threshold is not None and classes.has_background:
            threshold = arguments.threshold
        seeds.append(seed_mask(*argmax_and_activation(all_maps[-1]), threshold))
        rows.append(map_rows(weights))
        sets.append({"FC1": fc1} | ({} if fc2 is None else {"FC2": fc2[: len(classes)]}))
    column, row = _pixel(arguments, seeds, mask, classes, named)
    place = place_weights(features[0].size, one_pixel(features[0].size, column, row))
    truth = None if mask is None else int(mask[row, column])
    a, b = proposed_classes(all_maps[0], int(seeds[0][row, column]), truth, column, row, classes)
    a, b = a if named[0] is None else named[0], b if named[1] is None else named[1]
    if a == b:
        option, what = ("--instead-of", "it is") if named[1] is None else ("--called", "it is called")
        raise UserError(f"At column {column}, row {row}, {classes.names[a]!r} is what {what}, too: say {option}.")
    answers, tables = [], []
    for number, title in enumerate(seen.titles):
        map_of, divided = rows[number]
        found = contributions(features[number], map_of, a, b, place, divided=divided)
        answers.append(Answer(title, int(seeds[number][row, column]), found, divided))
        heads = [(name, contributions(features[number], one, a, b, place)) for name, one in sets[number].items()]
        tables.append((title, found, [(f"map ({seen.rules[number]})", found), *heads]))
    print(f"{seen.sample.id}, column {column}, row {row}: why {classes.names[a]} and not {classes.names[b]}?")
    print(why_sentence(answers, a, b, truth, classes))
    lines = []
    for title, found, each in tables:
        top = [*found.strongest(arguments.most).tolist(), *found.strongest(arguments.most, for_b=True).tolist()]
        sides = f"{classes.names[a]} less {classes.names[b]}"
        print(f"\n{title}: contributions to {sides}; those of all channels sum to {found.difference:+.4g}")
        for c in top:
            print(f"{found.values[c]:+10.4g}  channel {c} (activation {found.activation[c]:.4g})")
        for name, one in each:
            lines += [[title, name, *line] for line in table_rows([("", one)], range(len(one.values)))]
    header = ["run", "weights", "channel", "activation", classes.names[a], classes.names[b], "contribution"]
    write_table(arguments.csv, csv_text(header, lines))
    return 0


def _pixel(
    arguments: argparse.Namespace,
    seeds: list[np.ndarray],
    mask: np.ndarray | None,
    classes: ClassList,
    named: Sequence[int | None],
) -> tuple[int, int]:
    """The pixel that is named, or that the largest wrong region proposes."""
    from recam_core.analysis.wrong_regions import wrong_regions

    if arguments.pixel is not None:
        return tuple(arguments.pixel)
    if mask is None:
        raise UserError("This picture has no ground truth, so no region is known to be wrong: name one by --pixel.")
    called, instead_of = (None if k is None else k + 1 for k in named)
    after = seeds[1] if len(seeds) > 1 else None
    found = wrong_regions(seeds[0], mask, classes.has_background, after=after, truth=instead_of, taken_for=called)
    if not found:
        raise UserError("The first run has no such wrong region in this picture: name a pixel by --pixel.")
    return found[0].column, found[0].row
