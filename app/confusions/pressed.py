"""Charts and tables whose marks can be pressed: what was pressed last, forgotten once something else is shown."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from app.chart import pressed


def numbers(key: str, count: int) -> list[tuple[int, ...]]:
    """Of each mark that is selected in a chart, the first so many numbers that it stands for."""
    return [tuple(int(value) for value in values[:count]) for values in pressed(key)]


def number(key: str, count: int) -> tuple[int, ...] | None:
    """Of the one mark that is pressed in a chart; None where none is."""
    return next(iter(numbers(key, count)), None)


def rows(key: str) -> list[int]:
    """The rows that are marked in a table."""
    state: Mapping[str, Any] = st.session_state.get(key) or {}
    return [int(row) for row in state.get("selection", {}).get("rows") or []]


def row(key: str) -> int | None:
    """The one row that is marked in a table; None where none is."""
    return next(iter(rows(key)), None)


def key_while(name: str, still_shown: Callable[[str], bool]) -> str:
    """The key of a chart or table; another one as soon as what was pressed in it is no longer what is shown.

    A chart keeps its selection, and a second press on the same mark would then say nothing: it must begin anew.

    Args:
        name: of the chart or table.
        still_shown: takes the key and tells whether what is pressed there, if anything, is shown.
    """
    number = st.session_state.setdefault(f"{name}_number", 0)
    key = f"{name}_{number}"
    if not still_shown(key):
        st.session_state[f"{name}_number"] = number + 1
        key = f"{name}_{number + 1}"
    return key
