"""The command line: sub-commands, and what an error looks like."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

import recam_core
from recam_core import ranks
from recam_core.errors import UserError
from recam_core.lock import let_go
from recam_core.memory import keep_large_blocks, memory_told
from recam_core.progress import Cancelled, end_with_listener

#: Files with a sub-command or two, each with ``add_parser(subparsers)``; a new one is one entry.
COMMANDS = (
    "data",
    "train",
    "cams",
    "evaluate",
    "boundaries",
    "masks",
    "segment",
    "pipeline",
    "report",
    "pictures",
    "why",
    "figure",
    "attribute",
    "tags",
    "retrain",
    "trainings",
    "experiment",
    "theory",
    "runs",
    "checkpoint",
    "app",
)

NO_MEMORY = (
    "There is not enough memory for this: take smaller batches, crops or pictures, fewer scales (--scales 1), or "
    "another device (--device cpu). What was finished is kept."
)


def build_parser() -> argparse.ArgumentParser:
    """The parser with all sub-commands."""
    parser = argparse.ArgumentParser(
        prog="recam" if Path(sys.argv[0]).stem == "recam" else "python -m recam_core",
        description="Class Re-Activation Maps: train, draw, score and retrain them from image-level labels.",
        epilog="Each sub-command has its own --help. Results are for reading; --json FILE writes them for machines.",
    )
    parser.add_argument("--version", action="version", version=f"recam_core {recam_core.__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        importlib.import_module(f"recam_core.cli.{name}").add_parser(subparsers)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 on success, 2 for bad input (with a sentence on standard error), 3 where
    pictures that cannot be read were left out, 130 when interrupted."""
    try:
        parsed = build_parser().parse_args(arguments)
        keep_large_blocks()
        end_with_listener()
        with ranks.joined(), memory_told(NO_MEMORY):
            if ranks.world() > 1 and not getattr(parsed, "by_ranks", False):
                raise UserError(
                    f"`{parsed.command}` is done by one process: start it without torchrun. docs/scaling.md says which "
                    "commands several processes share."
                )
            return int(parsed.run(parsed) or 0)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, Cancelled):
        print("Stopped. Nothing half-written was left behind.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of a pipe (head, say) has seen enough.
        sys.stderr.close()
        return 0
    finally:
        let_go()
