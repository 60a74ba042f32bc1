"""Options of the command line for the settings of a recipe."""

import argparse
from collections.abc import Collection, Mapping

from recam_core.setting import settings


def add_settings(
    parser: argparse.ArgumentParser, recipe: type, but: Collection[str] = (), more: Mapping[str, str] | None = None
) -> None:
    """Add an option a setting that has one, left at None unless it is given.

    Args:
        parser: of a command.
        recipe: the dataclass whose fields they are.
        but: settings that the command asks for in its own way, or not at all.
        more: what the help says of a setting besides its meaning.
    """
    for name, known in settings(recipe).items():
        if known.flag and name not in but:
            parser.add_argument(
                known.flag,
                dest=name,
                type=known.kind,
                choices=known.choices or None,
                metavar=None if known.choices else known.flag[2:].replace("-", "_").upper(),
                help=f"{known.meaning} ({more[name]})" if more and name in more else known.meaning,
            )
