"""Sentences about a data set that are no faults: what ``data check`` and ``data info`` print below their tables."""

import numpy as np

from recam_core.data.sample import Dataset

#: Of a picture whose mask holds no class; what is scored of it is the background, or nothing.
NO_CLASS = "Its ground truth holds no class (0 is background, 255 void), so that scores of it say nothing of any."


def notes_of(dataset: Dataset, most: int | None = None) -> tuple[str, ...]:
    """What opening noted, and then what takes reading masks to tell.

    Args:
        dataset: the pictures.
        most: so many masks are looked at for how they lie; None for as many as the data set itself sees fit.
    """
    background, masks = (getattr(dataset, name, None) for name in ("background_notes", "mask_notes"))
    found = [*getattr(dataset, "notes", ()), *(background() if background is not None else ())]
    if masks is not None:
        found += masks() if most is None else masks(most)
    return tuple(found)


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
