"""Errors become sentences on the page."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from app.plain_words import plain
from recam_core.errors import UserError
from recam_core.memory import memory_told


@contextmanager
def sentences(said: set[str] | None = None) -> Iterator[None]:
    """Show a UserError raised inside as an error box; the page goes on behind the ``with``.

    Args:
        said: what was said before and is not said again, such as of one pane after another; it is added to.
    """
    try:
        with memory_told("There is not enough memory for this picture. Take a smaller one, or fewer scales."):
            yield
    except UserError as error:
        if said is None or str(error) not in said:
            st.error(plain(error), icon=":material/error:")
        if said is not None:
            said.add(str(error))
