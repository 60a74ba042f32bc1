"""The row at the top: which runs, on which pictures, cut at which background threshold."""

import numpy as np
import streamlit as st

from app.analysed import analyse_panel, analysed_of, can_be_scored
from app.carried import choose_family, settled, taken_over
from app.catalogue import Catalogue, Entry, Family
from app.confusions.compared import Compared
from app.confusions.filter_panel import filter_panel
from app.links import as_list, from_list, keep, kept
from app.plain_words import plain
from app.recorded_pictures import Recorded, recorded, say_missing
from app.shared_state import CHOSEN_DATA, CHOSEN_RUNS, CHOSEN_THRESHOLD, OWN_THRESHOLD, threshold_scope
from recam_core.analysis.analysed import Analysed
from recam_core.data.spec import KINDS
from recam_core.scores.thresholds import USUAL_THRESHOLD

#: More methods than this cannot be told apart in the charts.
MOST_METHODS = 6
_SPEC_HELP = (
    "The pictures and their split. Type any data set with masks of the same classes on the computer that runs the app, "
    "written as one of\n" + "\n".join(f"- `{kind.form}`: {kind.what}" for kind in KINDS.values())
)


def choose(catalogue: Catalogue) -> Compared | None:
    """Draw the row; None while there is nothing to compare, and the page says why.

    Raises:
        UserError: the data set cannot be opened or has no masks of these classes.
    """
    with st.container(key="confusions_choice"):
        family_column, data_column, methods_column = st.columns([1, 1.2, 2.6], gap="medium")
        with family_column:
            family = choose_family(catalogue, "confusions_family", "Runs that know the same classes can be compared.")
        with data_column:
            found = _recorded(family)
            spec = _spec(family, found)
        with methods_column:
            entries = _entries(family)
        if spec in (family.pictures, found.spec):
            say_missing(found)
        if not found.is_here and spec == found.spec:
            return None
        if not entries:
            st.info("Choose at least one method above.", icon=":material/visibility_off:")
            return None
        ready, missing = analysed_of(family, entries, spec)
        if missing:
            analyse_panel(missing, spec, key="confusions_analyse")
        if not ready:
            return None
        ready = _same_pictures(ready)
        threshold_column, filter_column = st.columns([3.3, 1.5], gap="medium", vertical_alignment="bottom")
        with threshold_column:
            thresholds, one = _thresholds(ready)
        compared = Compared(family, spec, tuple(ready), thresholds, one)
        with filter_column:
            return filter_panel(compared)


def _recorded(family: Family) -> Recorded:
    """What the family's runs were trained on, and where that is."""
    info = (family.by_method("bce") or family.entries[0]).info
    return recorded(info.data, info.class_list)


def _spec(family: Family, found: Recorded) -> str:
    """The data set; the family's own to begin with. What it was trained on is offered where it is here."""
    opened_with, named = st.session_state.setdefault("confusions_data_in_address", (family.key, kept("data")))
    is_named = bool(named) and opened_with == family.key
    key = f"confusions_spec_{family.key}"
    elsewhere = taken_over(CHOSEN_DATA, family.key, "confusions_data", is_named)
    if elsewhere is not None and can_be_scored(family, elsewhere):
        st.session_state[key] = elsewhere
    elif key not in st.session_state:
        st.session_state[key] = named if is_named else family.pictures
    if st.session_state[key] in {entry.info.data for entry in family.entries}:
        st.session_state[key] = found.spec  # they may have come meanwhile
    shown = st.session_state[key] or family.pictures
    trained = [*_splits(found.spec), found.spec] if found.is_here else []
    options = list(dict.fromkeys([family.pictures, shown, *_splits(family.pictures), *trained]))
    typed = st.selectbox(
        "Pictures",
        options,
        accept_new_options=True,
        key=key,
        persist_state="session",
        help=_SPEC_HELP,
    )
    spec = (typed or "").strip() or family.pictures
    settled(CHOSEN_DATA, family.key, "confusions_data", spec, is_named)
    keep("data", spec, family.pictures)
    return spec


def _splits(spec: str) -> list[str]:
    """The other usual split of the same data set."""
    base, at, split = spec.rpartition("@")
    return [f"{base}@{other}" for other in ("val", "train") if other != split] if at else []


def _entries(family: Family) -> list[Entry]:
    by_key = {entry.key: entry for entry in family.entries}
    named = [key for key in from_list(kept("runs")) if key in by_key]
    usual = [entry.key for entry in family.first_choice]
    key = f"confusions_methods_{family.key}"
    elsewhere = [
        one for one in taken_over(CHOSEN_RUNS, family.key, "confusions_methods", bool(named)) or () if one in by_key
    ]
    wanted = elsewhere or st.session_state.get(key, named or usual)
    # A run that was deleted meanwhile is none any more.
    st.session_state[key] = [one for one in wanted if one in by_key][:MOST_METHODS]
    chosen = st.multiselect(
        "Methods",
        list(by_key),
        format_func=lambda key: by_key[key].title,
        key=key,
        persist_state="session",
        max_selections=MOST_METHODS,
        help="The first one is what the others are compared with.",
    )
    settled(CHOSEN_RUNS, family.key, "confusions_methods", tuple(chosen), bool(named))
    keep("runs", as_list(chosen), as_list(usual))
    return [by_key[key] for key in chosen]


def _same_pictures(ready: list[Analysed]) -> list[Analysed]:
    """Those that can be compared picture by picture; a note about the others."""
    first = ready[0].counts
    same = [method for method in ready if method.counts.ids == first.ids and method.counts.classes == first.classes]
    for method in ready:
        if method not in same:
            other, base = plain(method.title), plain(ready[0].title)
            st.warning(f"{other} was scored on other pictures than {base} and is left out.")
    return same


def _thresholds(methods: list[Analysed]) -> tuple[dict[str, float | None], float | None]:
    """The threshold of each method, and the one that was set for all, if one was."""
    if not methods[0].counts.classes.has_background:
        return _thresholds_without_background(methods)
    named = _number(kept("threshold"))
    own_ones = [method.threshold for method in methods if method.threshold is not None]
    slider, switch = st.columns([3, 1.6], gap="small", vertical_alignment="bottom")
    usual = named if named is not None else own_ones[0] if own_ones else USUAL_THRESHOLD
    # Not the widgets' defaults, as moving the slider sets the switch as well, and other pages set both.
    st.session_state.setdefault("confusions_own", named is None)
    st.session_state.setdefault("confusions_threshold", float(np.round(usual, 2)))
    scope = threshold_scope(methods[0].counts.classes)
    elsewhere = taken_over(CHOSEN_THRESHOLD, scope, "confusions_threshold", named is not None)
    if elsewhere is not None:
        st.session_state["confusions_own"] = elsewhere == OWN_THRESHOLD
        if elsewhere != OWN_THRESHOLD:
            st.session_state["confusions_threshold"] = float(elsewhere)
    with switch:
        own = st.toggle(
            "Each method's own",
            key="confusions_own",
            persist_state="session",
            disabled=not own_ones,
            help="Cut each method at the threshold that was chosen for it on a part of the training pictures. Moving "
            "the slider sets one threshold for all, and every figure on this page follows.",
        )
    one = slider.slider(
        "Background threshold",
        0.0,
        1.0,
        step=0.01,
        key="confusions_threshold",
        persist_state="session",
        on_change=lambda: st.session_state.update(confusions_own=False),
        help="Pixels whose greatest activation is at or below it go to the background.",
    )
    value = OWN_THRESHOLD if own else round(one, 2)
    settled(CHOSEN_THRESHOLD, scope, "confusions_threshold", value, named is not None)
    own = own and bool(own_ones)
    keep("threshold", "" if own else f"{one:g}")
    thresholds = {method.key: method.threshold if own and method.threshold is not None else one for method in methods}
    return thresholds, None if own else one


def _thresholds_without_background(methods: list[Analysed]) -> tuple[dict[str, float | None], float | None]:
    named = _number(kept("threshold"))
    slider, switch = st.columns([3, 1.6], gap="small", vertical_alignment="bottom")
    st.session_state.setdefault("confusions_cut", named is not None)
    usual = float(np.round(USUAL_THRESHOLD if named is None else named, 2))
    st.session_state.setdefault("confusions_label_threshold", usual)
    scope = threshold_scope(methods[0].counts.classes)
    elsewhere = taken_over(CHOSEN_THRESHOLD, scope, "confusions_label_threshold", named is not None)
    if elsewhere is not None:
        st.session_state["confusions_cut"] = elsewhere != OWN_THRESHOLD
        if elsewhere != OWN_THRESHOLD:
            st.session_state["confusions_label_threshold"] = float(elsewhere)
    with switch:
        cut = st.toggle(
            "Leave weak pixels out",
            key="confusions_cut",
            persist_state="session",
            help="These classes cover whole pictures. Off, every pixel goes to the class with the greatest activation. "
            "On, pixels at or below the threshold stay unlabelled and count as missed.",
        )
    one = slider.slider(
        "Threshold for labelling",
        0.0,
        1.0,
        step=0.01,
        key="confusions_label_threshold",
        persist_state="session",
        disabled=not cut,
    )
    value = round(one, 2) if cut else OWN_THRESHOLD
    settled(CHOSEN_THRESHOLD, scope, "confusions_label_threshold", value, named is not None)
    keep("threshold", f"{one:g}" if cut else "")
    return {method.key: one if cut else None for method in methods}, one if cut else None


def _number(text: str) -> float | None:
    """A share from the address; None for anything else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None
