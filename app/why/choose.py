"""The row at the top: which runs, which pictures, which picture."""

import streamlit as st

from app.carried import forget, settled, taken_over
from app.catalogue import Catalogue, Entry, Family
from app.guard import sentences
from app.links import as_list, from_list, keep, kept
from app.map_cache import Inference, make_ready, prediction_of
from app.methods import Method, method_of_entry
from app.one_picture import choose_picture
from app.pictures import Picture
from app.plain_words import plain
from app.shared_state import CHOSEN_RUNS, WHY_PHOTO
from app.why.question import Scene

_NONE = ""


def arrive() -> None:
    """What the address says counts, whatever was chosen here before."""
    forget("why_family")
    forget("why_data")
    forget("why_runs")
    forget("why_shown")
    forget("why_cut")
    st.session_state.pop("why_family", None)
    st.session_state["why_opening"] = True


def choose(catalogue: Catalogue) -> Scene | None:
    """Draw the row; None while there is nothing to look at, and the page says why.

    Raises:
        UserError: a run cannot be read.
    """
    opening = st.session_state.pop("why_opening", False)
    with st.container(key="why_choice"):
        about = "Runs that know the same classes can be compared."
        family, spec, picture = choose_picture(catalogue, "why", about, opening, _from_explore)
        entries = _runs(family, opening)
    if spec is None:
        return None
    if picture is None:
        st.info("Put in a photo to ask these runs about it.", icon=":material/add_photo_alternate:")
        return None
    methods: list[Method] = []
    how = Inference()
    for entry in entries:
        with sentences():
            method = method_of_entry(entry)
            make_ready(method, picture, how)
            methods.append(method)
    if not methods:
        return None
    # A picture without labels: what the first network sees in it.
    present = picture.labels or tuple(sorted(prediction_of(methods[0], picture)[1]))
    return Scene(family, spec, picture, tuple(methods), present, how)


def _from_explore(family: Family) -> Picture | None:
    """The photo that was put in on Explore, in the classes of this family."""
    of, carried = WHY_PHOTO.get(("", None))
    if carried is None or of != family.key:
        return None
    st.caption(f"Asked about: {plain(carried.title)}, which was put in on the page Explore.")
    return carried


def _runs(family: Family, opening: bool) -> list[Entry]:
    """The run that is asked, and the one after it."""
    by_key = {entry.key: entry for entry in family.entries}
    pair = family.pair or tuple(family.entries[:2])
    usual = (pair[0].key, pair[1].key if len(pair) > 1 else _NONE)
    named = tuple(key for key in from_list(kept("runs")) if key in by_key)[:2]
    before = f"why_before_{family.key}"
    after = f"why_after_{family.key}"
    elsewhere = taken_over(CHOSEN_RUNS, family.key, "why_runs", bool(named)) or ()
    known = [key for key in elsewhere if key in by_key]
    wanted: tuple[str, ...] = (known[0], known[-1]) if len(known) > 1 else ()
    if not wanted and opening:
        wanted = named
    if wanted:
        st.session_state[before] = wanted[0]
        st.session_state[after] = wanted[1] if len(wanted) > 1 else _NONE
    if st.session_state.get(before) not in by_key:
        st.session_state[before] = usual[0]
    if st.session_state.get(after, usual[1]) not in (*by_key, _NONE) or after not in st.session_state:
        st.session_state[after] = usual[1]
    left, right = st.columns(2, gap="medium")
    first = left.selectbox(
        "Before", list(by_key), format_func=lambda key: by_key[key].title, key=before, persist_state="session",
        help="The run that is asked: its wrong regions are listed, and its answer comes first.",
    )  # fmt: skip
    others = [key for key in by_key if key != first]
    if st.session_state[after] == first:
        st.session_state[after] = _NONE
    second = right.selectbox(
        "After", [*others, _NONE], format_func=lambda key: by_key[key].title if key else "none", key=after,
        persist_state="session",
        help="The run that the answer is held against, such as ReCAM. Each run is read by the rule it was trained for.",
    )  # fmt: skip
    chosen = tuple(key for key in (first, second) if key)
    settled(CHOSEN_RUNS, family.key, "why_runs", chosen, bool(named))
    keep("runs", as_list(chosen), as_list([key for key in usual if key]))
    return [by_key[key] for key in chosen]
