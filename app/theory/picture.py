"""Which runs and which picture the sections look at: as chosen on other pages, or here."""

from dataclasses import dataclass

import streamlit as st

from app.carried import can_be_shown, choose_family, first_picture, matched, settled, taken_over
from app.catalogue import Catalogue, Entry, Family
from app.links import keep, kept
from app.pictures import Picture, picture_of_set
from app.shared_state import CHOSEN_DATA, CHOSEN_PICTURE


@dataclass(frozen=True)
class ChosenPicture:
    """A picture and the family whose runs look at it.

    Attributes:
        family: of runs.
        spec: of the data set.
        picture: in the classes of the family.
    """

    family: Family
    spec: str
    picture: Picture


def choose_picture(catalogue: Catalogue) -> ChosenPicture:
    """Draw the choice.

    Raises:
        UserError: the data set or the picture cannot be used.
    """
    left, middle, right = st.columns([1, 1.2, 1.2], gap="medium")
    with left:
        family = choose_family(catalogue, "theory_family", "Whose networks are asked.")
    spec = _spec(family)
    with middle:
        st.text_input(
            "Pictures", value=spec, disabled=True, key=f"theory_spec_{family.key}_{spec}",
            help="The pictures that were chosen last on Explore, Confusions or Why; choose others there.",
        )  # fmt: skip
    found, match = matched(family, spec)
    ids = list(found.ids)
    key = f"theory_picture_{spec}"
    named = kept("picture")
    elsewhere = taken_over(CHOSEN_PICTURE, spec, "theory_shown", bool(named))
    first = first_picture(family, spec, ids)
    if elsewhere in ids:
        st.session_state[key] = elsewhere
    elif st.session_state.get(key) not in ids:
        st.session_state[key] = named if named in ids else first
    with right:
        chosen = st.selectbox(
            "Picture", ids, key=key, persist_state="session", help="Type to search; shared with the other pages."
        )
    settled(CHOSEN_PICTURE, spec, "theory_shown", chosen, bool(named))
    keep("picture", chosen, first)
    return ChosenPicture(family, spec, picture_of_set(found, ids.index(chosen), match))


def _spec(family: Family) -> str:
    """The data set that other pages look at, where it can be shown here; else the family's own."""
    key = f"theory_data_{family.key}"
    elsewhere = taken_over(CHOSEN_DATA, family.key, "theory_data")
    if elsewhere is not None:
        st.session_state[key] = elsewhere
    spec = st.session_state.get(key) or family.pictures
    settled(CHOSEN_DATA, family.key, "theory_data", spec)
    return spec if can_be_shown(family, spec) else family.pictures


def choose_run(family: Family, key: str, label: str, usual: Entry | None, help: str) -> Entry:
    """One run of the family."""
    by_key = {entry.key: entry for entry in family.entries}
    key = f"{key}_{family.key}"
    if st.session_state.get(key) not in by_key:
        st.session_state[key] = (usual or family.entries[0]).key
    chosen = st.selectbox(
        label, list(by_key), format_func=lambda one: by_key[one].title, key=key, persist_state="session", help=help
    )
    return by_key[chosen]
