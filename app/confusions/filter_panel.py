"""Which pictures count: conditions that combine, for every section of the page."""

import json
from dataclasses import replace

import numpy as np
import streamlit as st

from app.confusions.compared import Compared
from app.confusions.results import index_of, single_class, table_of
from app.links import keep, kept
from recam_core.analysis.picture_filter import PictureFilter, filter_words
from recam_core.errors import UserError

_IN_ADDRESS = "filter"
_FIELDS = ("classes", "any", "number", "size", "score", "score_of", "worse", "better", "margin")


def filter_panel(compared: Compared) -> Compared:
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


def _restore(scope: str, compared: Compared) -> None:
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


def _read(scope: str, compared: Compared, most: int) -> PictureFilter:
    """The filter that the widgets are set to."""

    def value(name: str, usual):
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


def _most_classes(compared: Compared) -> int:
    """How many classes a picture of the set shows at most."""
    truth, image, _ = index_of(compared.methods[0]).truth_entries
    return max(int(np.bincount(image[truth > 0]).max(initial=1)), 1)


def _widgets(scope: str, compared: Compared, most: int) -> None:
    keys, titles = [method.key for method in compared.methods], compared.titles
    common = {"persist_state": "session"}
    st.caption("Every figure and gallery on this page counts only the pictures that meet all of these.")
    classes, any_of = st.columns([3, 1], vertical_alignment="bottom")
    classes.multiselect(
        "Shows the classes", compared.classes.names, key=_key(scope, "classes"), placeholder="Any", **common
    )
    any_of.toggle("Any of them", key=_key(scope, "any"), help="Off: all of them in one picture.", **common)
    if most > 1:
        _range("Number of classes", scope, "number", most, "")
    _range("Size of an object", scope, "size", 100, "%", "Share of the picture, of one of the classes chosen above.")
    score, of = st.columns([2, 1], vertical_alignment="bottom")
    with score:
        _range("mIoU of the picture", scope, "score", 100, "%")
    of.selectbox("of", keys, format_func=titles.__getitem__, key=_valid(scope, "score_of", keys), **common)
    if len(keys) > 1:
        worse, better, margin = st.columns(3, vertical_alignment="bottom")
        worse.selectbox(
            "Where",
            [None, *keys],
            format_func=lambda key: "no matter which" if key is None else titles[key],
            key=_valid(scope, "worse", [None, *keys]),
            **common,
        )
        better.selectbox(
            "is worse than", keys, format_func=titles.__getitem__, key=_valid(scope, "better", keys), **common
        )
        margin.number_input("by points of mIoU", 0, 100, step=1, key=_key(scope, "margin"), **common)
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
