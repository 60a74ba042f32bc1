"""The palette that suits the theme in which a page is shown."""

import streamlit as st

from recam_core.views.charts.palette import DARK, LIGHT
from recam_core.views.charts.palette import Palette as Ink

__all__ = ["Ink", "ink"]


def ink() -> Ink:
    """The colours that suit the theme in which the page is shown."""
    return DARK if st.context.theme.type == "dark" else LIGHT
