"""Options of the commands that run a network over a data set."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from recam_core.errors import UserError
from recam_core.maps.inference import QUICK_SCALES

if TYPE_CHECKING:
    from recam_core.checkpoint.run_folder import RunInfo
    from recam_core.maps.dataset_maps import MapSettings


def add_inference_options(parser: argparse.ArgumentParser) -> None:
    """``--rule``, ``--scales``, ``--no-mirror``, ``--labels``, ``--device`` and ``--limit``."""
    group = parser.add_argument_group("maps from a run")
    group.add_argument(
        "--rule",
        action="append",
        metavar="RULE",
        help="extraction rule: fc1, fc2, sum, product or rectified_product; repeat it for several (default: the run's)",
    )
    group.add_argument(
        "--scales",
        nargs="+",
        type=float,
        default=list(QUICK_SCALES),
        metavar="S",
        help="factors of the picture's size (default: 1.0 2.0; the paper: 0.5 1.0 1.5 2.0)",
    )
    group.add_argument("--no-mirror", action="store_true", help="leave the mirror images out: twice as fast")
    group.add_argument(
        "--labels",
        choices=("truth", "predicted"),
        default="truth",
        help="maps for the classes of the ground-truth label, or for those the network sees (default: truth)",
    )
    group.add_argument("--device", default="auto", help="auto, cuda, cuda:1, mps or cpu (default: auto)")
    group.add_argument("--limit", type=_positive, metavar="N", help="only the first N pictures")


def rules_for(arguments: argparse.Namespace, info: RunInfo) -> list[str]:
    """The rules asked for, each once and checked, or the run's own.

    Raises:
        UserError: unknown rule, or one that needs FC2 where the run has none.
    """
    from recam_core.checkpoint.run_folder import check_run_rule

    return [check_run_rule(info, rule) for rule in dict.fromkeys(arguments.rule or [info.rule])]


def only_rule(rules: list[str]) -> str:
    """The one rule of a command that takes one. Raises UserError for several."""
    if len(rules) > 1:
        raise UserError("Name one --rule: pseudo masks are made by one extraction rule.")
    return rules[0]


def settings_for(arguments: argparse.Namespace, info: RunInfo) -> MapSettings:
    """How the maps of a run are made."""
    from recam_core.maps.dataset_maps import MapSettings

    return MapSettings(
        scales=tuple(arguments.scales),
        mirror=not arguments.no_mirror,
        labels=arguments.labels,
        softmax=info.method == "sce",
    )


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a number of pictures")
    return value
