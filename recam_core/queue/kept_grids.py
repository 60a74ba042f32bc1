"""Grids of full trainings that are finished: their results on disk, and runs that are kept out of them."""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from recam_core.atomic_write import write_json
from recam_core.checkpoint.run_folder import RunInfo, read_info
from recam_core.errors import UserError
from recam_core.experiments.kept_result import RESULT_FILE
from recam_core.folders import runs_folder
from recam_core.queue.job import TrainingJob
from recam_core.queue.kept_runs import copy_run
from recam_core.queue.listing import grids_folder, list_trainings
from recam_core.records import RecordError, read_as
from recam_core.retrain.named_run import check_run_name
from recam_core.train.recipe import Recipe, train_command
from recam_core.typed_path import as_typed

#: What a grid was asked to do, beside its result: the queue may forget it.
GRID_FILE = "grid.json"


#: Of the form of ``grid.json``; those of before there were versions are of 0, and lack nothing else.
VERSION = 1


@dataclass(frozen=True)
class GridRecord:
    """What ``grid.json`` holds.

    Attributes:
        init, weights_sha256: the run that its trainings started from, and its weights, should the run have moved.
        data: the training split.
        x, y: names of the axes.
        command: the command line that makes it again.
        version: of the form of the record.
    """

    init: str
    weights_sha256: str
    data: str
    x: str
    y: str
    command: str
    version: int = VERSION


@dataclass(frozen=True)
class KeptGrid:
    """A finished grid.

    Attributes:
        folder: with its runs and its result, see :func:`recam_core.experiments.kept_result.read_result`.
        asked: what it was asked to do.
        finished: seconds since 1970.
    """

    folder: Path
    asked: GridRecord
    finished: float

    @property
    def name(self) -> str:
        """Unique among the grids."""
        return self.folder.name


def write_grid(job: TrainingJob, x: str, y: str) -> None:
    """Say in the folder of a grid what it was asked to do. Raises UserError where it cannot be written to."""
    record = GridRecord(job.init, read_info(job.init).weights_sha256, job.data, x, y, job.command)
    write_json(Path(job.out) / GRID_FILE, asdict(record))


def list_grids() -> list[KeptGrid]:
    """All grids that are finished, the newest first; those that cannot be read are left out."""
    found = []
    for file in grids_folder().glob(f"*/{RESULT_FILE}"):
        try:
            asked = read_as(file.parent / GRID_FILE, GridRecord, VERSION)
            found.append(KeptGrid(file.parent, asked, file.stat().st_mtime))
        except (RecordError, FileNotFoundError):
            continue  # deleted meanwhile, or damaged
    return sorted(found, key=lambda grid: -grid.finished)


def delete_grid(grid: KeptGrid) -> None:
    """Delete the result of a grid and its runs; runs that were kept out of it stay.

    Raises:
        UserError: it is gone already, is at work again, or cannot be deleted.
    """
    for training in list_trainings():
        if training.out == grid.folder and training.is_live:
            raise UserError(f"{grid.name} is at work; cancel it before you delete it.")
    try:
        # The result goes first: what is left of a deletion that was cut off is no grid any more.
        (grid.folder / RESULT_FILE).unlink()
        shutil.rmtree(grid.folder)
    except FileNotFoundError as error:
        raise UserError(f"{grid.name} is gone already.") from error
    except OSError as error:
        raise UserError(f"Cannot delete {grid.folder}: {error.strerror or error}.") from error


def kept_run_command(grid: KeptGrid, recipe: Recipe, data: str, name: str) -> str:
    """The command line that trains a run of a grid again, under a name among the user's runs."""
    start, out = as_typed(Path(grid.asked.init)), as_typed(runs_folder() / name)
    return train_command(recipe, data=data, init=str(start), out=str(out))


def keep_run(grid: KeptGrid, run: str | Path, name: str, recipe: Recipe, threshold: float | None) -> RunInfo:
    """Keep a run of a grid among the user's runs, whole or not at all.

    Args:
        grid: that it belongs to.
        run: its folder.
        name: that it gets.
        recipe: of the point that it stands for; points that differ in the rule share a run.
        threshold: the background threshold that was chosen for it, at the usual scales.

    Raises:
        UserError: the name cannot be used, the run is gone, or the folder cannot be written to.
    """
    name = check_run_name(name, runs_folder())
    info = read_info(run)
    info.name, info.rule, info.threshold = name, recipe.rule, threshold
    info.recipe = {**info.recipe, "rule": recipe.rule}
    info.command = kept_run_command(grid, recipe, info.data, name)
    copy_run(run, info)
    return info
