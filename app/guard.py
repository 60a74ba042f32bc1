"""Errors become sentences on the page."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from app.plain_words import plain
from recam_core.errors import UserError
from recam_core.memory import memory_told


@contextmanager
def sentences() -> Iterator[None]:
    """Show a UserError raised inside as an error box; the page goes on behind the ``with``."""
    try:
        with memory_told("There is not enough memory for this picture. Take a smaller one, or fewer scales."):
            yield
    except UserError as error:
        st.error(plain(error), icon=":material/error:")
