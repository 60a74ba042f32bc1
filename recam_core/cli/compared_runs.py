"""Runs that are compared on a data set: what they are called, and their maps and counts."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recam_core.cli.filter_options import filter_from
from recam_core.cli.output import print_notes
from recam_core.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from recam_core.analysis.analysed import Analysed
    from recam_core.analysis.picture_filter import PictureFilter
    from recam_core.checkpoint.run_folder import RunInfo
    from recam_core.data.sample import ClassList, Dataset


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """``--runs``, ``--threshold``, ``--rule`` and ``--device``."""
    parser.add_argument("--runs", nargs="+", required=True, type=Path, metavar="RUN", help="run folders")
    parser.add_argument(
        "--threshold", type=float, metavar="T", help="one background threshold for all (default: each run's own)"
    )
    parser.add_argument(
        "--rule",
        metavar="RULE",
        help="one extraction rule for all, or an attribution method with a head, such as grad_cam-fc1 (default: each "
        "run's own)",
    )
    parser.add_argument("--device", default="auto", help="auto, cuda, cuda:1, mps or cpu (default: auto)")


def check_threshold(threshold: float | None) -> None:
    """Raise UserError for a background threshold that is none."""
    if threshold is not None and not 0 <= threshold <= 1:
        raise UserError(f"A background threshold lies between 0 and 1, got {threshold}.")


def checked_infos(paths: Sequence[Path], rule: str | None, classes: ClassList, what: str) -> list[RunInfo]:
    """The records of runs, after all that can be wrong was looked for: inference may take hours.

    Args:
        paths: run folders.
        rule: asked for, or None for each run's own.
        classes: that the runs must have.
        what: has these classes, for messages.

    Raises:
        UserError: no run, other classes, or a rule that a run cannot be read by.
    """
    from recam_core.analysis.analysed import check_maps
    from recam_core.checkpoint.run_folder import read_info
    from recam_core.scores.evaluate import check_classes

    infos = [read_info(path) for path in paths]
    for info in infos:
        check_classes(info.class_list, classes, f"The run {info.name}", what)
        check_maps(info, rule or info.rule)
    return infos


@dataclass(frozen=True)
class Compared:
    """Runs on a data set, ready for :func:`recam_core.report.report_data.report_data`.

    Attributes:
        dataset: the pictures.
        methods: one a run; their titles are their keys.
        chosen: N bools, the pictures that ``--limit`` leaves; None for all.
        wanted: what the filters ask for; None for nothing.
        about: ``--limit`` and the filters in words.
    """

    dataset: Dataset
    methods: list[Analysed]
    chosen: np.ndarray | None
    wanted: PictureFilter | None
    about: str


def compared_runs(arguments: argparse.Namespace) -> Compared:
    """Runs with their maps and counts of a data set: those that ship or were kept, or else made now and kept.

    Args:
        arguments: with ``spec`` and the options of :func:`add_run_options` and
            :func:`~recam_core.cli.filter_options.add_filter_options`.

    Raises:
        UserError: data without masks, runs that do not fit it, filters that cannot be.
    """
    import numpy as np

    from recam_core.analysis.picture_filter import filter_words
    from recam_core.data.check import refuse_unscorable
    from recam_core.data.spec import open_dataset
    from recam_core.runs.listed import run_titles

    check_threshold(arguments.threshold)
    dataset = open_dataset(arguments.spec)
    if not dataset.has_masks:
        raise UserError(f"{dataset.spec} has no ground-truth masks, so errors cannot be told.")
    refuse_unscorable(dataset)
    print_notes(dataset)
    infos = checked_infos(arguments.runs, arguments.rule, dataset.classes, f"the data set {dataset.spec}")
    titles = run_titles(arguments.runs, infos)
    wanted = filter_from(arguments, titles, dataset.classes)
    about = [f"Only the first {arguments.limit:,} pictures."] if arguments.limit else []
    about.append(filter_words(wanted, dataset.classes, {title: title for title in titles}))
    methods, dataset, some = _analysed(arguments, infos, titles, dataset)
    return Compared(
        dataset,
        methods,
        None if some is None else np.array([id in some for id in methods[0].counts.ids], dtype=bool),
        None if wanted.is_empty else wanted,
        " ".join(filter(None, about)),
    )


def _analysed(
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
