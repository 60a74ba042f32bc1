"""A picture on the page, within the page itself."""

from html import escape

import numpy as np
import streamlit as st

from recam_core.views.pictures import data_url


def show_picture(image: np.ndarray, alt: str) -> None:
    """Show a picture (H x W x 3, uint8).

    Not by ``st.image``: its files are dropped as soon as another run of the script begins, and a browser that is still
    fetching one then shows a broken picture.
    """
    st.html(f'<img src="{data_url(image, "jpeg")}" alt="{escape(alt, quote=True)}" style="width:100%;display:block">')
