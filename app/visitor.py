"""Who is at this page: whom the bounds on trainings are counted for."""

import secrets

import streamlit as st

from app.shared_state import VISITOR


def visitor() -> str:
    """Stands for the visitor: the address that they come from, or else the session. It is no proof of anything."""
    address = st.context.ip_address  # none on the own machine, and no text where no server is
    return address if isinstance(address, str) and address else VISITOR.setdefault(secrets.token_urlsafe(8))
