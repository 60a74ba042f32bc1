"""What the address of the page keeps, so that a reload or a shared link shows the same."""

import streamlit as st


def keep(name: str, value: str, default: str = "") -> None:
    """Put a value into the address, or take it out where it is the default. Does nothing if that is so already."""
    if value == default:
        if name in st.query_params:
            del st.query_params[name]
    elif st.query_params.get(name) != value:
        st.query_params[name] = value


def kept(name: str, default: str = "") -> str:
    """The value in the address, or the default."""
    return st.query_params.get(name, default)
