"""Class by class: what each method gains, and where the pixels of one class go."""

from collections.abc import Callable

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from app.chart import csv_button, key_while, palette, pressed_number, show_chart
from app.confusions.comparison import Comparison, gain_of, scores_of
from app.confusions.gallery import gallery, method_choice, pixel_choice
from app.confusions.selection import ANY, Selection, kept_choice, select
from app.plain_words import plain
from recam_core.analysis.confusions import OTHERS, class_flows
from recam_core.analysis.csv_tables import flow_csv, gain_csv
from recam_core.analysis.gains import ClassGain
from recam_core.views.charts.class_iou import MEAN, gain_rows, iou_chart
from recam_core.views.charts.flow import flow_chart
from recam_core.views.charts.gains import gain_chart

#: Predictions with a bar of their own in a diagram; the rest share one.
MOST_OTHERS = 3


def classes_section(compared: Comparison, wanted: Selection) -> None:
    """Draw the section."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        key = method_choice(compared)
        reference = _reference(compared, key)
        gain = gain_of(compared, key, reference)
        st.space("stretch")
        _downloads(compared, key, gain)
    gains_column, flow_column = st.columns([1.45, 1], gap="large")
    with gains_column:
        _gains(compared, key, gain, wanted)
    with flow_column:
        _flows(compared, wanted)
    pixel_choice(compared, wanted)
    gallery(compared, key, wanted, scores_of(compared, key), columns=6)


def _reference(compared: Comparison, key: str) -> str:
    """The method that gains are over; with one method alone, itself."""
    others = [method.key for method in compared.methods if method.key != key]
    if not others:
        return key
    return kept_choice(
        "Gain over",
        {other: f"gain over {compared.titles[other]}" for other in others},
        key="confusions_over_choice",
        wanted="confusions_over_method",
        parameter="over",
        usual=others[0],
        width=240,
    )


def _gains(compared: Comparison, key: str, gain: ClassGain, wanted: Selection) -> None:
    place = gain.keys.index(key)
    colours, titles = palette(), compared.titles
    alone = gain.reference == key
    left, right = (st.container(), None) if alone else st.columns(2, gap="medium")
    dots = iou_chart(gain, titles, colours)
    with left:
        _class_chart("confusions_iou_chart", dots, int, wanted, "IoU of each class by each method")
    if right is None:
        return
    rows, values = gain_rows(gain, key, looked_at=wanted.truth if wanted.predicted == ANY else None)
    if not rows:
        return
    with right:
        chart = gain_chart(rows, colours, title="gain in IoU, points, with 95% interval")
        # A line of one chart goes on in the other.
        chart.update_layout(height=dots.layout.height, margin_t=dots.layout.margin.t, xaxis_fixedrange=True)
        alt = f"What {titles[key]} gains over {titles[gain.reference]} by class, with intervals"
        _class_chart(
            "confusions_gain_chart",
            chart,
            lambda place: values[place] if place < len(values) else MEAN,
            wanted,
            alt,
        )
    clear = int(gain.beyond_noise[place].sum())
    words = (
        f"{plain(titles[key])} less {plain(titles[gain.reference])}. Intervals say how far a gain would move with "
        f"other pictures: {clear} of {len(gain.names)} classes differ by more than that, the grey ones may be noise."
    )
    if once := [gain.names[row] for row in np.flatnonzero(gain.seen_once)]:
        words += f" Seen in one picture at most, so without an interval: {', '.join(map(plain, once))}."
    st.caption(words)


def _class_chart(name: str, chart: go.Figure, value_of: Callable[[int], int], wanted: Selection, words: str) -> None:
    """A chart of classes: a press on one shows where its pixels go.

    Args:
        name: of the chart.
        chart: whose marks stand for a number each.
        value_of: the class that a number stands for, or MEAN.
        wanted: what is looked at.
        words: what the chart shows.
    """

    def value(key: str) -> int | None:
        found = pressed_number(key, 1)
        return None if found is None or value_of(found[0]) == MEAN else value_of(found[0])

    def press() -> None:
        if (found := value(key)) is not None:
            select(found, ANY)

    key = key_while(name, lambda key: value(key) is None or (value(key), ANY) == (wanted.truth, wanted.predicted))
    with st.container(key=name):
        show_chart(
            chart,
            key=key,
            modes=("points",),
            name=name.removeprefix("confusions_"),
            on_press=press,
            alt=f"{words}. The list beside it chooses a class by keyboard; the CSV of gains has the numbers.",
        )


def _flows(compared: Comparison, wanted: Selection) -> None:
    """One diagram a method, below one another so that they can be compared."""
    names = compared.names
    values = list(range(0 if compared.classes.has_background else 1, len(names)))
    shown = next((value for value in wanted.values if value in values), values[-1])
    st.session_state["confusions_flow_class"] = shown
    st.selectbox(
        "Where do the pixels go of",
        values,
        format_func=names.__getitem__,
        key="confusions_flow_class",
        on_change=lambda: select(st.session_state["confusions_flow_class"], ANY),
    )
    for place, method in enumerate(compared.methods):
        confusion = scores_of(compared, method.key).confusion
        chart = flow_chart(confusion, [shown], names, palette(), most=MOST_OTHERS)
        st.caption(f"**{plain(compared.titles[method.key])}**")
        if chart is None:
            st.caption("This class does not occur in these pictures.")
            continue
        _flow(f"confusions_flow_{place}", chart, method.key, wanted, _flow_words(confusion, shown, names))
    st.caption("Press the square at the end of a band to see its pictures.")


def _flow(name: str, chart: go.Figure, method: str, wanted: Selection, words: str) -> None:
    """One diagram: a press on the square of a band shows its pixels, of the method that it is drawn for."""

    def band(key: str) -> tuple[int, int] | None:
        found = pressed_number(key, 2)
        return None if found is None else (found[0], ANY if found[1] == OTHERS else found[1])

    def shown(key: str) -> bool:
        is_method = st.session_state.get("confusions_shown_method") == method
        return band(key) is None or (is_method and band(key) == (wanted.truth, wanted.predicted))

    def press() -> None:
        if (found := band(key)) is not None:
            st.session_state["confusions_shown_method"] = method
            select(*found)

    key = key_while(name, shown)
    with st.container(key=name):
        show_chart(chart, key=key, modes=("points",), name="class_flow", on_press=press, alt=words)


def _flow_words(confusion: np.ndarray, truth: int, names: tuple[str, ...]) -> str:
    """The diagram for those who cannot see it."""
    flows = class_flows(confusion, [truth], most=MOST_OTHERS)
    parts = (f"{'others' if flow.predicted == OTHERS else names[flow.predicted]} {flow.share:.1%}" for flow in flows)
    return (
        f"Pixels of {names[truth]}: {', '.join(parts)}. The lists below choose what they were taken for, by keyboard."
    )


def _downloads(compared: Comparison, key: str, gain: ClassGain) -> None:
    csv_button(
        lambda: gain_csv(gain, compared.titles),
        "class_gains",
        key="confusions_gains_csv",
        help="IoU and gains of every class and method, with intervals, as CSV.",
        label="Gains",
    )
    csv_button(
        lambda: flow_csv(scores_of(compared, key).confusion, compared.classes),
        "class_flows",
        key="confusions_flows_csv",
        help=f"Where the pixels of every class go by {plain(compared.titles[key])}, as CSV.",
        label="Flows",
    )
