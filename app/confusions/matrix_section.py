"""The confusion matrix of a method, or what changed between two, beside the pictures of the pressed cell."""

from html import escape

import numpy as np
import pandas as pd
import streamlit as st

from app.confusions.compared import Compared
from app.confusions.gallery import gallery, method_choice, pixel_choice
from app.confusions.ink import Ink, ink
from app.confusions.matrix_cells import difference_cells, matrix_cells
from app.confusions.matrix_chart import PRESSED, PRESSED_FIELDS, matrix_chart
from app.confusions.plain_words import plain
from app.confusions.pressed import key_while, point
from app.confusions.results import confusions_of, order_of, scores_of
from app.confusions.selection import Selection, select
from app.links import keep, kept
from recam_core.analysis.csv_tables import confusion_csv

_SHARES, _PIXELS = "share of each class", "pixels"
#: Lines of each list: what a thumb scrolls through before the pictures come.
_LISTED = 8


def matrix_section(compared: Compared, wanted: Selection) -> None:
    """Draw the section."""
    chart_column, gallery_column = st.columns([1.12, 1], gap="large")
    with chart_column:
        key = method_choice(compared)
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            less = _less(compared, key)
            unit = _unit()
            st.space("stretch")
            _download(compared, key, less, unit == _SHARES)
        _matrix(compared, key, less, unit == _SHARES, wanted)
    with gallery_column:
        pixel_choice(compared, wanted)
        gallery(compared, key, wanted, scores_of(compared, key), columns=3)


def _less(compared: Compared, key: str) -> str:
    """The method whose matrix is taken off, or "" for none."""
    others = [method.key for method in compared.methods if method.key != key]
    wanted = st.session_state.setdefault("confusions_less_method", kept("less"))
    st.session_state["confusions_less_choice"] = wanted if wanted in others else ""
    chosen = st.selectbox(
        "Compared with",
        ["", *others],
        format_func=lambda other: "on its own" if not other else f"change from {compared.titles[other]}",
        key="confusions_less_choice",
        label_visibility="collapsed",
        width=260,
        on_change=lambda: st.session_state.update(confusions_less_method=st.session_state["confusions_less_choice"]),
        disabled=not others,
    )
    keep("less", chosen)
    return chosen


def _unit() -> str:
    begin = _PIXELS if kept("unit") == "pixels" else _SHARES
    chosen = st.segmented_control(
        "Cells show",
        [_SHARES, _PIXELS],
        default=begin,
        required=True,
        key="confusions_matrix_unit",
        persist_state="session",
        label_visibility="collapsed",
    )
    keep("unit", "pixels" if chosen == _PIXELS else "")
    return chosen or _SHARES


def _matrix(compared: Compared, key: str, less: str, normalised: bool, wanted: Selection) -> None:
    colours, names, confusions = ink(), compared.names, confusions_of(compared)
    marked = wanted.cells(len(names))
    if less:
        cells = difference_cells(
            confusions[less], confusions[key], names, order_of(compared), marked, normalised, colours
        )
    else:
        cells = matrix_cells(confusions[key], names, order_of(compared), marked, normalised, colours)
    title = compared.titles[key] + (f" less {compared.titles[less]}" if less else "")

    def cell(key: str) -> tuple[int, ...] | None:
        return point(key, PRESSED, PRESSED_FIELDS)

    chart = key_while("confusions_matrix", lambda key: cell(key) in (None, (wanted.truth, wanted.predicted)))
    with st.container(key="confusions_matrix"):
        st.altair_chart(
            matrix_chart(cells, [names[value] for value in order_of(compared).tolist()], bool(less), colours),
            key=chart,
            on_select=lambda: select(*cell(chart)) if cell(chart) else None,
            width="stretch",
            alt=f"Confusion matrix of {title}. The lists beside it choose a cell by keyboard; CSV gives its numbers.",
        )
        background = (
            "lost to the background, or claimed from it" if compared.classes.has_background else "left unlabelled"
        )
        _legend(bool(less), background, colours)
    _lists(cells, normalised)


def _lists(cells: pd.DataFrame, normalised: bool) -> None:
    """The cells that say most, as lines to press: in a narrow window they stand in the place of the matrix, whose cells
    are too small there for a finger (app.confusions.style shows the one or the other)."""
    apart = cells[(cells["truth_value"] != cells["predicted_value"]) & (cells["words"] != "")]
    with st.container(key="confusions_matrix_lists", gap="small"):
        rules = []
        if "change" in cells:
            size = apart["change" if normalised else "pixels_change"]
            rules += _list("Taken back, most first", apart[size < 0], size[size < 0].abs(), normalised)
            rules += _list("More confused than before, most first", apart[size > 0], size[size > 0], normalised)
        else:
            rules += _list("Most confused first", apart, apart["share" if normalised else "pixels"], normalised)
        if not rules:
            st.caption("No cell beside the right ones is worth a number.")
        else:
            st.html(f"<style>{''.join(rules)}</style>")


def _list(heading: str, cells: pd.DataFrame, size: pd.Series, normalised: bool) -> list[str]:
    """Draw one list; the rules of style that make a bar of each line."""
    if not len(cells):
        return []
    st.markdown(f"**{heading}**")
    rules, most = [], float(size.max())
    for place in size.sort_values(ascending=False, kind="stable").index[:_LISTED]:
        cell = cells.loc[place]
        line = f"{cell['truth_value']}_{cell['predicted_value']}"
        unit = "" if not normalised else " points" if "change" in cells else " %"
        number = plain(f"{cell['words']}{unit}")
        st.button(
            f"**{number}** {plain(cell['truth'])} → {plain(cell['predicted'])}",
            key=f"confusions_line_{line}",
            type="primary" if cell["marked"] else "secondary",
            width="stretch",
            on_click=select,
            args=(int(cell["truth_value"]), int(cell["predicted_value"])),
        )
        if not cell["marked"]:
            bar = f"linear-gradient(90deg, {cell['colour']}66 {100 * size[place] / most:.0f}%, transparent 0)"
            rules.append(f".st-key-confusions_line_{line} button {{ background-image: {bar} !important; }}")
    return rules or [" "]


def _legend(is_difference: bool, background: str, colours: Ink) -> None:
    def bar(*stops: str) -> str:
        return f'<i class="ramp" style="width:7rem;background:linear-gradient(90deg,{",".join(stops)})"></i>'

    if is_difference:
        words = f"<span>better {bar(*colours.better[::-1], colours.middle, *colours.worse)} worse</span>"
        words += "<span>fewer confused or more right pixels are better</span>"
    else:
        words = f"<span>right {bar(colours.middle, *colours.better)}</span>"
        words += f"<span>given to a wrong class {bar(*colours.confused)}</span>"
        words += f"<span>{escape(background)} {bar(colours.middle, *colours.given)}</span>"
    st.html(f'<div class="legend">{words}</div>')


def _download(compared: Compared, key: str, less: str, normalised: bool) -> None:
    def content() -> str:
        confusions = confusions_of(compared)
        table = confusions[key].astype(np.float64)
        if less and normalised:
            wholes = (confusions[each].sum(axis=1, keepdims=True) for each in (key, less))
            shares = [confusions[each] / np.maximum(whole, 1) for each, whole in zip((key, less), wholes, strict=True)]
            return confusion_csv(shares[0] - shares[1], compared.classes, order_of(compared))
        table = confusions[key] - confusions[less] if less else confusions[key]
        return confusion_csv(table, compared.classes, order_of(compared), normalised)

    st.download_button(
        "CSV",
        content,
        file_name="confusion_matrix.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        help="The matrix as it is shown.",
    )
