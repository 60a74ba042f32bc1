"""Sentences about a data set that are no faults: what ``data check`` and ``data info`` print below their tables."""

import numpy as np

from recam_core.data.sample import Dataset

#: Of a picture whose mask holds no class; what is scored of it is the background, or nothing.
NO_CLASS = "Its ground truth holds no class (0 is background, 255 void), so that scores of it say nothing of any."


def notes_of(dataset: Dataset) -> tuple[str, ...]:
    """What opening noted, and then what takes reading masks to tell."""
    asked = (getattr(dataset, name, list) for name in ("background_notes", "mask_notes"))
    return (*getattr(dataset, "notes", ()), *(note for notes in asked for note in notes()))


def picture_notes(dataset: Dataset, index: int, mask: np.ndarray | None) -> tuple[str, ...]:
    """Sentences on one picture that was read: how its mask lies on it, and whether that shows anything.

    Args:
        dataset: of the picture.
        index: of the picture in it.
        mask: H x W uint8 of it in the classes of the data set, or None.
    """
    turn_note = getattr(dataset, "turn_note", None)
    notes = [] if turn_note is None else [turn_note(index)]
    if mask is not None and not np.bincount(mask.ravel(), minlength=256)[1 : len(dataset.classes) + 1].any():
        notes.append(NO_CLASS)
    return tuple(filter(None, notes))
