"""Sentences about a data set that are no faults: what ``data check`` and ``data info`` print below their tables."""

from recam_core.data.sample import Dataset


def notes_of(dataset: Dataset) -> tuple[str, ...]:
    """What opening noted, and then what takes reading masks to tell."""
    background_notes = getattr(dataset, "background_notes", list)
    return (*getattr(dataset, "notes", ()), *background_notes())
