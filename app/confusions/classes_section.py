"""Class by class: what each method gains, and where the pixels of one class go."""

import altair as alt
import numpy as np
import pandas as pd
import streamlit as st

from app.confusions.compared import Compared
from app.confusions.flow_chart import GAP, MOST_OTHERS, flow_chart
from app.confusions.flow_chart import PRESSED as PRESSED_BAND
from app.confusions.flow_chart import PRESSED_FIELDS as BAND_FIELDS
from app.confusions.gain_chart import PRESSED, PRESSED_FIELDS, gain_chart, iou_chart, verdict
from app.confusions.gallery import gallery, method_choice, pixel_choice
from app.confusions.ink import ink
from app.confusions.plain_words import plain
from app.confusions.pressed import key_while, point
from app.confusions.results import gain_of, scores_of
from app.confusions.selection import ANY, Selection, select
from app.links import keep, kept
from recam_core.analysis.class_flow import OTHERS, Sankey, sankey_bands
from recam_core.analysis.class_gain import ClassGain
from recam_core.analysis.csv_tables import flow_csv, gain_csv

_MEAN = "mean of all"


def classes_section(compared: Compared, wanted: Selection) -> None:
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


def _reference(compared: Compared, key: str) -> str:
    """The method that gains are over; with one method alone, itself."""
    others = [method.key for method in compared.methods if method.key != key]
    if not others:
        return key
    wanted = st.session_state.setdefault("confusions_over_method", kept("over", others[0]))
    st.session_state["confusions_over_choice"] = wanted if wanted in others else others[0]
    chosen = st.selectbox(
        "Gain over",
        others,
        format_func=lambda other: f"gain over {compared.titles[other]}",
        key="confusions_over_choice",
        label_visibility="collapsed",
        width=240,
        on_change=lambda: st.session_state.update(confusions_over_method=st.session_state["confusions_over_choice"]),
    )
    keep("over", chosen, others[0])
    return chosen


def _gains(compared: Compared, key: str, gain: ClassGain, wanted: Selection) -> None:
    place = gain.keys.index(key)
    order = [_MEAN, *(gain.names[row] for row in gain.order.tolist())]
    colours, titles = ink(), compared.titles
    alone = gain.reference == key
    left, right = (st.container(), None) if alone else st.columns(2, gap="medium")
    with left:
        dots = iou_chart(_dots(compared, gain), order, list(titles.values()), colours)
        _class_chart("confusions_iou_chart", dots, wanted, "IoU of each class by each method")
    if right is None:
        return
    with right:
        words = f"What {titles[key]} gains over {titles[gain.reference]} by class, with intervals"
        _class_chart("confusions_gain_chart", gain_chart(_gain_rows(gain, place), order, colours), wanted, words)
    clear = int(gain.beyond_noise[place].sum())
    words = (
        f"{plain(titles[key])} less {plain(titles[gain.reference])}. Intervals say how far a gain would move with "
        f"other pictures: {clear} of {len(gain.names)} classes differ by more than that, the grey ones may be noise."
    )
    if once := [gain.names[row] for row in np.flatnonzero(gain.seen_once)]:
        words += f" Seen in one picture at most, so without an interval: {', '.join(map(plain, once))}."
    st.caption(words)


def _class_chart(name: str, chart: alt.LayerChart, wanted: Selection, words: str) -> None:
    """A chart of classes: a press on one shows where its pixels go."""

    def pressed(key: str) -> int | None:
        found = point(key, PRESSED, PRESSED_FIELDS)
        return None if found is None or found[0] == ANY else found[0]

    key = key_while(name, lambda key: pressed(key) is None or (pressed(key), ANY) == (wanted.truth, wanted.predicted))
    with st.container(key=name):
        st.altair_chart(
            chart,
            key=key,
            on_select=lambda: None if pressed(key) is None else select(pressed(key), ANY),
            width="stretch",
            alt=words,
        )


def _dots(compared: Compared, gain: ClassGain) -> pd.DataFrame:
    """One row a method and class, and the mean; classes that a method has no IoU of are left out."""
    names, values, once = [*gain.names, _MEAN], [*gain.values.tolist(), ANY], [*gain.seen_once.tolist(), False]
    frames = [
        pd.DataFrame(
            {
                "name": names,
                "value": values,
                "method": compared.titles[method.key],
                "iou": np.append(gain.iou[place], gain.miou[place]),
                "low": np.append(gain.iou_low[place], gain.miou_low[place]),
                "high": np.append(gain.iou_high[place], gain.miou_high[place]),
                "once": once,
            }
        )
        for method in compared.methods
        for place in [gain.keys.index(method.key)]
    ]
    return pd.concat(frames).dropna(subset="iou")


def _gain_rows(gain: ClassGain, place: int) -> pd.DataFrame:
    low = 100 * np.append(gain.gain_low[place], gain.miou_gain_low[place])
    high = 100 * np.append(gain.gain_high[place], gain.miou_gain_high[place])
    return pd.DataFrame(
        {
            "name": [*gain.names, _MEAN],
            "value": [*gain.values.tolist(), ANY],
            "gain": 100 * np.append(gain.gain[place], gain.miou_gain[place]),
            "low": low,
            "high": high,
            "verdict": [verdict(*ends) for ends in zip(low, high, strict=True)],
        }
    ).dropna(subset="gain")


def _flows(compared: Compared, wanted: Selection) -> None:
    """One diagram a method, below one another so that they can be compared."""
    names = compared.names
    values = list(range(0 if compared.classes.has_background else 1, len(names)))
    shown = wanted.truth if wanted.truth != ANY else wanted.predicted
    shown = shown if shown in values else values[-1]
    st.session_state["confusions_flow_class"] = shown
    st.selectbox(
        "Where do the pixels go of",
        values,
        format_func=names.__getitem__,
        key="confusions_flow_class",
        on_change=lambda: select(st.session_state["confusions_flow_class"], ANY),
    )
    for place, method in enumerate(compared.methods):
        sankey = sankey_bands(
            scores_of(compared, method.key).confusion, [shown], most=MOST_OTHERS, bar_width=0.025, gap=GAP
        )
        st.caption(f"**{plain(compared.titles[method.key])}**")
        if not sankey.bands:
            st.caption("This class does not occur in these pictures.")
            continue
        _flow(
            f"confusions_flow_{place}", flow_chart(sankey, names, ink()), method.key, wanted, _flow_words(sankey, names)
        )


def _flow(name: str, chart: alt.LayerChart, method: str, wanted: Selection, words: str) -> None:
    """One diagram: a press on a band shows its pixels, of the method that it is drawn for."""

    def band(key: str) -> tuple[int, int] | None:
        found = point(key, PRESSED_BAND, BAND_FIELDS)
        return None if found is None else (found[0], ANY if found[1] == OTHERS else found[1])

    def shown(key: str) -> bool:
        is_method = st.session_state.get("confusions_shown_method") == method
        return band(key) is None or (is_method and band(key) == (wanted.truth, wanted.predicted))

    def press() -> None:
        if band(key) is not None:
            st.session_state["confusions_shown_method"] = method
            select(*band(key))

    key = key_while(name, shown)
    with st.container(key=name):
        st.altair_chart(chart, key=key, on_select=press, width="stretch", alt=words)


def _flow_words(sankey: Sankey, names: tuple[str, ...]) -> str:
    """The diagram for those who cannot see it."""
    parts = (
        f"{'others' if band.predicted == OTHERS else names[band.predicted]} {band.share:.1%}" for band in sankey.bands
    )
    return f"Pixels of {names[sankey.bands[0].truth]}: {', '.join(parts)}"


def _downloads(compared: Compared, key: str, gain: ClassGain) -> None:
    st.download_button(
        "Gains",
        lambda: gain_csv(gain, compared.titles),
        file_name="class_gains.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        help="IoU and gains of every class and method, with intervals, as CSV.",
    )
    st.download_button(
        "Flows",
        lambda: flow_csv(scores_of(compared, key).confusion, compared.classes),
        file_name="class_flows.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        help=f"Where the pixels of every class go by {plain(compared.titles[key])}, as CSV.",
    )
