"""Data sets, their thumbnails and labels, opened once and shared by all sessions."""

import numpy as np
import streamlit as st

from recam_core.data.notes import notes_of
from recam_core.data.sample import BrokenItem, Dataset
from recam_core.data.spec import open_dataset
from recam_core.views.encode import data_url
from recam_core.views.thumbnail import thumbnail


@st.cache_resource(max_entries=8, ttl="30m", show_spinner="Opening the pictures")
def dataset(spec: str) -> Dataset:
    """The data set of a specification. Raises UserError."""
    return open_dataset(spec)


@st.cache_data(max_entries=2000, ttl="30m", show_spinner=False)
def _thumbnail(spec: str, index: int, picture_id: str) -> str:
    return data_url(thumbnail(dataset(spec).load(index).image), "jpeg")


def thumbnail_url(spec: str, index: int) -> str | None:
    """A thumbnail as a data address; None for a picture that is broken (choosing it says why)."""
    try:
        return _thumbnail(spec, index, dataset(spec).ids[index])
    except BrokenItem:
        return None


@st.cache_data(max_entries=50, ttl="30m", show_spinner=False)
def notes_of_set(spec: str) -> tuple[str, ...]:
    """What was decided about a data set that its files do not state. Raises UserError."""
    return notes_of(dataset(spec))


def labels_of(spec: str, index: int) -> np.ndarray:
    """K bools; none set for a broken picture."""
    found = dataset(spec)
    try:
        return found.labels(index)
    except BrokenItem:
        return np.zeros(len(found.classes), dtype=bool)
