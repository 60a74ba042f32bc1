"""Runs that work of the queue made on its way, kept among the user's runs."""

import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from recam_core.atomic_write import replacing_folder, write_json
from recam_core.checkpoint.run_folder import INFO_FILE, METRICS_FILE, WEIGHTS_FILE, RunInfo, read_info
from recam_core.errors import UserError
from recam_core.folders import runs_folder
from recam_core.theory.negatives import NEGATIVES_FILE


def copy_run(run: str | Path, info: RunInfo) -> None:
    """Copy a run to the folder of runs, whole or not at all.

    Args:
        run: its folder.
        info: the record of the copy, which says its name.

    Raises:
        UserError: the name is taken, the run is gone, or the folder cannot be written to.
    """
    with replacing_folder(runs_folder() / info.name, fresh=True) as temporary:
        for file in (WEIGHTS_FILE, METRICS_FILE):
            shutil.copy(Path(run) / file, temporary)
        if (Path(run) / NEGATIVES_FILE).is_file():  # runs of older versions have none
            shutil.copy(Path(run) / NEGATIVES_FILE, temporary)
        write_json(temporary / INFO_FILE, asdict(info))


def keep_runs_of_pipeline(folder: Path) -> Iterator[str]:
    """Keep the runs of a pipeline that is done, each by the pipeline's name and its own, and say so in a line each.

    Boundaries that the pipeline learnt fit the copies, too: they are known by the weights.

    Args:
        folder: of the pipeline.
    """
    for run in sorted(file.parent for file in folder.glob(f"*/{INFO_FILE}")):
        info = read_info(run)
        info.name = f"{folder.name}-{run.name}"
        if _holds(runs_folder() / info.name, info.weights_sha256):
            continue  # kept before the pipeline was cut off
        try:
            copy_run(run, info)
            yield f"The run {run.name} is kept as {info.name}."
        except UserError as error:
            yield f"The run {run.name} stays in {run}: {error}"


def _holds(run: Path, weights: str) -> bool:
    try:
        return read_info(run).weights_sha256 == weights
    except UserError:
        return False
