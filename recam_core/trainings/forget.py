"""Trainings of visitors of the app: who has one at work, and what goes with what they left."""

import shutil
from collections.abc import Collection

from recam_core.trainings.listing import every_training


def live_visitors() -> set[str]:
    """The visitors of whom a training waits or works."""
    return {training.job.visitor for training in every_training() if training.is_live}


def forget_trainings(visitors: Collection[str]) -> None:
    """Take the trainings of visitors whose folders were deleted out of the queue; those that are live stay."""
    for training in every_training() if visitors else ():
        if training.job.visitor in visitors and not training.is_live:
            shutil.rmtree(training.folder, ignore_errors=True)
