"""The row at the top: which runs, on which pictures, cut at which background threshold, and which pictures count."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from app.analysed import analyse_panel, analysed_of, can_be_scored
from app.carried import choose_family, choose_runs, settled, taken_over
from app.catalogue import Catalogue, Family
from app.confusions.band import band_choice, within
from app.confusions.comparison import Comparison, index_of, single_class, table_of
from app.links import keep, kept
from app.plain_words import plain
from app.recorded_pictures import Recorded, recorded, say_missing
from app.shared_state import CHOSEN_DATA, CHOSEN_THRESHOLD, OWN_THRESHOLD, threshold_scope
from recam_core.analysis.analysed import Analysed
from recam_core.analysis.picture_filter import PictureFilter, filter_words
from recam_core.data.spec import KINDS
from recam_core.errors import UserError
from recam_core.scores.thresholds import USUAL_THRESHOLD

_IN_ADDRESS = "filter"
_FIELDS = ("classes", "any", "number", "size", "score", "score_of", "worse", "better", "margin")
#: More methods than this cannot be told apart in the charts.
MOST_METHODS = 6
_SPEC_HELP = (
    "The pictures and their split. Type any data set with masks of the same classes on the computer that runs the app, "
    "written as one of\n" + "\n".join(f"- `{kind.form}`: {kind.what}" for kind in KINDS.values())
)


def choose(catalogue: Catalogue) -> Comparison | None:
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
            help = "The first one is what the others are compared with."
            entries = choose_runs(family, "Methods", "confusions_methods", MOST_METHODS, help)
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
        threshold_column, band_column, filter_column = st.columns(
            [3, 1.3, 1.3], gap="medium", vertical_alignment="bottom"
        )
        with band_column:
            band = band_choice()
        with threshold_column:
            thresholds, one = _thresholds(ready)
        if band is not None:
            counted = within(ready, spec, band)
            if counted is None:
                return None
            ready = counted
        compared = Comparison(family, spec, tuple(ready), thresholds, one)
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
    """The threshold of each method, and the one that was set for all, if one was.

    A slider and a switch: with a background the switch is on for each method's own threshold; without one it is on for
    the slider's, and a method's own is to leave no pixel out.
    """
    classes = methods[0].counts.classes
    is_cut = classes.has_background
    own_ones = [method.threshold for method in methods if is_cut and method.threshold is not None]
    named = _number(kept("threshold"))
    usual = named if named is not None else own_ones[0] if own_ones else USUAL_THRESHOLD
    switched = "confusions_own" if is_cut else "confusions_cut"
    slid = "confusions_threshold" if is_cut else "confusions_label_threshold"
    # Not the widgets' defaults, as moving the slider sets the switch as well, and other pages set both.
    st.session_state.setdefault(switched, (named is None) == is_cut)
    st.session_state.setdefault(slid, float(np.round(usual, 2)))
    elsewhere = taken_over(CHOSEN_THRESHOLD, threshold_scope(classes), slid, named is not None)
    if elsewhere is not None:
        st.session_state[switched] = (elsewhere == OWN_THRESHOLD) == is_cut
        if elsewhere != OWN_THRESHOLD:
            st.session_state[slid] = float(elsewhere)
    slider, switch = st.columns([3, 1.6], gap="small", vertical_alignment="bottom")
    is_on = switch.toggle(
        "Each method's own" if is_cut else "Leave weak pixels out",
        key=switched,
        persist_state="session",
        disabled=is_cut and not own_ones,
        help="Cut each method at the threshold that was chosen for it on a part of the training pictures. Moving the "
        "slider sets one threshold for all, and every figure on this page follows."
        if is_cut
        else "These classes cover whole pictures. Off, every pixel goes to the class with the greatest activation. On, "
        "pixels at or below the threshold stay unlabelled and count as missed.",
    )

    def slide() -> None:
        st.session_state[switched] = not is_cut

    one = slider.slider(
        "Background threshold" if is_cut else "Threshold for labelling",
        0.0,
        1.0,
        step=0.01,
        key=slid,
        persist_state="session",
        disabled=not (is_cut or is_on),
        on_change=slide,
        help="Pixels whose greatest activation is at or below it go to the background." if is_cut else None,
    )
    own = is_on == is_cut
    shared = OWN_THRESHOLD if own else round(one, 2)
    settled(CHOSEN_THRESHOLD, threshold_scope(classes), slid, shared, named is not None)
    if not own or (is_cut and not own_ones):
        keep("threshold", f"{one:g}")
        return dict.fromkeys((method.key for method in methods), one), one
    keep("threshold", "")
    # A method that has none of its own goes by the slider.
    without = one if is_cut else None
    return {m.key: m.threshold if is_cut and m.threshold is not None else without for m in methods}, None


def _number(text: str) -> float | None:
    """A share from the address; None for anything else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= 1 else None


# Which pictures count -------------------------------------------------------------------------------------------------


def filter_panel(compared: Comparison) -> Comparison:
    """Draw the button behind which the filters are; the comparison over the pictures that pass."""
    scope = f"{compared.family.key}_{compared.spec}"
    _restore(scope, compared)
    # The button says how many pass, so it is drawn after its content is known; the values are in the session already.
    most = _most_classes(compared)
    wanted = _read(scope, compared, most)
    # Without filters no table is made: it takes longest of all that the page computes.
    count = pictures = len(compared.methods[0].counts)
    passes = None
    if not wanted.is_empty:
        passes = wanted.apply(table_of(compared))
        count = int(passes.sum())
    label = f"All {pictures:,} pictures" if passes is None else f"{count:,} of {pictures:,} pictures"
    single = int(single_class(compared).sum())
    with st.popover(label, icon=":material/filter_alt:", width="stretch", key="confusions_filter_button"):
        _widgets(scope, compared, most)
        with_single = _single_switch(single)
    compared = replace(compared, with_single=with_single)
    keep(_IN_ADDRESS, "" if passes is None else json.dumps(wanted.to_dict(), separators=(",", ":")))
    if passes is None:
        return compared
    if not count:
        st.warning("No picture passes these filters; all are shown.", icon=":material/filter_alt_off:")
        return compared
    words = filter_words(wanted, compared.classes, compared.titles)
    return replace(compared, chosen=np.packbits(passes).tobytes(), filter_words=words)


def _single_switch(single: int) -> bool:
    """Whether pictures that tell nothing are listed; asked only where there are such pictures."""
    if not single:
        return False
    wanted = st.toggle(
        f"List the {single:,} of a single class" if single > 1 else "List the one of a single class",
        value=kept("single") == "1",
        key="confusions_with_single",
        persist_state="session",
        help="A picture of a single class and no background tells nothing: every method gives it all pixels. Off, it "
        "is left out of galleries, lists and means of pictures. The figures of all pixels hold it either way.",
    )
    keep("single", "1" if wanted else "")
    return wanted


def _key(scope: str, name: str) -> str:
    return f"confusions_filter_{name}_{scope}"


def _restore(scope: str, compared: Comparison) -> None:
    """Take the filters from the address, once; what cannot be read is left out with a sentence."""
    if st.session_state.setdefault("confusions_filter_taken", False):
        return
    st.session_state["confusions_filter_taken"] = True
    text = kept(_IN_ADDRESS)
    if not text:
        return
    try:
        named = PictureFilter.from_dict(json.loads(text))
        named.apply(table_of(compared))
    except (UserError, ValueError, RecursionError):
        st.warning("The filters in this link do not fit these pictures; all are shown.", icon=":material/link_off:")
        return
    names = compared.classes.names
    values = {
        "classes": [names[k] for k in named.classes],
        "any": named.class_mode == "any",
        "number": named.number,
        "size": None if named.size is None else tuple(round(100 * end) for end in named.size),
        "score": None if named.score is None else tuple(round(100 * end) for end in named.score),
        "score_of": named.score_of or None,
        "worse": named.worse[0] if named.worse else None,
        "better": named.worse[1] if named.worse else None,
        "margin": round(100 * named.margin),
    }
    for name, value in values.items():
        if value is not None:
            st.session_state[_key(scope, name)] = value


def _read(scope: str, compared: Comparison, most: int) -> PictureFilter:
    """The filter that the widgets are set to."""

    def value(name: str, usual: Any) -> Any:
        return st.session_state.get(_key(scope, name), usual)

    keys = [method.key for method in compared.methods]
    number, size, score = value("number", (0, most)), value("size", (0, 100)), value("score", (0, 100))
    worse, better = value("worse", None), value("better", keys[0])
    return PictureFilter(
        classes=tuple(compared.classes.names.index(name) for name in value("classes", [])),
        class_mode="any" if value("any", False) else "all",
        number=None if tuple(number) == (0, most) else tuple(number),
        size=None if tuple(size) == (0, 100) else (size[0] / 100, size[1] / 100),
        score=None if tuple(score) == (0, 100) else (score[0] / 100, score[1] / 100),
        score_of=chosen if (chosen := value("score_of", keys[0])) in keys else keys[0],
        worse=(worse, better) if worse in keys and better in keys and worse != better else None,
        margin=value("margin", 0) / 100,
    )


def _most_classes(compared: Comparison) -> int:
    """How many classes a picture of the set shows at most."""
    truth, image, _ = index_of(compared.methods[0]).truth_entries
    return max(int(np.bincount(image[truth > 0]).max(initial=1)), 1)


def _widgets(scope: str, compared: Comparison, most: int) -> None:
    keys, titles = [method.key for method in compared.methods], compared.titles
    st.caption("Every figure and gallery on this page counts only the pictures that meet all of these.")
    classes, any_of = st.columns([3, 1], vertical_alignment="bottom")
    classes.multiselect(
        "Shows the classes",
        compared.classes.names,
        key=_key(scope, "classes"),
        placeholder="Any",
        persist_state="session",
    )
    any_of.toggle(
        "Any of them", key=_key(scope, "any"), help="Off: all of them in one picture.", persist_state="session"
    )
    if most > 1:
        _range("Number of classes", scope, "number", most, "")
    _range("Size of an object", scope, "size", 100, "%", "Share of the picture, of one of the classes chosen above.")
    score, of = st.columns([2, 1], vertical_alignment="bottom")
    with score:
        _range("mIoU of the picture", scope, "score", 100, "%")
    of.selectbox(
        "of", keys, format_func=titles.__getitem__, key=_valid(scope, "score_of", keys), persist_state="session"
    )
    if len(keys) > 1:
        worse, better, margin = st.columns(3, vertical_alignment="bottom")
        worse.selectbox(
            "Where",
            [None, *keys],
            format_func=lambda key: "no matter which" if key is None else titles[key],
            key=_valid(scope, "worse", [None, *keys]),
            persist_state="session",
        )
        better.selectbox(
            "is worse than",
            keys,
            format_func=titles.__getitem__,
            key=_valid(scope, "better", keys),
            persist_state="session",
        )
        margin.number_input("by points of mIoU", 0, 100, step=1, key=_key(scope, "margin"), persist_state="session")
    st.button(
        "Clear all", icon=":material/filter_alt_off:", on_click=_clear, args=(scope,), key="confusions_filter_clear"
    )


def _range(label: str, scope: str, name: str, most: int, unit: str, help: str | None = None) -> None:
    key = _key(scope, name)
    # A range beyond the limits, as a link may hold it, is cut: the slider would refuse it.
    if key in st.session_state:
        low, high = st.session_state[key]
        st.session_state[key] = (min(low, most), min(high, most))
    else:
        st.session_state[key] = (0, most)
    st.slider(label, 0, most, step=1, format=f"%d{'%%' if unit else ''}", key=key, help=help, persist_state="session")


def _valid(scope: str, name: str, options: list) -> str:
    """The key of a widget, after a value that is no longer offered was dropped."""
    key = _key(scope, name)
    if key in st.session_state and st.session_state[key] not in options:
        del st.session_state[key]
    return key


def _clear(scope: str) -> None:
    for name in _FIELDS:
        st.session_state.pop(_key(scope, name), None)
