"""A gallery: the pictures with most pixels of a confusion, those pixels outlined; each opens in Explore."""

from collections.abc import Sequence

import streamlit as st

from app.chart import csv_button
from app.confusions.comparison import Comparison, single_class
from app.confusions.gallery_pictures import moved_pictures, outlined_url, worst_pictures
from app.confusions.moved import Moved
from app.confusions.selection import ANY, Selection, select
from app.confusions.tags import tag_panel
from app.guard import sentences
from app.links import keep, kept, open_explore, open_why
from app.plain_words import plain
from recam_core.analysis.csv_tables import cell_csv, moved_csv
from recam_core.analysis.taken_back import TakenBack
from recam_core.scores.scores import Scores
from recam_core.words import few

#: A page of pictures: full rows in two, three and four columns.
PICTURES_A_PAGE = 12
#: Of several pairs together, so many are named.
_NAMED = 12


def pixel_choice(compared: Comparison, wanted: Selection) -> None:
    """Two lists that name the pixels: the way by keyboard to what a press on a cell does."""
    values = [ANY, *range(0 if compared.classes.has_background else 1, len(compared.names))]
    st.session_state["confusions_choice_truth"], st.session_state["confusions_choice_predicted"] = (
        wanted.truth,
        wanted.predicted,
    )

    def chosen() -> None:
        truth, predicted = st.session_state["confusions_choice_truth"], st.session_state["confusions_choice_predicted"]
        if not truth == predicted == ANY:  # that would leave nothing: the lists go back to what they showed
            select(truth, predicted)

    def words(value: int) -> str:
        anything = "several pairs" if wanted.pairs else "anything else"
        return anything if value == ANY else compared.names[value]

    truth_column, predicted_column = st.columns(2, gap="small")
    truth_column.selectbox("Pixels of", values, format_func=words, key="confusions_choice_truth", on_change=chosen)
    predicted_column.selectbox(
        "taken for", _predicted_values(compared), format_func=words, key="confusions_choice_predicted", on_change=chosen
    )
    _wider(compared, wanted)


def _wider(compared: Comparison, wanted: Selection) -> None:
    """From a cell to its whole row or column."""
    if ANY in (wanted.truth, wanted.predicted):
        return
    with st.container(horizontal=True, gap="medium"):
        for truth, predicted in ((wanted.truth, ANY), (ANY, wanted.predicted)):
            wider = Selection(truth, predicted)
            st.button(
                f"All {plain(wider.words(compared.names))}",
                type="tertiary",
                key=f"confusions_wider_{'row' if predicted == ANY else 'column'}",
                on_click=select,
                args=(truth, predicted),
            )


def _predicted_values(compared: Comparison) -> list[int]:
    return [ANY, *range(len(compared.names))]


def method_choice(compared: Comparison) -> str:
    """Whose pixels: one of the methods, by key."""
    keys = [method.key for method in compared.methods]
    wanted = st.session_state.setdefault("confusions_shown_method", kept("method", keys[-1]))
    st.session_state["confusions_method_choice"] = wanted if wanted in keys else keys[-1]
    chosen = st.segmented_control(
        "Method",
        keys,
        required=True,
        format_func=lambda key: plain(compared.titles[key]),
        key="confusions_method_choice",
        wrap=True,
        label_visibility="collapsed",
        on_change=lambda: st.session_state.update(confusions_shown_method=st.session_state["confusions_method_choice"]),
    )
    keep("method", chosen or keys[-1], keys[-1])
    return chosen or keys[-1]


@st.fragment
def gallery(
    compared: Comparison,
    key: str,
    wanted: Selection,
    scores: Scores,
    columns: int,
    moved: Moved | None = None,
    found: TakenBack | None = None,
) -> None:
    """Draw the pictures; pages turn without redrawing the charts.

    Args:
        compared: what is compared.
        key: the method whose pixels are outlined.
        wanted: which pixels.
        scores: of this method, for what stands above the pictures.
        columns: pictures side by side in a wide window.
        moved: pixels that the method takes back from another, or loses, in place of all that are wrong.
        found: with ``moved``, what these two methods take back.
    """
    if moved is None or found is None:
        positions, pixels = worst_pictures(compared, key, wanted)
    else:
        positions, pixels = moved_pictures(compared, wanted, moved, found)
    with st.container(key="confusions_gallery"):
        if moved is None:
            _heading(compared, key, wanted, scores, len(positions))
        else:
            _moved_heading(compared, key, wanted, moved, int(pixels.sum()), len(positions))
        if not len(positions):
            at = "these thresholds" if moved else "this threshold"
            st.info(f"There are no such pixels of {plain(compared.titles[key])} at {at}.", icon=":material/search_off:")
            return
        pages = -(-len(positions) // PICTURES_A_PAGE)
        name = f"{compared.spec}_{key}_{wanted.name}" + (f"_{moved.name}" if moved else "")
        page = min(st.session_state.get(f"confusions_gallery_page_{name}", 1), pages)
        shown = slice((page - 1) * PICTURES_A_PAGE, page * PICTURES_A_PAGE)
        ids = [compared.methods[0].counts.ids[place] for place in positions[shown].tolist()]
        words = [f"{count:,} px" for count in pixels[shown].tolist()]
        picture_buttons(compared, key, wanted, ids, words, columns, moved)
        paging, buttons = st.columns([1, 1], vertical_alignment="center")
        if pages > 1:
            paging.pagination(pages, max_visible_pages=5, key=f"confusions_gallery_page_{name}")
        with buttons, st.container(horizontal=True, horizontal_alignment="right"):
            with sentences():
                tag_panel(compared, ids, wanted)
            csv_button(
                lambda: (
                    moved_csv(found, positions, pixels, moved.lost)
                    if moved and found
                    else cell_csv(compared.methods[0].counts.ids, positions, pixels)
                ),
                "pictures_of_cell",
                key="confusions_cell_csv",
                help="All pictures with such pixels, worst first.",
            )


def _heading(compared: Comparison, key: str, wanted: Selection, scores: Scores, pictures: int) -> None:
    """What is seen, in words and figures."""
    cells = wanted.cells(len(compared.names))
    total = int(scores.confusion[cells].sum())
    words = plain(wanted.words(compared.names))
    st.markdown(f"#### {words[0].upper()}{words[1:]}")
    share = ""
    if wanted.truth != ANY and (whole := int(scores.confusion[wanted.truth].sum())):
        share = f" ({total / whole:.1%} of {plain(compared.names[wanted.truth])})"
    is_right = wanted.truth == wanted.predicted != ANY
    order = "most first" if is_right else "worst first"
    count = "1 picture" if pictures == 1 else f"{pictures:,} pictures, {order}"
    title = plain(compared.titles[key])
    # Only rightly found pixels are in pictures of a single class.
    single = is_right and not compared.with_single and single_class(compared).any()
    left = " Pictures of a single class are left out." if single else ""
    if wanted.pairs:
        names = compared.names
        pairs = [plain(f"{names[truth]} → {names[predicted]}") for truth, predicted in wanted.pairs]
        st.caption(few(pairs, _NAMED))
    st.caption(f"{title}: {total:,} pixels{share} in {count}.{left} Press one to open it in Explore.")


def _moved_heading(compared: Comparison, key: str, wanted: Selection, moved: Moved, pixels: int, pictures: int) -> None:
    """The same of pixels that were taken back or lost."""
    title, before = plain(compared.titles[key]), plain(compared.titles[moved.before])
    words = plain(wanted.words(compared.names) if moved.of_cell else moved.words(compared.titles[key]))
    st.markdown(f"#### {words[0].upper()}{words[1:]}")
    what = f"{before} has right and {title} wrong" if moved.lost else f"{before} has wrong and {title} right"
    count = "1 picture" if pictures == 1 else f"{pictures:,} pictures, most first"
    st.caption(f"{pixels:,} pixels that {what}, in {count}. Press one to open it in Explore.")


def picture_buttons(
    compared: Comparison,
    key: str,
    wanted: Selection,
    pictures: Sequence[str],
    words: Sequence[str],
    columns: int,
    moved: Moved | None = None,
) -> None:
    """Buttons whose picture is their background, so that they are reached and pressed by keyboard.

    Args:
        compared: what is compared.
        key: the method whose pixels are outlined.
        wanted: which pixels.
        pictures: ids.
        words: what stands on each.
        columns: pictures side by side in a wide window.
        moved: see :func:`gallery`.
    """
    rules = []
    question = _question(compared, wanted)
    with st.container(key=f"confusions_gallery_pictures_{columns}"):
        for place, (picture, word) in enumerate(zip(pictures, words, strict=True)):
            with st.container(key=f"confusions_gallery_one_{place}", gap=None):
                pressed = st.button(
                    word,
                    key=f"confusions_gallery_{place}",
                    help=f"{plain(picture)}: opens in Explore.",
                    width="stretch",
                )
                if st.button(
                    question,
                    key=f"confusions_gallery_why_{place}",
                    type="tertiary",
                    icon=":material/quiz:",
                    help=f"{plain(picture)}: which parts and which channels speak for the wrong class.",
                ):
                    _ask(compared, key, picture, wanted)
            if url := outlined_url(compared, key, picture, wanted, moved):
                rules.append(
                    f".st-key-confusions_gallery_{place} button {{ background-image: url({url}) !important; }}"
                )
            if pressed:
                _open(compared, picture, wanted, moved)
    st.html(f"<style>{''.join(rules)}</style>")


def _question(compared: Comparison, wanted: Selection) -> str:
    """What the button below a picture asks."""
    truth, predicted = _classes_asked(wanted)
    names = compared.names
    return (
        f"Why {plain(names[predicted])}" + (f", not {plain(names[truth])}?" if truth else "?") if predicted else "Why?"
    )


def _classes_asked(wanted: Selection) -> tuple[int, int]:
    """Truth and prediction of the selection as far as they are classes; 0 where one is not. Of what is right, nothing
    is asked."""
    if wanted.truth == wanted.predicted:
        return 0, 0
    return max(wanted.truth, 0), max(wanted.predicted, 0)


def _ask(compared: Comparison, key: str, picture: str, wanted: Selection) -> None:
    """The page Why on this picture: of the method that is shown, and of what came after it."""
    truth, predicted = _classes_asked(wanted)
    keys = [method.key for method in compared.methods]
    # The last method is the answer to the others; of itself, the first one is asked.
    asked = key if key != keys[-1] else keys[0]
    open_why(
        family=compared.family.key,
        data=compared.spec,
        picture=picture,
        runs=list(dict.fromkeys([asked, keys[-1]])),
        called=compared.names[predicted] if predicted else "",
        instead_of=compared.names[truth] if truth else "",
        threshold=compared.one_threshold,
    )


def _open(compared: Comparison, picture: str, wanted: Selection, moved: Moved | None) -> None:
    """Explore on this picture, with the classes of the selection and the methods of this page."""
    open_explore(
        data=compared.spec,
        picture=picture,
        # Of one class, Explore's errors are that class's own; those that moved between two are in the view of all.
        classes=[compared.classes.names[value - 1] for value in wanted.values if value and not moved],
        runs=[method.key for method in compared.methods],
        threshold=compared.one_threshold,
        overlay="taken" if moved else "errors",
    )
