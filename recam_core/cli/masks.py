"""``python -m recam_core masks``: pseudo masks of a data set, refined, scored and written."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from recam_core.cli.inference_options import add_inference_options, rules_for, settings_for
from recam_core.cli.output import print_notes, write_results
from recam_core.errors import UserError

if TYPE_CHECKING:
    from recam_core.checkpoint.run_folder import Run
    from recam_core.data.sample import Dataset
    from recam_core.scores.evaluate import Evaluation, Tally


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``masks``."""
    from recam_core.refine.finishes import FINISHES

    parser = subparsers.add_parser(
        "masks",
        help="refine maps by the colours of the pictures; score and write the pseudo masks",
        description="Make the maps of a run, finish them, score each finish beside the others, and write the masks in "
        "the layout of VOC. Finishes: " + "; ".join(f"{name}: {one.about}" for name, one in FINISHES.items()),
    )
    parser.add_argument("run_folder", type=Path, metavar="RUN", help="a run folder")
    parser.add_argument("--data", required=True, metavar="SPEC", help="the data set, such as scenes@train")
    parser.add_argument(
        "--finish",
        action="append",
        choices=tuple(FINISHES),
        help="repeat it for several; the last one is written (default: none and pamr)",
    )
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--threshold", type=float, metavar="T", help="background threshold of the masks")
    chosen.add_argument(
        "--select", metavar="SPEC", help="choose each finish's threshold on these pictures, such as scenes@train.select"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write the masks there")
    parser.add_argument(
        "--with-pictures", action="store_true", help="write the pictures, too, so that DIR opens as a data set"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the scores to FILE")
    add_inference_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Choose thresholds, make the masks, score and write them."""
    from recam_core.checkpoint.run_folder import load_run
    from recam_core.data.spec import open_dataset
    from recam_core.device import pick_device
    from recam_core.refine.finishes import FINISHES
    from recam_core.scores.evaluate import check_classes
    from recam_core.scores.table import summary_table

    finishes = list(dict.fromkeys(arguments.finish or ("none", "pamr")))
    dataset = open_dataset(arguments.data)
    loaded = load_run(arguments.run_folder, pick_device(arguments.device))
    rule = _only_rule(rules_for(arguments, loaded.info))
    check_classes(
        loaded.info.class_list, dataset.classes, f"The run {loaded.info.name}", f"the data set {dataset.spec}"
    )
    thresholds = _thresholds(loaded, dataset, rule, finishes, arguments)
    tallies = _pass(loaded, dataset, rule, finishes, arguments, thresholds)
    evaluations: list[Evaluation] = []
    if dataset.has_masks:
        origin = f"chosen on {arguments.select}" if arguments.select else "given"
        for finish in finishes:
            name = (
                f"{loaded.info.name} {rule}, {FINISHES[finish].title}"
                if finish != "none"
                else f"{loaded.info.name} {rule}"
            )
            found = tallies[finish].evaluation(name, threshold=thresholds.get(finish), threshold_from=origin)
            evaluations.append(found)
        print(summary_table(evaluations))
    else:
        print(f"{dataset.spec} has no ground truth, so the masks were not scored.")
    print_notes(dataset)
    if arguments.out is not None:
        at = thresholds.get(finishes[-1])
        print(
            f"Masks ({FINISHES[finishes[-1]].title}) written to {arguments.out}"
            + (f" at a background threshold of {at:.2f}." if at is not None else ", every pixel to its arg-max class.")
        )
    write_results(
        arguments.json,
        {
            "data": dataset.spec,
            "run": loaded.info.name,
            "rule": rule,
            "evaluations": {
                finish: found.to_json() for finish, found in zip(finishes, evaluations, strict=bool(evaluations))
            },
        },
    )
    return 0


def _only_rule(rules: list[str]) -> str:
    if len(rules) > 1:
        raise UserError("Masks are made by one extraction rule; name one --rule.")
    return rules[0]


def _thresholds(
    loaded: Run, dataset: Dataset, rule: str, finishes: list[str], arguments: argparse.Namespace
) -> dict[str, float]:
    """The background threshold of each finish, as far as one is known before the masks are made."""
    from recam_core.data.spec import open_dataset
    from recam_core.maps.activation_maps import threshold_level
    from recam_core.scores.evaluate import check_classes

    if not dataset.classes.has_background:
        if arguments.threshold is not None or arguments.select:
            raise UserError(f"{dataset.spec} has no background class: every pixel goes to its arg-max class.")
        return {}
    if arguments.threshold is not None:
        threshold_level(arguments.threshold)
        return dict.fromkeys(finishes, arguments.threshold)
    if arguments.select:
        part = open_dataset(arguments.select)
        if not part.has_masks:
            raise UserError(f"{part.spec} has no ground-truth masks, so no threshold can be chosen on it.")
        check_classes(dataset.classes, part.classes, f"The data set {dataset.spec}", f"the data set {part.spec}")
        tallies = _pass(loaded, part, rule, finishes, argparse.Namespace(**{**vars(arguments), "out": None}), {})
        best = {finish: tallies[finish].evaluation().best.threshold for finish in finishes}
        return {finish: value for finish, value in best.items() if value is not None}
    known = {}
    if loaded.info.threshold is not None and rule == loaded.info.rule and "none" in finishes:
        known["none"] = loaded.info.threshold
    if arguments.out is not None and finishes[-1] not in known:
        raise UserError(
            "Masks are written at a background threshold, and one that fits the maps does not fit what a finish makes "
            "of them: choose it with --select SPEC, a part of train with ground truth, or give one with --threshold."
        )
    if arguments.out is None and not dataset.has_masks:
        raise UserError(
            f"{dataset.spec} has no ground truth to score masks against; name a folder for them with --out."
        )
    return known


def _pass(
    loaded: Run,
    dataset: Dataset,
    rule: str,
    finishes: list[str],
    arguments: argparse.Namespace,
    thresholds: dict[str, float],
) -> dict[str, Tally]:
    """One pass over a data set: the counts of each finish and, where a folder is named, the masks of the last."""
    from recam_core.maps.activation_maps import seed_mask
    from recam_core.progress import terminal
    from recam_core.refine.finishes import finished_of_dataset
    from recam_core.report.mask_set import writing_mask_set
    from recam_core.scores.evaluate import Tally

    settings = settings_for(arguments, loaded.info)
    tallies = {finish: Tally(dataset.classes) for finish in finishes}
    total = min(arguments.limit or len(dataset), len(dataset))
    with ExitStack() as stack:
        writer = None
        if arguments.out is not None:
            about = {
                "run": loaded.info.name,
                "weights_sha256": loaded.info.weights_sha256,
                "rule": rule,
                "data": dataset.spec,
                "finish": finishes[-1],
                "threshold": thresholds.get(finishes[-1]),
                "settings": asdict(settings),
            }
            split = dataset.spec.rpartition("@")[2] if "@" in dataset.spec else "all"
            writing = writing_mask_set(arguments.out, dataset.classes, split, about, arguments.with_pictures)
            writer = stack.enter_context(writing)
        progress = stack.enter_context(terminal(f"{loaded.info.name}, {dataset.spec}"))
        pictures = finished_of_dataset(loaded.network, dataset, rule, finishes, settings, arguments.limit)
        for done, (sample, found) in enumerate(pictures, start=1):
            for finish, levels in found.items():
                tallies[finish].add_levels(sample.id, *levels, sample.mask)
            if writer is not None:
                writer.add(sample, seed_mask(*found[finishes[-1]], thresholds.get(finishes[-1])))
            progress(done, total, "")
    return tallies
