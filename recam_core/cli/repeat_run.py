"""``--from RUN`` of ``train`` and ``retrain``: a run again, from its record."""

import argparse
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recam_core.cli.options import check_out, write_results
from recam_core.errors import UserError


def add_from(parser: argparse._ActionsContainer) -> None:
    """Add ``--from`` to a command that has ``--data``, ``--out``, ``--device`` and ``--json``."""
    parser.add_argument(
        "--from", dest="repeated", metavar="RUN", help="make this run again, with all settings as its record has them"
    )


def repeat(arguments: argparse.Namespace, given: Mapping[str, Any], parent: Path | None = None) -> int:
    """Make the run ``arguments.repeated`` again at ``arguments.out``.

    Args:
        arguments: repeated, out, data, device, json; val, weights and workers where the command has them.
        given: settings that were given besides; there must be none.
        parent: the run that it started from, if it has moved.
    """
    from recam_core.checkpoint.run_folder import read_info
    from recam_core.device import describe_device, pick_device
    from recam_core.progress import terminal
    from recam_core.runs.listed import find_run
    from recam_core.runs.repeat import changed_versions, repeat_run

    if given:
        raise UserError(
            f"--from takes every setting from the run's record, so leave out {', '.join(sorted(given))}; for another "
            "setting, take the command that `runs show` prints and change it."
        )
    check_out(arguments.out)
    path = find_run(str(arguments.repeated)).path
    before, device = read_info(path), pick_device(arguments.device)
    made = repeat_run(
        path,
        arguments.out,
        data=arguments.data,
        parent=parent,
        val=getattr(arguments, "val", None),
        weights=getattr(arguments, "weights", None),
        device=device,
        workers=getattr(arguments, "workers", None),
        stages=terminal,
    )
    same = made.weights_sha256 == before.weights_sha256
    print(f"{arguments.out}: {before.name} again, on {describe_device(device)}.")
    if same:
        print("The weights are the same to the last bit.")
    else:
        changed = changed_versions(before)
        why = f"; versions have changed ({'; '.join(changed)})" if changed else ""
        print(
            "The weights are not the same to the last bit: another device or number of threads rounds otherwise, and "
            f"pictures that were changed since make another run{why}."
        )
    write_results(arguments.json, {"run": dataclasses.asdict(made), "same_weights": same})
    return 0
