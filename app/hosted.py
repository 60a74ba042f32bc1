"""Whether strangers use this app: then each of them is a guest, with folders of their own."""

import ipaddress
import os

import streamlit as st


def is_hosted() -> bool:
    """``RECAM_HOSTED`` in the environment decides, and only 0 says no; else the app is hosted where others than this
    computer can reach it: it listens at another address than a loopback one.
    """
    if said := os.environ.get("RECAM_HOSTED", "").strip():
        return said != "0"
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
