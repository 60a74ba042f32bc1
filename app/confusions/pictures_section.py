"""The pictures one by one: how well each method does on them; rows and points can be marked, looked at and tagged."""

import numpy as np
import pandas as pd
import streamlit as st

from app.chart import csv_button, frames_nothing, palette, pressed_numbers, show_chart
from app.confusions.comparison import Comparison, chosen_pictures, listed_pictures, single_class, table_of
from app.confusions.gallery import method_choice, picture_buttons
from app.confusions.moved import Moved, moved_between, orders
from app.confusions.selection import ANY, Selection, kept_choice
from app.confusions.tags import tag_book, tag_list, tag_panel
from app.guard import sentences
from app.links import keep, kept
from app.plain_words import plain
from recam_core.analysis.csv_tables import pictures_csv
from recam_core.analysis.head_to_head import picture_wins
from recam_core.analysis.picture_table import PictureTable, single_class_words
from recam_core.analysis.taken_back import TakenBack
from recam_core.views.charts.pictures import LARGEST, MOST_DRAWN, drawn_pictures, pictures_chart

#: Rows that are sent to the browser: what a person scrolls through, and a page that still opens at once.
_ROWS = 2_000
#: Pictures shown beside the table.
_SHOWN = 12
_WORST, _GAINED, _LOST, _ID = "worst", "gained", "lost", "id"
_LIST, _PLOT = "list", "plot"


def pictures_section(compared: Comparison, wanted: Selection) -> None:
    """Draw the section; ``wanted`` is for the other sections."""
    table = table_of(compared)
    row, below = st.container(horizontal=True, vertical_alignment="center", gap="medium"), st.container()
    with row:
        key = method_choice(compared)
        by = _order_choice(compared, key, table)
    moved = orders(compared, table.reference).get(by)
    with below:
        found = moved_between(compared, table.reference, key) if moved else None
    order = _order(compared, key, table, by, moved, found)
    with row:
        st.space("stretch")
        csv_button(
            lambda: pictures_csv(table, compared.titles, order, found),
            "pictures",
            key="confusions_pictures_csv",
            help="All pictures of the list, in this order.",
        )
    _summary(compared, table)
    table_column, look_column = st.columns([1.6, 1], gap="large")
    with table_column:
        shape = _shape()
        if shape == _PLOT:
            marked = _plot(compared, key, table)
        else:
            marked = _rows(compared, key, table, order, moved, found)
            if len(order) > _ROWS:
                st.caption(f"The first {_ROWS:,} of {len(order):,} pictures in this order; CSV has all.")
    with look_column:
        places, moved = marked or order[:_SHOWN].tolist(), moved if found else None
        how = "press or draw around points" if shape == _PLOT else "mark rows"
        _look(compared, key, table, places, "" if marked else how, moved, found)
    with sentences():
        tag_list(compared)


def _shape() -> str:
    """Whether the pictures stand in a list or in a plot."""
    shape = st.segmented_control(
        "Pictures as",
        [_LIST, _PLOT],
        default=_PLOT if kept("as") == _PLOT else _LIST,
        required=True,
        format_func={_LIST: ":material/table_rows: List", _PLOT: ":material/scatter_plot: Plot"}.__getitem__,
        key="confusions_pictures_as",
        persist_state="session",
        label_visibility="collapsed",
    )
    keep("as", _PLOT if shape == _PLOT else "")
    return shape or _LIST


def _plot(compared: Comparison, key: str, table: PictureTable) -> list[int]:
    """Every picture as a point; positions of those that are chosen by a press, a box or a lasso."""
    titles = compared.titles
    offered = {other: title for other, title in titles.items() if other != key}
    offered |= {LARGEST: "the size of the largest object"}
    across = kept_choice(
        "Against",
        offered,
        key="confusions_pictures_across",
        wanted="confusions_wanted_across",
        parameter="across",
        usual=next(iter(offered)),
        help=f"What the mIoU of {plain(titles[key])} is drawn against.",
        width=320,
        is_labelled=True,
    )
    chosen = listed_pictures(compared)
    positions = drawn_pictures(table, across, key, chosen)
    if not len(positions):
        st.info("No picture has both figures.", icon=":material/search_off:")
        return []
    # A selection is of points of this very plot: any other one begins without, and so does it once it is cleared.
    begun = st.session_state.setdefault("confusions_pictures_plot_number", 0)
    chart = f"confusions_pictures_plot_{compared.spec}_{key}_{across}_{begun}"
    if frames_nothing(chart):
        begun = st.session_state["confusions_pictures_plot_number"] = begun + 1
        chart = f"confusions_pictures_plot_{compared.spec}_{key}_{across}_{begun}"
    with st.container(key="confusions_pictures_plot"):
        show_chart(
            pictures_chart(table, across, key, titles, palette(), positions),
            key=chart,
            modes=("points", "box", "lasso"),
            name="pictures",
            alt=f"Each picture by the mIoU of {titles[key]} against {titles.get(across, 'its largest object')}. The "
            "list marks pictures by keyboard; CSV has the numbers.",
        )
    pictures = len(table) if chosen is None else int(chosen.sum())
    words = (
        "Press a point to see its picture, or draw around several by lasso or box, which are in the bar above the plot."
    )
    if len(positions) == MOST_DRAWN:
        words += f" Drawn are {MOST_DRAWN:,} of {pictures:,} pictures, evenly by their difference; CSV has all."
    st.caption(words)
    drawn = set(positions.tolist())
    marked = [place for (place,) in pressed_numbers(chart, 1) if place in drawn]
    if marked:
        st.button(
            "Let them go",
            icon=":material/deselect:",
            key="confusions_pictures_clear",
            on_click=lambda: st.session_state.update(confusions_pictures_plot_number=begun + 1),
        )
    return marked


def _summary(compared: Comparison, table: PictureTable) -> None:
    """The mean of the pictures, wins and losses, and what is left out of them."""
    wins = picture_wins(table, listed_pictures(compared))
    parts = []
    for place, (key, won) in enumerate(wins.items()):
        text = f"**{plain(compared.titles[key])}** {100 * won.mean:.1f}" if won.pictures else ""
        parts.append(text + (f" (better in {won.better:,}, worse in {won.worse:,})" if place and text else ""))
    words = [f"Mean mIoU of {next(iter(wins.values())).pictures:,} pictures: {', '.join(filter(None, parts))}."]
    single, chosen = single_class(compared), chosen_pictures(compared)
    words.append(single_class_words(int((single if chosen is None else single & chosen).sum()), compared.with_single))
    st.caption(" ".join(filter(None, words)))


def _order_choice(compared: Comparison, key: str, table: PictureTable) -> str:
    """The name of the chosen order."""
    title, first = compared.titles[key], compared.titles[table.reference]
    words = {_WORST: f"worst of {title} first"}
    if key != table.reference:
        words |= {_LOST: f"most lost to {first} first", _GAINED: f"most gained over {first} first"}
        words |= {name: moved.words(title) for name, moved in orders(compared, table.reference).items()}
    words[_ID] = "in the order of the data set"
    return kept_choice(
        "Order",
        words,
        key="confusions_picture_order",
        wanted="confusions_wanted_order",
        parameter="order",
        usual=_WORST,
        width=300,
    )


def _order(
    compared: Comparison, key: str, table: PictureTable, by: str, moved: Moved | None, found: TakenBack | None
) -> np.ndarray:
    """Positions of the pictures that pass the filters, in the chosen order."""
    chosen = listed_pictures(compared)
    positions = np.arange(len(table)) if chosen is None else np.flatnonzero(chosen)
    if moved is not None and found is not None:
        pixels = _moved_pixels(moved, found)
        return positions[np.argsort(-pixels[positions], kind="stable")]
    column = {_WORST: table.miou[key], _LOST: table.difference[key], _GAINED: -table.difference[key]}.get(by)
    return positions if column is None else positions[np.argsort(column[positions], kind="stable")]


def _moved_pixels(moved: Moved, found: TakenBack) -> np.ndarray:
    """N, int64: pixels of each picture that an order is by."""
    if moved.kind is None:
        return found.all_lost if moved.lost else found.all_taken_back
    return (found.lost if moved.lost else found.taken_back)[moved.kind]


def _rows(
    compared: Comparison,
    key: str,
    table: PictureTable,
    order: np.ndarray,
    moved: Moved | None,
    found: TakenBack | None,
) -> list[int]:
    """The table; positions of the marked rows."""
    shown = order[:_ROWS]
    ids = [table.ids[place] for place in shown.tolist()]
    tags: dict[str, list[str]] = {}
    with sentences():
        for entry in tag_book().entries(compared.spec):
            tags.setdefault(entry.picture, []).append(entry.tag)
    titles = compared.titles
    frame = pd.DataFrame(
        {
            "picture": ids,
            "classes": [
                [table.classes.names[k] for k in np.flatnonzero(table.present[place])] for place in shown.tolist()
            ],
            "largest": table.largest[shown],
            **{f"miou {each.key}": table.miou[each.key][shown] for each in compared.methods},
            "change": 100 * table.difference[key][shown],
            "wrong": table.wrong_class[key][shown],
            "tags": [sorted(set(tags.get(picture, []))) for picture in ids],
        }
    )
    if moved is not None and found is not None:
        frame["moved"] = _moved_pixels(moved, found)[shown]
    columns = ["picture", "classes"] + (["moved"] if "moved" in frame else [])
    columns += [*(f"miou {each.key}" for each in compared.methods)]
    columns += (["change"] if key != table.reference else []) + ["wrong", "largest"] + (["tags"] if tags else [])
    event = st.dataframe(
        frame,
        hide_index=True,
        column_order=columns,
        height=560,
        key=f"confusions_pictures_{compared.spec}",
        on_select="rerun",
        selection_mode="multi-row",
        alt="Pictures with their classes and scores",
        column_config={
            "classes": st.column_config.ListColumn(
                help="What the ground truth shows. With a single class and no background every method has 100 %."
            ),
            "largest": st.column_config.NumberColumn(
                "largest object", format="percent", help="Share of the picture that its largest class takes."
            ),
            **{
                f"miou {each.key}": st.column_config.ProgressColumn(
                    f"mIoU {titles[each.key]}", format="percent", min_value=0, max_value=1
                )
                for each in compared.methods
            },
            "moved": st.column_config.NumberColumn(
                moved.words(titles[key]) if moved else "",
                format="localized",
                help=f"In pixels; {titles[key]} against {titles[table.reference]}.",
            ),
            "change": st.column_config.NumberColumn(
                f"to {titles[table.reference]}",
                format="%+.1f",
                help=f"mIoU of {titles[key]} less that of {titles[table.reference]}, in points of per cent.",
            ),
            "wrong": st.column_config.NumberColumn(
                "wrong class", format="percent", help=f"Of the objects' pixels, the share confused by {titles[key]}."
            ),
        },
    )
    return [int(shown[row]) for row in event["selection"]["rows"] if row < len(shown)]


def _look(
    compared: Comparison,
    key: str,
    table: PictureTable,
    places: list[int],
    how: str,
    moved: Moved | None,
    found: TakenBack | None,
) -> None:
    """The marked pictures, or the first ones, with everything outlined that the method has wrong, or that moved.

    Args:
        compared, key: as everywhere.
        table: of the pictures.
        places: positions of the pictures.
        how: others are marked; "" where these are marked ones.
        moved, found: see :func:`app.confusions.gallery.gallery`.
    """
    is_marked = not how
    pages = -(-len(places) // _SHOWN)
    page = min(st.session_state.get("confusions_look_page", 1), pages) if is_marked else 1
    shown = places[(page - 1) * _SHOWN :][:_SHOWN]
    ids = [table.ids[place] for place in places]
    what = f"{len(places):,} marked" if is_marked else f"the first ones; {how} to see others"
    with st.container(horizontal=True, vertical_alignment="center"):
        pixels = f"All wrong pixels of {plain(compared.titles[key])}"
        if moved is not None:
            of_moved = plain(moved.words(compared.titles[key]))
            pixels = f"{of_moved[0].upper()}{of_moved[1:]}, against {plain(compared.titles[table.reference])}"
        st.caption(f"{pixels}, in {what}. Press one to open it in Explore.")
        st.space("stretch")
        with sentences():
            tag_panel(compared, ids if is_marked else ids[:_SHOWN], None)
    words = [f"mIoU {table.miou[key][place]:.0%}" for place in shown]
    if moved is not None and found is not None:
        words = [f"{_moved_pixels(moved, found)[place]:,} px" for place in shown]
    picture_buttons(compared, key, Selection(ANY, ANY), [table.ids[place] for place in shown], words, 3, moved)
    if is_marked and pages > 1:
        st.pagination(pages, max_visible_pages=5, key="confusions_look_page")
