"""What is chosen on one page goes along to the others: each begins with the last choice that it can use.

A page takes over what another one chose since it last looked, before it draws the widget; and after the widget, it
shares what it shows, if that has changed there. So no page overwrites a choice by its own defaults, or by what it made
of a choice that does not fit it (other classes, pictures that are gone).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import streamlit as st

from app.catalogue import Catalogue, Entry, Family
from app.datasets import dataset
from app.links import as_list, from_list, keep, kept
from app.shared_state import CHOSEN_FAMILY, CHOSEN_RUNS, CHOSEN_THRESHOLD, OWN_THRESHOLD, Shared, threshold_scope
from recam_core.data.match_classes import ClassMatch, match_classes
from recam_core.data.sample import ClassList, Dataset
from recam_core.data.spec import KINDS
from recam_core.errors import UserError

#: How a data set is written.
SPEC_HELP = "Any data set on the computer that runs the app, written as one of\n" + "\n".join(
    f"- `{kind.form}`: {kind.what}" for kind in KINDS.values()
)

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
    cut = view.get("cut", "own")
    value: float | str = OWN_THRESHOLD
    if cut == "all":
        value = round(float(view.get("threshold", 0.0)), 2)
    elif cut == "none" and classes.has_background:
        return None  # arg-max everywhere: the other pages know no such thing
    settled(CHOSEN_THRESHOLD, threshold_scope(classes), key, value, named=value != OWN_THRESHOLD)
    return value


# What most pages choose -----------------------------------------------------------------------------------------------


def choose_family(catalogue: Catalogue, key: str, help: str | None = None) -> Family:
    """A list of the families; the address names one, or another page has chosen it, or else it is the first.

    Args:
        catalogue: at least one family.
        key: of the widget.
        help: its help text.
    """
    families = {family.key: family for family in catalogue.families}
    named = kept("family")
    elsewhere = taken_over(CHOSEN_FAMILY, "", key, named=named in families)
    if elsewhere in families:
        st.session_state[key] = elsewhere
    elif st.session_state.get(key) not in families:
        st.session_state[key] = named if named in families else next(iter(families))
    chosen = st.selectbox(
        "Checkpoints",
        list(families),
        format_func=lambda key: families[key].title,
        key=key,
        persist_state="session",
        help=help,
    )
    settled(CHOSEN_FAMILY, "", key, chosen, named=named == chosen)
    keep("family", chosen, next(iter(families)))
    return families[chosen]


def choose_runs(family: Family, label: str, key: str, most: int, help: str) -> list[Entry]:
    """A list of runs side by side; another page has chosen them, or the address names them, or the family begins so.

    Args:
        family: whose runs.
        label: above the list.
        key: of the widget, but for the family that is put behind it.
        most: how many at the most.
        help: its help text.
    """
    by_key = {entry.key: entry for entry in family.entries}
    usual = [entry.key for entry in family.first_choice]
    named = [one for one in from_list(kept("runs")) if one in by_key]
    elsewhere = [one for one in taken_over(CHOSEN_RUNS, family.key, key, bool(named)) or () if one in by_key]
    widget = f"{key}_{family.key}"
    wanted = elsewhere or st.session_state.get(widget, named or usual)
    # A run that was deleted meanwhile is none any more.
    st.session_state[widget] = [one for one in wanted if one in by_key][:most]
    chosen = st.multiselect(
        label,
        list(by_key),
        format_func=lambda one: by_key[one].title,
        key=widget,
        persist_state="session",
        max_selections=most,
        help=help,
    )
    settled(CHOSEN_RUNS, family.key, key, tuple(chosen), bool(named))
    keep("runs", as_list(chosen), as_list(usual))
    return [by_key[one] for one in chosen]


def can_be_shown(family: Family, spec: str) -> bool:
    """Whether a data set opens and has pictures in classes of the family."""
    try:
        matched(family, spec)
    except UserError:
        return False
    return True


def matched(family: Family, spec: str) -> tuple[Dataset, ClassMatch]:
    """A data set, and its classes as the family knows them.

    Raises:
        UserError: it cannot be opened, is empty, or has no class of the family.
    """
    found = dataset(spec)
    match = match_classes(found.classes, family.classes)
    if not match.shared:
        raise UserError(
            f"{spec} and these checkpoints have no class in common: the checkpoints know "
            f"{', '.join(family.classes.names)}. Choose another family, or other pictures."
        )
    if not len(found):
        raise UserError(f"{spec} holds no pictures.")
    return found, match


def first_picture(family: Family, spec: str, ids: list[str]) -> str:
    """What a data set opens with: by the family's kept maps of it, else its first picture."""
    standing = family.standing if spec == family.pictures else None
    return standing.first if standing is not None and standing.first in ids else ids[0]
