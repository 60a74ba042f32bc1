"""Options that choose pictures by what they show and how methods do on them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from recam_core.errors import UserError

if TYPE_CHECKING:
    from recam_core.analysis.picture_filter import PictureFilter
    from recam_core.data.sample import ClassList


def add_filter_options(parser: argparse.ArgumentParser) -> None:
    """``--classes``, ``--any-class``, ``--number``, ``--size``, ``--score``, ``--score-of``, ``--worse``, ``--by``,
    ``--limit`` and ``--single-class``.
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
