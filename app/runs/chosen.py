"""Which runs are chosen: in the table by a press, in the field by keyboard, in the address for a link; and the way to their maps."""

from collections.abc import Sequence
from app.catalogue import Catalogue, Family
from app.datasets import dataset
from app.links import open_explore
from recam_core.errors import UserError
from recam_core.runs.listed import ListedRun
from collections.abc import Collection, Sequence
import streamlit as st
from app.carried import share, taken_over
from app.catalogue import Catalogue
from app.links import as_list, from_list, keep, kept
from app.shared_state import CHOSEN_FAMILY, CHOSEN_RUNS, TO_COMPARE


def family_of(runs: Sequence[ListedRun], catalogue: Catalogue) -> Family | None:
    """The family that all of the runs belong to; None where they know different classes."""
    keys = {run.key for run in runs}
    return next((one for one in catalogue.families if keys <= {entry.key for entry in one.entries}), None)


def open_maps(
    runs: Sequence[ListedRun], catalogue: Catalogue, data: str = "", picture: str = "", classes: Sequence[str] = ()
) -> None:
    """Leave for Explore with the runs side by side.

    Args:
        runs: at least one.
        catalogue: gives their family, and with it the pictures.
        data, picture: which picture; the first of the family's by default.
        classes: names of the classes to select; all by default. What is none of the family's, as a background, is left
            out.

    Raises:
        UserError: runs of different classes, or pictures that are not here.
    """
    family = family_of(runs, catalogue)
    if family is None:
        raise UserError("These runs know different classes, so their maps cannot stand side by side.")
    data = data or family.pictures
    named = [name for name in classes if name in family.classes.names]
    open_explore(data=data, picture=picture or dataset(data).ids[0], runs=[run.key for run in runs], classes=named)


#: More than this cannot be told apart in the charts.
MOST = 6
_FIELD = "runs_chosen"
#: The field's own value cannot be set once it is drawn.
_NEXT = "runs_choose_next"
_VERSION = "runs_table_version"


def chosen_keys(known: Collection[str]) -> list[str]:
    """The keys of the chosen runs, in the order in which they were chosen; those that are gone fall out."""
    if _NEXT in st.session_state:
        st.session_state[_FIELD] = st.session_state.pop(_NEXT)
    if _FIELD not in st.session_state:
        st.session_state[_FIELD] = from_list(kept("chosen"))[:MOST]
    found = [key for key in st.session_state[_FIELD] if key in known]
    if found != st.session_state[_FIELD]:
        st.session_state[_FIELD] = found
    keep("chosen", as_list(found))
    return found


def take_runs(catalogue: Catalogue) -> None:
    """Choose the runs that another page has sent here, or put side by side since, or those that its family begins with.

    To be called before :func:`chosen_keys`.
    """
    families = {family.key: family for family in catalogue.families}
    if sent := TO_COMPARE.pop(()):
        choose(sent)
        return
    if not families:
        return
    named = bool(kept("chosen"))
    came = taken_over(CHOSEN_FAMILY, "", "runs_family", named)
    family = families.get(CHOSEN_FAMILY.get({}).get("", ""), catalogue.families[0])
    runs = taken_over(CHOSEN_RUNS, family.key, "runs_chosen", named)
    if came not in families and not runs:
        return
    known = {entry.key for entry in family.entries}
    wanted = [key for key in CHOSEN_RUNS.get({}).get(family.key, ()) if key in known]
    wanted = wanted or [entry.key for entry in family.first_choice]
    choose(wanted)
    st.session_state["runs_chosen_before"] = wanted[:MOST]


def share_runs(chosen: Sequence[ListedRun], catalogue: Catalogue) -> None:
    """Let the other pages show these runs side by side, if they are a new choice of several that can stand so."""
    keys = [run.key for run in chosen]
    before = st.session_state.get("runs_chosen_before", [])
    st.session_state["runs_chosen_before"] = keys
    family = family_of(chosen, catalogue) if len(chosen) > 1 and keys != before else None
    if family is not None:
        share(CHOSEN_FAMILY, "", "runs_family", family.key)
        share(CHOSEN_RUNS, family.key, "runs_chosen", tuple(keys))


def choose(keys: Sequence[str]) -> None:
    """Choose these runs from the next drawing of the page on; the table is drawn anew to show them."""
    st.session_state[_NEXT] = list(keys)[:MOST]
    st.session_state[_VERSION] = table_version() + 1


def choose_in_table(keys: Sequence[str], shown: Collection[str]) -> None:
    """What a press in the table leaves chosen: runs that it does not show stay as they were."""
    before = st.session_state[_FIELD]
    st.session_state[_FIELD] = [key for key in before if key not in shown or key in keys]
    added = [key for key in keys if key not in before]
    room = MOST - len(st.session_state[_FIELD])
    st.session_state[_FIELD] += added[: max(room, 0)]
    if len(added) > room:
        st.session_state[_VERSION] = table_version() + 1
        st.toast(f"At most {MOST} runs can be chosen at once.", icon=":material/info:")


def table_version() -> int:
    """Counts up whenever the table must forget its own idea of what is chosen."""
    return st.session_state.setdefault(_VERSION, 0)


def _redraw_table() -> None:
    st.session_state[_VERSION] = table_version() + 1


def chosen_field(names: dict[str, str]) -> None:
    """The chosen runs as a field that is filled by keyboard.

    Args:
        names: by key, of all runs.
    """
    st.multiselect(
        "Chosen runs",
        list(names),
        format_func=lambda key: names.get(key, key),
        key=_FIELD,
        max_selections=MOST,
        on_change=_redraw_table,
        persist_state="session",
        placeholder="Mark rows above, or choose here",
        help="One run shows its settings; several are compared with the first.",
    )
