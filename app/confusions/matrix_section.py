"""The confusion matrix of a method, or what changed between two, beside the pictures of the pressed cell."""

from html import escape

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from app.chart import complete, csv_button, key_while, palette, pressed_number, show_chart
from app.confusions.comparison import Comparison, confusions_of, order_of, scores_of
from app.confusions.gallery import gallery, method_choice, pixel_choice
from app.confusions.moved import Moved, moved_between, orders
from app.confusions.selection import Selection, kept_choice, select
from app.links import keep, kept
from app.plain_words import plain
from recam_core.analysis.csv_tables import confusion_csv
from recam_core.scores.band import band_words
from recam_core.views.charts.matrix import MatrixCells, difference_cells, matrix_cells, matrix_chart
from recam_core.views.charts.style import Palette

_SHARES, _PIXELS = "share of each class", "pixels"
_STILL = "still"
#: Lines of each list: what a thumb scrolls through before the pictures come.
_LISTED = 8


def matrix_section(compared: Comparison, wanted: Selection) -> None:
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
        moved = _moved_choice(compared, key, less) if less else None
        found = moved_between(compared, less, key) if moved else None
        if moved is None or found is not None:
            gallery(compared, key, wanted, scores_of(compared, key), 3, moved, found)


def _less(compared: Comparison, key: str) -> str:
    """The method whose matrix is taken off, or "" for none."""
    others = [method.key for method in compared.methods if method.key != key]
    return kept_choice(
        "Compared with",
        {"": "on its own"} | {other: f"change from {compared.titles[other]}" for other in others},
        key="confusions_less_choice",
        wanted="confusions_less_method",
        parameter="less",
        usual="",
        width=260,
        disabled=not others,
    )


def _moved_choice(compared: Comparison, key: str, less: str) -> Moved | None:
    """Beside a difference of two methods: which of the pixels that moved between them; None for what is still wrong."""
    words = {name: moved.words(compared.titles[key]) for name, moved in orders(compared, less, of_cell=True).items()}
    words[_STILL] = f"still wrong by {compared.titles[key]} in this cell"
    chosen = kept_choice(
        "Pictures by",
        words,
        key="confusions_moved_choice",
        wanted="confusions_wanted_moved",
        parameter="moved",
        usual="cell",
        help=f"Taken back: pixels that {plain(compared.titles[less])} has wrong and {plain(compared.titles[key])} "
        "right. Lost: the reverse.",
        is_labelled=True,
    )
    return orders(compared, less, of_cell=True).get(chosen)


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


def _matrix(compared: Comparison, key: str, less: str, normalised: bool, wanted: Selection) -> None:
    colours, names, confusions = palette(), compared.names, confusions_of(compared)
    cells, figure = _drawn(
        confusions[less] if less else None,
        confusions[key],
        tuple(names),
        order_of(compared),
        colours,
        normalised,
        wanted.cells(len(names)),
        compared.band,
    )
    title = compared.titles[key] + (f" less {compared.titles[less]}" if less else "")

    def cell(key: str) -> tuple[int, ...] | None:
        return pressed_number(key, 2)

    def press() -> None:
        if (found := cell(chart)) is not None:
            select(*found)

    chart = key_while("confusions_matrix", lambda key: cell(key) in (None, (wanted.truth, wanted.predicted)))
    with st.container(key="confusions_matrix"):
        show_chart(
            figure,
            key=chart,
            modes=("points",),
            name="confusion_matrix",
            on_press=press,
            alt=f"Confusion matrix of {title}. The lists beside it choose a cell by keyboard; CSV gives its numbers.",
        )
        background = (
            "lost to the background, or claimed from it" if compared.classes.has_background else "left unlabelled"
        )
        _legend(bool(less), background, colours)
    _lists(cells, normalised)


@st.cache_resource(max_entries=128, ttl="30m", show_spinner=False)
def _drawn(
    before: np.ndarray | None,
    confusion: np.ndarray,
    names: tuple[str, ...],
    order: np.ndarray,
    colours: Palette,
    normalised: bool,
    marked: np.ndarray,
    band: int | None,
) -> tuple[MatrixCells, go.Figure]:
    """A matrix, or the difference of two; drawn once for all who look at it, whatever they press beside it.

    Neither is changed by anybody: what is handed out is shared.
    """
    if before is None:
        cells = matrix_cells(confusion, names, order, colours, normalised=normalised, marked=marked)
    else:
        cells = difference_cells(before, confusion, names, order, colours, normalised=normalised, marked=marked)
    figure = matrix_chart(cells, colours)
    if band is not None:
        figure.update_yaxes(title=f"ground truth, {band_words(band)}")
    complete(figure, "confusions_matrix", is_pressed=True)  # or show_chart would change what is shared
    return cells, figure


def _lists(cells: MatrixCells, normalised: bool) -> None:
    """The cells that say most, as lines to press: in a narrow window they stand in the place of the matrix, whose cells
    are too small there for a finger (app.screens.confusions shows the one or the other)."""
    apart = (cells.rows[:, None] != cells.columns) & (cells.words != "")
    with st.container(key="confusions_matrix_lists", gap="small"):
        rules = []
        if cells.before is not None:
            size = cells.change if normalised else cells.pixels_change
            rules += _list("Taken back, most first", cells, apart & (size < 0), np.abs(size), normalised)
            rules += _list("More confused than before, most first", cells, apart & (size > 0), size, normalised)
        else:
            size = cells.share if normalised else cells.pixels
            rules += _list("Most confused first", cells, apart, size, normalised)
        if not rules:
            st.caption("No cell beside the right ones is worth a number.")
        else:
            st.html(f"<style>{''.join(rules)}</style>")


def _list(heading: str, cells: MatrixCells, some: np.ndarray, size: np.ndarray, normalised: bool) -> list[str]:
    """Draw one list; the rules of style that make a bar of each line."""
    places = np.argwhere(some)
    if not len(places):
        return []
    st.markdown(f"**{plain(heading)}**")
    sizes = size[some].astype(np.float64)
    rules, colours = [], cells.colours
    unit = "" if not normalised else " %" if cells.before is None else " points"
    for place in np.argsort(-sizes, kind="stable")[:_LISTED].tolist():
        row, column = places[place].tolist()
        truth, predicted = int(cells.rows[row]), int(cells.columns[column])
        line, marked = f"{truth}_{predicted}", bool(cells.marked[row, column])
        words = plain(f"{cells.words[row, column]}{unit}")
        st.button(
            f"**{words}** {plain(cells.names[truth])} → {plain(cells.names[predicted])}",
            key=f"confusions_line_{line}",
            type="primary" if marked else "secondary",
            width="stretch",
            on_click=select,
            args=(truth, predicted),
        )
        if not marked:
            bar = f"{colours[row, column]}66 {100 * sizes[place] / sizes.max():.0f}%, transparent 0"
            rules.append(
                f".st-key-confusions_line_{line} button "
                f"{{ background-image: linear-gradient(90deg, {bar}) !important; }}"
            )
    return rules or [" "]


def _legend(is_difference: bool, background: str, colours: Palette) -> None:
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


def _download(compared: Comparison, key: str, less: str, normalised: bool) -> None:
    def content() -> str:
        confusions = confusions_of(compared)
        table = confusions[key].astype(np.float64)
        if less and normalised:
            wholes = (confusions[each].sum(axis=1, keepdims=True) for each in (key, less))
            shares = [confusions[each] / np.maximum(whole, 1) for each, whole in zip((key, less), wholes, strict=True)]
            return confusion_csv(shares[0] - shares[1], compared.classes, order_of(compared).tolist())
        table = confusions[key] - confusions[less] if less else confusions[key]
        return confusion_csv(table, compared.classes, order_of(compared).tolist(), normalised)

    csv_button(content, "confusion_matrix", key="confusions_matrix_csv", help="The matrix as it is shown.")
