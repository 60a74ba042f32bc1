"""Data: photographs to download, pictures and checkpoints of one's own."""

import streamlit as st

from app.catalogue import read_catalogue
from app.data_page.checkpoints_section import checkpoints_section
from app.data_page.downloads_section import downloads_section
from app.data_page.own_section import own_section
from app.visitors import may_download


def main() -> None:
    """Draw the page."""
    st.title("Data")
    if may_download():
        downloads_section()
        st.divider()
    own_section(read_catalogue())
    st.divider()
    checkpoints_section()
