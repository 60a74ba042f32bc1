"""Sentences about a data set that are no faults: what ``data check`` and ``data info`` print below their tables."""

from recam_core.data.sample import Dataset


def notes_of(dataset: Dataset) -> tuple[str, ...]:
    """What opening noted, and then what takes reading masks to tell."""
    asked = (getattr(dataset, name, list) for name in ("background_notes", "mask_notes"))
    return (*getattr(dataset, "notes", ()), *(note for notes in asked for note in notes()))
