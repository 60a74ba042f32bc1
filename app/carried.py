"""What is chosen on one page goes along to the others: each begins with the last choice that it can use.

A page takes over what another one chose since it last looked, before it draws the widget; and after the widget, it
shares what it shows, if that has changed there. So no page overwrites a choice by its own defaults, or by what it made
of a choice that does not fit it (other classes, pictures that are gone).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import streamlit as st

from app.shared_state import CHOSEN_THRESHOLD, OWN_THRESHOLD, Shared, threshold_scope
from recam_core.data.sample import ClassList

T = TypeVar("T")


@dataclass(frozen=True)
class _Look:
    """What a page knows of a choice: as it is shared, as the page showed it itself (None: not since), and whether it
    is taken from another page rather than the page's own."""

    shared: Any = None
    own: Any = None
    taken: bool = False


def taken_over(entry: Shared[Mapping[str, T]], scope: str, key: str, named: bool = False) -> T | None:
    """What was chosen elsewhere since this page last looked; None where that is nothing new.

    Args:
        entry: of the session.
        scope: what the choice is about, such as a family; "" where there is one of it.
        key: names the widget; begins with the name of the page.
        named: whether the address names a value, which counts more when the page opens.
    """
    looks, wanted = _looks(key), entry.get({}).get(scope)
    before = looks.get(scope)
    if before is None and named:
        looks[scope] = _Look(wanted)
        return None
    if wanted is None or (before is not None and wanted == before.shared):
        return None
    looks[scope] = _Look(wanted, taken=True)
    return wanted


def settled(entry: Shared[Mapping[str, T]], scope: str, key: str, value: T, named: bool = False) -> None:
    """Share what the page shows, if somebody has changed it there.

    Args:
        entry, scope, key: as for :func:`taken_over`, which was asked before.
        value: as the widget has it.
        named: whether it is a choice even if the page shows it for the first time, as one from the address is.
    """
    before = _looks(key).get(scope, _Look())
    if before.own is None:
        is_choice = named and not before.taken and value != before.shared
    else:
        is_choice = value != before.own
    if is_choice:
        share(entry, scope, key, value)
    else:
        _looks(key)[scope] = _Look(before.shared, value)


def share(entry: Shared[Mapping[str, T]], scope: str, key: str, value: T) -> None:
    """Let every other page take this over."""
    entry.set({**entry.get({}), scope: value})
    _looks(key)[scope] = _Look(value, value)


def forget(key: str) -> None:
    """As if the page opened for the first time: what the address names counts again."""
    _looks(key).clear()


def _looks(key: str) -> dict[str, _Look]:
    return st.session_state.setdefault(f"{key}_carried", {})


def threshold_taken_over(classes: ClassList, key: str, named: bool) -> dict[str, Any]:
    """What a viewer's view takes over of the threshold that another page has; empty where that is nothing new.

    Args:
        classes: of the pictures; thresholds go along among sets that all have a background, or none.
        key, named: as for :func:`taken_over`.
    """
    cut = taken_over(CHOSEN_THRESHOLD, threshold_scope(classes), key, named)
    if cut is None:
        return {}
    return {"cut": "own"} if cut == OWN_THRESHOLD else {"cut": "all", "threshold": cut}


def threshold_settled(classes: ClassList, key: str, view: Mapping[str, Any]) -> float | str | None:
    """Share how a viewer's view cuts its panes: the threshold, or that each has its own; None is not shared."""
    cut, value = view.get("cut", "own"), OWN_THRESHOLD
    if cut == "all":
        value = round(float(view.get("threshold", 0.0)), 2)
    elif cut == "none" and classes.has_background:
        return None  # arg-max everywhere: the other pages know no such thing
    settled(CHOSEN_THRESHOLD, threshold_scope(classes), key, value, named=value != OWN_THRESHOLD)
    return value
