"""Errors become sentences on the page."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
import torch

from app.plain_words import plain
from recam_core.errors import UserError


@contextmanager
def sentences() -> Iterator[None]:
    """Show a UserError raised inside as an error box; the page goes on behind the ``with``."""
    try:
        yield
    except UserError as error:
        st.error(plain(error), icon=":material/error:")
    except (MemoryError, torch.OutOfMemoryError):
        st.error(
            "There is not enough memory for this picture. Take a smaller one, or fewer scales.", icon=":material/error:"
        )
