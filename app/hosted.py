"""Whether strangers use this app: then each of them is a guest, with folders of their own."""

import ipaddress
import os

import streamlit as st


def is_hosted() -> bool:
    """``RECAM_HOSTED`` in the environment decides, 1 or 0; else the app is hosted where others than this computer can
    reach it: it listens at another address than a loopback one.
    """
    said = os.environ.get("RECAM_HOSTED", "").strip()
    if said in ("0", "1"):
        return said == "1"
    return not _is_loopback(st.get_option("server.address"))


def _is_loopback(address: str | None) -> bool:
    """Of no address at all the server listens at every one."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address((address or "").strip("[]")).is_loopback
    except ValueError:
        return False


def allows(setting: str) -> bool:
    """Whether the environment allows guests what they may not do otherwise."""
    return os.environ.get(setting, "").strip() == "1"
