"""The pairs of classes that are confused most: as a list, and against how often the two occur together."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.chart import csv_button, frames_nothing, key_while, marked_rows, palette, pressed_numbers, show_chart
from app.confusions.comparison import Comparison, pairs_of, scores_of
from app.confusions.gallery import gallery, method_choice, pixel_choice
from app.confusions.selection import MOST_PAIRS, Selection, select_cells
from app.links import keep, kept
from recam_core.analysis.confusions import ConfusedPair
from recam_core.analysis.csv_tables import pairs_csv
from recam_core.views.charts.pairs import pairs_chart

#: Rows of the list, and points of the plot; CSV has all pairs, of which 80 classes have 6,320.
_LISTED, _DRAWN = 200, 1_000
_READING = (
    "A point far up on the left is confused though the two are seldom seen together: co-occurrence is not the cause. "
    "Far right and far up, it may well be. Larger points stand for more pixels. Several pairs are chosen by lasso or "
    "box, which are in the bar above the plot, or by marking rows of the list."
)


def pairs_section(compared: Comparison, wanted: Selection) -> None:
    """Draw the section."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        key = method_choice(compared)
        with_background = _with_background(compared)
        st.space("stretch")
        pairs = pairs_of(compared, with_background, _DRAWN)
        csv_button(
            lambda: pairs_csv(pairs_of(compared, with_background), compared.classes, compared.titles),
            "confused_pairs",
            key="confusions_pairs_csv",
            help="All pairs, with every method's figures.",
        )
    # Sorted by the method that is looked at.
    pairs = sorted(pairs, key=lambda pair: -pair.pixels[key])
    if not pairs:
        st.info("No class is taken for another one here.", icon=":material/sentiment_satisfied:")
        return
    list_column, chart_column = st.columns([1.5, 1], gap="large")
    with list_column, st.container(key="confusions_pairs_list"):
        _list(compared, key, pairs[:_LISTED], wanted)
    with chart_column:
        _plot(compared, key, pairs, wanted)
        st.caption(_READING + (f" Drawn are the {_DRAWN:,} pairs with most pixels." if len(pairs) == _DRAWN else ""))
    pixel_choice(compared, wanted)
    gallery(compared, key, wanted, scores_of(compared, key), columns=6)


def _with_background(compared: Comparison) -> bool:
    if not compared.classes.has_background:
        return False
    chosen = st.toggle(
        "With the background",
        value=kept("background") == "1",
        key="confusions_pairs_background",
        persist_state="session",
        help="Pixels lost to the background, or claimed from it, are pairs as well.",
    )
    keep("background", "1" if chosen else "")
    return chosen


def _list(compared: Comparison, key: str, pairs: Sequence[ConfusedPair], wanted: Selection) -> None:
    names, titles = compared.names, compared.titles
    frame = pd.DataFrame(
        {
            "ground truth": [names[pair.truth] for pair in pairs],
            "taken for": [names[pair.predicted] for pair in pairs],
            "share": [pair.share[key] for pair in pairs],
            "pixels": [pair.pixels[key] for pair in pairs],
            "pictures": [pair.pictures[key] for pair in pairs],
            "both seen in": [pair.together for pair in pairs],
            **{f"{titles[each.key]} ": [pair.pixels[each.key] for pair in pairs] for each in compared.methods},
            "methods": [[pair.pixels[each.key] for each in compared.methods] for pair in pairs],
        }
    )
    most = float(frame["share"].max() or 0)
    order = ["ground truth", "taken for", "share", "pixels", "pictures", "both seen in"]
    if len(compared.methods) > 1:
        order += ["methods"] + [f"{titles[each.key]} " for each in compared.methods if each.key != key]

    def marked(table: str) -> list[tuple[int, int]]:
        return [(pairs[row].truth, pairs[row].predicted) for row in marked_rows(table) if row < len(pairs)][:MOST_PAIRS]

    # The list is sorted anew with every threshold: a mark that stayed on its row would mark another pair.
    table = key_while("confusions_pairs_list", lambda table: set(marked(table)) in (set(), set(wanted.each)))
    st.dataframe(
        frame,
        hide_index=True,
        column_order=order,
        height=440,
        key=table,
        on_select=lambda: select_cells(marked(table)) if marked(table) else None,
        selection_mode="multi-row",
        alt=f"Confused pairs of {titles[key]}, most pixels first",
        column_config={
            "share": st.column_config.ProgressColumn(
                f"share, {titles[key]}",
                format="percent",
                min_value=0,
                max_value=most or 1,
                help="Of the ground truth's pixels, the share that was given to the other class.",
            ),
            "pixels": st.column_config.NumberColumn(format="localized", help="So many pixels were lost this way."),
            "pictures": st.column_config.NumberColumn(help="Pictures in which this happens."),
            "both seen in": st.column_config.NumberColumn(help="Pictures whose ground truth shows both classes."),
            "methods": st.column_config.BarChartColumn(
                "change", help="Pixels by method: " + ", ".join(titles.values()), y_min=0, width="small"
            ),
            **{
                f"{titles[each.key]} ": st.column_config.NumberColumn(
                    titles[each.key], format="localized", help=f"Pixels lost this way by {titles[each.key]}."
                )
                for each in compared.methods
            },
        },
    )


def _plot(compared: Comparison, key: str, pairs: Sequence[ConfusedPair], wanted: Selection) -> None:
    logarithmic = st.toggle(
        "Logarithmic",
        value=kept("log") == "1",
        key="confusions_pairs_log",
        persist_state="session",
        help="The upward axis by powers of ten: small shares, which else lie on the floor, are told apart.",
    )
    keep("log", "1" if logarithmic else "")
    place = {(pair.truth, pair.predicted): number for number, pair in enumerate(pairs)}

    def chosen(chart: str) -> list[tuple[int, int]]:
        found = [pair for pair in pressed_numbers(chart, 2) if pair in place]
        return sorted(set(found), key=place.__getitem__)

    # Too many to be looked at together stay as they were drawn around; the gallery has those with most pixels.
    chart = key_while(
        "confusions_pairs_chart",
        lambda chart: set(chosen(chart)[:MOST_PAIRS]) in (set(), set(wanted.each)) and not frames_nothing(chart),
    )
    with st.container(key="confusions_pairs_chart"):
        show_chart(
            pairs_chart(
                pairs,
                compared.names,
                compared.titles,
                palette(),
                shown=[key],
                marked=wanted.each,
                logarithmic=logarithmic,
            ),
            key=chart,
            modes=("points", "box", "lasso"),
            name="confused_pairs",
            on_press=lambda: select_cells(chosen(chart)) if chosen(chart) else None,
            alt="Each pair of classes by how often the two occur together and how much they are confused. The list "
            "beside it chooses pairs by keyboard.",
        )
    if len(chosen(chart)) > MOST_PAIRS:
        st.caption(f"Of the {len(chosen(chart)):,} pairs chosen, the {MOST_PAIRS} with most pixels are looked at.")
