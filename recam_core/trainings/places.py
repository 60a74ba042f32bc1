"""Where the queue of trainings lies."""

from pathlib import Path

from recam_core.checkpoint.places import host_runs_folder, runs_folder
from recam_core.trainings.job import check_id

#: Inside the folder of runs; the leading dot keeps it out of the list of runs.
QUEUE_FOLDER = ".trainings"
#: Inside the folder of runs as well: what grids of full trainings leave, a folder each.
GRIDS_FOLDER = ".grids"


def trainings_folder() -> Path:
    """The folder that holds one folder a training. All who share a folder of runs share the queue, and so do all
    guests: the devices are the same.
    """
    return host_runs_folder().absolute() / QUEUE_FOLDER


def grids_folder() -> Path:
    """The folder that holds one folder a grid of full trainings, with its runs and its result."""
    return runs_folder().absolute() / GRIDS_FOLDER


def training_folder(training_id: str) -> Path:
    """The folder of one training.

    Raises:
        UserError: the id has not the form of one.
    """
    return trainings_folder() / check_id(training_id)
