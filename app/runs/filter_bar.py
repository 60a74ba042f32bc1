"""The row above the list: what to look for, and the order."""

from collections.abc import Sequence

import streamlit as st

from app.links import keep, kept
from app.settings import METHOD_TITLES
from recam_core.runs.filter_sort import filter_runs, sort_runs
from recam_core.runs.listed import ListedRun

_WHOSE = {"all": None, "own": False, "shipped": True}
#: By the name in the address: how it is called, the order of the core, and whether the largest comes first.
_ORDERS = {
    "newest": ("newest first", "created", True),
    "name": ("name", "name", False),
    "miou": ("best mIoU first", "miou", True),
    "method": ("method", "method", False),
    "data": ("training data", "data", False),
    "size": ("largest first", "size", True),
}


def filter_bar(runs: Sequence[ListedRun]) -> list[ListedRun]:
    """Draw the row; the runs that it lets pass, in its order. The address keeps what is set."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="runs_filter"):
        text = st.text_input(
            "Find",
            value=kept("find"),
            placeholder="name, data, mask=hard, lambda=0.3 …",
            key="runs_find",
            persist_state="session",
            width=260,
        ).strip()
        methods = st.multiselect(
            "Methods",
            list(METHOD_TITLES),
            default=[name for name in kept("methods").split(",") if name in METHOD_TITLES],
            format_func=METHOD_TITLES.__getitem__,
            key="runs_methods",
            persist_state="session",
            placeholder="all",
            width=230,
        )
        order = st.selectbox(
            "Order",
            list(_ORDERS),
            index=list(_ORDERS).index(kept("order")) if kept("order") in _ORDERS else 0,
            format_func=lambda name: _ORDERS[name][0],
            key="runs_order",
            persist_state="session",
            width=170,
        )
        whose = st.segmented_control(
            "Whose",
            list(_WHOSE),
            default=kept("whose") if kept("whose") in _WHOSE else "all",
            required=True,
            format_func={"all": "All", "own": "Yours", "shipped": "Shipped"}.__getitem__,
            key="runs_whose",
            persist_state="session",
        )
        starred = st.toggle("Starred only", value=kept("starred") == "1", key="runs_starred", persist_state="session")
    keep("find", text)
    keep("methods", ",".join(methods))
    keep("order", order, "newest")
    keep("whose", whose, "all")
    keep("starred", "1" if starred else "")
    found = filter_runs(runs, text=text, methods=methods, starred=starred, shipped=_WHOSE[whose])
    _, by, descending = _ORDERS[order]
    return sort_runs(found, by, descending)
