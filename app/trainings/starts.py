"""Runs that work can start from: those that there are, and those that trainings in the queue are to make."""

from dataclasses import dataclass
from pathlib import Path

from app.catalogue import Catalogue, Entry
from app.datasets import dataset
from app.recorded_pictures import recorded
from recam_core.errors import UserError
from recam_core.queue.kinds import TRAINING
from recam_core.queue.listing import Training, list_trainings


@dataclass(frozen=True)
class Start:
    """A run to start from.

    Attributes:
        key: for widgets.
        title: as the page calls it.
        path: its folder.
        method: that it was trained by.
        backbone, output_stride: of its network.
        data: specification of its training pictures.
        has_background: whether these have a background class.
    """

    key: str
    title: str
    path: Path
    method: str
    backbone: str
    output_stride: int
    data: str
    has_background: bool


def starts(catalogue: Catalogue) -> dict[str, Start]:
    """All that there are, by key: the runs first."""
    found = [_of_entry(entry) for family in catalogue.families for entry in family.entries]
    found += [_of_training(one) for one in list_trainings() if one.is_live and one.job.kind == TRAINING]
    named: dict[str, Start] = {}
    for start in found:
        named.setdefault(start.key, start)  # a run that is just finished may be in both lists
    return named


def _of_entry(entry: Entry) -> Start:
    network = entry.info.network
    title = f"{entry.title} ({entry.key.split('/')[0]})"
    return Start(
        entry.key,
        title,
        entry.path,
        entry.info.method,
        network["backbone"],
        network["output_stride"],
        recorded(entry.info.data, entry.info.class_list).spec,
        entry.info.has_background,
    )


def _of_training(training: Training) -> Start:
    job = training.job
    return Start(
        f"run/{job.name}",
        f"{job.name} (in the queue)",
        training.out,
        job.method,
        str(job.recipe.get("backbone", "")),
        int(job.recipe.get("output_stride", 16)),
        job.data,
        _has_background(job.data),
    )


def _has_background(spec: str) -> bool:
    """Of pictures whose run has no record yet; False where they are gone, as the training will say."""
    try:
        return dataset(spec).classes.has_background
    except UserError:
        return False
