"""``python -m recam_core attribute``: what else a network can be asked about its maps."""

import argparse

from recam_core.cli.attribute_compare import add_compare


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Register ``attribute`` with its sub-commands."""
    parser = subparsers.add_parser(
        "attribute", help="ask a network where it looks, by several methods", description="Attribution methods."
    )
    add_compare(parser.add_subparsers(dest="attribute", metavar="WHAT", required=True))
