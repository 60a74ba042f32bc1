"""How alike the rows of two classes are in FC1 and FC2, before and after."""

import numpy as np
import streamlit as st

from app.carried import choose_family
from app.catalogue import Catalogue, Entry, has_no_runs
from app.chart import palette, pressed, show_chart
from app.links import as_list
from app.plain_words import plain
from app.shared_state import PAGES
from app.theory.picture import choose_run
from recam_core.theory.weights import TITLES, ClassCosines, class_cosines
from recam_core.views.charts.cosines import cosine_chart, cosines_csv


def weights_section(catalogue: Catalogue) -> None:
    """Draw the section. Raises UserError where weights cannot be read."""
    st.markdown(
        "A class's row of weights says what it looks for. Rows that point the same way (cosine similarity near 1) look "
        "for the same features, and their maps light up in the same places. Does ReCAM pull the rows apart?"
    )
    if has_no_runs(catalogue):
        return
    first, second, third = st.columns(3, gap="medium")
    with first:
        family = choose_family(catalogue, "theory_family", "Runs that know the same classes.")
    if len(family.classes) < 2:
        st.info("These runs know a single class.", icon=":material/label:")
        return
    pair = family.pair
    with second:
        before = choose_run(
            family, "theory_before", "Before", pair[0] if pair else None, "The run that the matrix on the left is of."
        )
    with third:
        after = choose_run(
            family, "theory_after", "After", pair[1] if pair else family.entries[-1], "The run on the right."
        )
    found = {place: _cosines(entry) for place, entry in (("before", before), ("after", after))}
    chosen = _pressed(family.key, found["before"])
    reach = max(_reach(one) for one in found.values())
    for column, (place, entry) in zip(st.columns(2, gap="large"), (("before", before), ("after", after)), strict=True):
        with column:
            _matrix(family.key, place, entry, found[place], chosen, reach)
    _told(found["before"], found["after"], before, after, chosen)
    _to_why(family.key, (before, after))


@st.cache_data(max_entries=64, show_spinner=False)
def _read(path: str, weights: str, rule: str, _entry: Entry) -> ClassCosines:
    return class_cosines(_entry.path, _entry.info)


def _cosines(entry: Entry) -> ClassCosines:
    return _read(str(entry.path), entry.info.weights_sha256, entry.info.rule, entry)


def _reach(found: ClassCosines) -> float:
    """The largest similarity of different classes, so that a colour means the same in both matrices."""
    off = ~np.eye(len(found.names), dtype=bool)
    values = np.abs(np.concatenate([matrix[off] for matrix in found.matrices.values()]))
    return max(float(np.nanmax(values)) if np.isfinite(values).any() else 0.0, 0.05)


def _matrix(
    family: str, place: str, entry: Entry, found: ClassCosines, chosen: tuple[int, int] | None, reach: float
) -> None:
    keys = list(found.matrices)
    rows = st.segmented_control(
        "Rows of", keys, format_func=TITLES.__getitem__, required=True,
        default=keys[-1] if place == "after" else keys[0], key=f"theory_rows_{place}_{entry.key}",
        persist_state="session",
        help="FC1 makes BCE-CAM; FC2 is what ReCAM adds; w″ are the weights that the run's maps are made by.",
    )  # fmt: skip
    title = f"{entry.title}: {TITLES[rows]}, mean {found.mean(rows):+.3f}"
    show_chart(
        cosine_chart(found, rows, title, palette(), chosen, reach),
        key=_key(family, place),
        modes=("points",),
        name=f"cosines_{place}",
        csv=cosines_csv(found),
        alt=f"Cosine similarity of the rows of {TITLES[rows]} between classes; the list of pairs chooses by keyboard",
    )


def _key(family: str, place: str) -> str:
    return f"theory_cosines_{place}_{family}"


def _pressed(family: str, found: ClassCosines) -> tuple[int, int] | None:
    """The pair that was pressed in either matrix, else the one in the list."""
    names, count = found.names, len(found.names)
    listed = f"theory_pair_{family}"
    seen = f"theory_pressed_{family}"
    now = {place: tuple(pressed(_key(family, place))[:1]) for place in ("before", "after")}
    last = st.session_state.get(seen, {})
    for place, points in now.items():
        if points and points != last.get(place):
            pair = tuple(int(value) for value in points[0][:2])
            if max(pair) < count:
                st.session_state[listed] = tuple(sorted(pair))
    st.session_state[seen] = now
    options = [(i, j) for i in range(count) for j in range(i + 1, count)]
    closest = [(i, j) for i, j, _ in found.closest("fc1", len(options))]
    order = list(dict.fromkeys([*closest, *options]))
    if st.session_state.get(listed) not in order:
        st.session_state[listed] = order[0]
    return st.selectbox(
        "Pair of classes", order, format_func=lambda pair: f"{names[pair[0]]} and {names[pair[1]]}", key=listed,
        help="The closest pairs of FC1 before come first. A press on a square chooses its pair, too.",
    )  # fmt: skip


def _told(
    before: ClassCosines, after: ClassCosines, first: Entry, second: Entry, chosen: tuple[int, int] | None
) -> None:
    if chosen is None:
        return
    one, other = chosen
    parts = []
    for entry, found in ((first, before), (second, after)):
        if max(chosen) < len(found.names):
            values = ", ".join(f"{matrix[one, other]:+.3f} in {TITLES[key]}" for key, matrix in found.matrices.items())
            parts.append(f"{plain(entry.title)}: {values}")
    st.markdown(f"**{plain(before.names[one])} and {plain(before.names[other])}**: {'; '.join(parts)}.")
    key = "maps" if "maps" in after.matrices else "fc2" if "fc2" in after.matrices else "fc1"
    off = ~np.eye(len(before.names), dtype=bool)
    change = after.matrices[key][off] - before.matrices["fc1"][off]
    if np.isfinite(change).any():
        closer = 100 * float((change[np.isfinite(change)] > 0).mean())
        st.caption(
            f"Over all pairs, {TITLES[key]} of {plain(second.title)} are at {after.mean(key):+.3f} on the mean, FC1 of "
            f"{plain(first.title)} at {before.mean('fc1'):+.3f}; {closer:.0f} % of the pairs came closer."
        )


def _to_why(family: str, entries: tuple[Entry, Entry]) -> None:
    page = PAGES.get({}).get("why")
    if page is None:
        return
    st.page_link(
        page, label="Why: channels that speak for a wrong class", icon=":material/quiz:",
        query_params={"family": family, "runs": as_list([entry.key for entry in entries])},
    )  # fmt: skip
