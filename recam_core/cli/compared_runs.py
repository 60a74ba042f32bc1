"""Runs that are compared on a data set: what they are called, their maps and counts, and which pictures count."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recam_core.cli.options import add_band, add_device, print_notes
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
    add_device(parser)


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
class ComparedRuns:
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


def compared_runs(arguments: argparse.Namespace) -> ComparedRuns:
    """Runs with their maps and counts of a data set: those that ship or were kept, or else made now and kept.

    Args:
        arguments: with ``spec`` and the options of :func:`add_run_options` and
            :func:`~recam_core.cli.compared_runs.add_filter_options`.

    Raises:
        UserError: data without masks, runs that do not fit it, filters that cannot be.
    """
    import numpy as np

    from recam_core.analysis.picture_filter import filter_words
    from recam_core.data.check import refuse_unscorable
    from recam_core.data.spec import open_dataset
    from recam_core.runs.listed import run_titles
    from recam_core.scores.band import band_words, check_band

    check_threshold(arguments.threshold)
    if arguments.band is not None:
        check_band(arguments.band)
    dataset = open_dataset(arguments.spec)
    if not dataset.has_masks:
        raise UserError(f"{dataset.spec} has no ground-truth masks, so errors cannot be told.")
    refuse_unscorable(dataset)
    print_notes(dataset)
    infos = checked_infos(arguments.runs, arguments.rule, dataset.classes, f"the data set {dataset.spec}")
    titles = run_titles(arguments.runs, infos)
    wanted = filter_from(arguments, titles, dataset.classes)
    about = [f"Only the first {arguments.limit:,} pictures."] if arguments.limit else []
    if arguments.band is not None:
        about.append(f"Only pixels {band_words(arguments.band)} count.")
    about.append(filter_words(wanted, dataset.classes, {title: title for title in titles}))
    methods, dataset, some = _analysed(arguments, infos, titles, dataset)
    if arguments.band is not None:
        methods = _within_band(methods, dataset, arguments.band)
    return ComparedRuns(
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


def _within_band(methods: Sequence[Analysed], dataset: Dataset, band: int) -> list[Analysed]:
    """Each method with the pixels of the band counted alone."""
    from recam_core.analysis.banded import analyse_band
    from recam_core.progress import terminal

    found = []
    for method in methods:
        with terminal(method.title) as progress:
            found.append(analyse_band(method, dataset, band, progress))
    return found


# Options that choose pictures by what they show and how methods do on them --------------------------------------------


def add_filter_options(parser: argparse.ArgumentParser) -> None:
    """``--classes``, ``--any-class``, ``--number``, ``--size``, ``--score``, ``--score-of``, ``--worse``, ``--by``,
    ``--limit``, ``--single-class`` and ``--band``.
    """
    group = parser.add_argument_group("which pictures", "Pictures that meet all of these count; without any, all do.")
    group.add_argument("--classes", nargs="+", default=[], metavar="NAME", help="the picture shows all these classes")
    group.add_argument("--any-class", action="store_true", help="it shows at least one of them")
    group.add_argument("--number", nargs=2, type=int, metavar=("LEAST", "MOST"), help="how many classes it shows")
    group.add_argument(
        "--size",
        nargs=2,
        type=float,
        metavar=("LEAST", "MOST"),
        help="per cent of the picture that one of --classes covers (without it, any class)",
    )
    group.add_argument("--score", nargs=2, type=float, metavar=("LEAST", "MOST"), help="its mIoU in per cent")
    group.add_argument("--score-of", metavar="RUN", help="by this run (default: the first)")
    group.add_argument("--worse", nargs=2, metavar=("RUN", "RUN"), help="the first has a lower mIoU than the second")
    group.add_argument("--by", type=float, default=0.0, metavar="POINTS", help="with --worse: by at least so much")
    group.add_argument("--limit", type=int, metavar="N", help="only the first N pictures")
    group.add_argument(
        "--single-class",
        action="store_true",
        help="let pictures of a single class and no background, which every method has right, stand in lists and means "
        "of pictures; what is pooled over all pixels always holds them",
    )
    add_band(group)


def filter_from(arguments: argparse.Namespace, titles: Sequence[str], classes: ClassList) -> PictureFilter:
    """What was asked for.

    Args:
        arguments: with the options above and ``runs``.
        titles: of these runs; they are the keys of methods.
        classes: of the data set.

    Raises:
        UserError: a class or run that is not there, or a number out of range.
    """
    from recam_core.analysis.picture_filter import PictureFilter

    unknown = next((name for name in arguments.classes if name not in classes.names), None)
    if unknown is not None:
        raise UserError(f"The data set has no class {unknown!r}; its classes are {', '.join(classes.names)}.")
    if arguments.limit is not None and arguments.limit < 1:
        raise UserError(f"--limit takes a number from 1, got {arguments.limit}.")
    if not 0 <= arguments.by <= 100:
        raise UserError(f"--by takes 0 to 100 points, got {arguments.by:g}.")
    for name in ("number", "size", "score"):
        limits = getattr(arguments, name)
        if limits and not 0 <= limits[0] <= limits[1] <= (len(classes) if name == "number" else 100):
            most = f"{len(classes)} classes" if name == "number" else "100 per cent"
            raise UserError(
                f"--{name} takes the least and the most, from 0 to {most}; got {limits[0]:g} {limits[1]:g}."
            )
    worse = None
    if arguments.worse:
        one, other = (_title(arguments, titles, run) for run in arguments.worse)
        worse = one, other
    return PictureFilter(
        classes=tuple(classes.names.index(name) for name in dict.fromkeys(arguments.classes)),
        class_mode="any" if arguments.any_class else "all",
        number=tuple(arguments.number) if arguments.number else None,
        size=_shares(arguments.size),
        score=_shares(arguments.score),
        score_of=_title(arguments, titles, arguments.score_of) if arguments.score_of else "",
        worse=worse,
        margin=arguments.by / 100,
    )


def _shares(limits: Sequence[float] | None) -> tuple[float, float] | None:
    return (limits[0] / 100, limits[1] / 100) if limits else None


def _title(arguments: argparse.Namespace, titles: Sequence[str], wanted: str) -> str:
    for path, title in zip(arguments.runs, titles, strict=True):
        if wanted == title or Path(wanted).resolve() == path.resolve():
            return title
    raise UserError(f"{wanted} is none of the runs of --runs: {', '.join(str(path) for path in arguments.runs)}.")
