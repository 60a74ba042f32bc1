"""Getting things out: the comparison on the screen as a figure, its maps and masks, and an analysis as a report."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from app.guard import sentences
from app.map_cache import Inference, maps_of, threshold_now
from app.methods import Method
from app.pictures import Picture
from app.plain_words import plain
from recam_core.analysis.analysed import Analysed
from recam_core.data.sample import ClassList, Dataset
from recam_core.report.files import file_name, maps_npz, masks_zip, picture_csv
from recam_core.report.page import report_html
from recam_core.report.picture_page import size_words
from recam_core.report.report_data import report_data
from recam_core.views.figure_cells import DISAGREEMENT, ERRORS, KINDS, FigurePane, FigureRow
from recam_core.views.figure_comparison import comparison_figure
from recam_core.views.figure_style import COMMON_WIDTHS, FigureStyle
from recam_core.views.figure_text import FIGURE_KINDS, figure_bytes, missing_font

_OTHER_WIDTH = "another width"


def panes_to_export(
    methods: Sequence[Method],
    picture: Picture,
    present: tuple[int, ...],
    classes: ClassList,
    how: Inference,
    view: Mapping[str, Any],
) -> tuple[FigurePane, ...]:
    """The panes that the viewer shows, each with its maps and the threshold that it is cut at now.

    Args:
        methods, picture, present, classes, how: what the viewer's payload was made from.
        view: what the viewer reports.
    """
    hidden = view.get("hidden", ())
    return tuple(
        FigurePane(method.title, maps_of(method, picture, present, how), threshold_now(method, methods, classes, view))
        for method in methods
        if method.key not in hidden
    )


def export_panel(
    picture: Picture,
    panes: Callable[[], Sequence[FigurePane]],
    classes: ClassList,
    view: Mapping[str, Any] | None = None,
    page: Callable[[str], bytes] | None = None,
    *,
    key: str,
) -> None:
    """A button that opens the exports of what is on the screen. Nothing is computed before it is pressed.

    Args:
        picture: what is looked at.
        panes: gives the methods with their maps, each with the threshold that it is cut at now; for instance
            :func:`panes_to_export` with its arguments.
        classes: of the family.
        view: what the viewer reports: its ``overlay``, ``classes``, ``colours`` and ``opacity`` are begun with.
        page: given a title, the viewer as it stands as a file of its own, see
            :func:`~recam_core.report.picture_page.picture_page`; None offers none.
        key: of the widgets.
    """
    if st.button("Export", icon=":material/download:", key=key, help="Page, figure, maps, masks and scores as files."):
        _export_dialog(picture, panes, classes, dict(view or {}), page, key)


@st.dialog("Export this comparison", width="large", icon=":material/download:")
def _export_dialog(
    picture: Picture,
    panes: Callable[[], Sequence[FigurePane]],
    classes: ClassList,
    view: dict[str, Any],
    page: Callable[[str], bytes] | None,
    key: str,
) -> None:
    with sentences():
        shown = tuple(panes())
        title = st.text_input("Title", picture.title, key=f"{key}_title", max_chars=300)
        if page is not None:
            _page_button(picture, page(title), key)
        style, kinds, chosen = _figure_settings(picture, shown, classes, view, title, key)
        mask = picture.truth
        if not kinds:
            st.info("Choose at least one kind of overlay.", icon=":material/layers:")
        else:
            rows = tuple(_row(picture, mask, shown, kind, chosen, classes, len(kinds) > 1) for kind in kinds)
            stands_for = _digest(picture, shown, kinds, chosen, classes)
            # The preview is the file itself: what cannot be drawn is told here, before anything is pressed.
            with st.spinner("Drawing"):
                png, lacking = _figure(stands_for, style, "png", rows, classes)
            st.image(png, width="stretch", alt=f"Preview of the figure of {picture.title}")
            if lacking:
                st.warning(plain(lacking), icon=":material/font_download_off:")
            _figure_buttons(picture, png, stands_for, style, rows, classes, key)
        _data_buttons(picture, mask, shown, classes, key)


def _page_button(picture: Picture, content: bytes, key: str) -> None:
    """The viewer as a file; it is made already, so that its size is known before it is taken."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Page, HTML",
            content,
            file_name(picture.title, suffix=".html"),
            "text/html",
            key=f"{key}_page",
            on_click="ignore",
            icon=":material/web:",
        )
        st.caption(
            f"{size_words(content)}: this picture with its maps, the sentence and the viewer in one file. It opens by "
            "a double click, without a network, with every overlay, slider and probe."
        )


def _figure_settings(
    picture: Picture,
    panes: Sequence[FigurePane],
    classes: ClassList,
    view: dict[str, Any],
    title: str,
    key: str,
) -> tuple[FigureStyle, list[str], tuple[int, ...]]:
    """The settings of the figure: style, kinds of overlay, classes that are shown."""
    kinds = [kind for kind in KINDS if picture.has_truth or kind != ERRORS]
    if len(panes) < 2:
        kinds.remove(DISAGREEMENT)
    begin = view.get("overlay") if view.get("overlay") in kinds else kinds[0] if not picture.has_truth else ERRORS
    overlays = st.pills(
        "Rows", kinds, selection_mode="multi", default=[begin], format_func=KINDS.__getitem__, key=f"{key}_kinds",
        help="One row of pictures for each.",
    )  # fmt: skip
    present = sorted({int(k) for pane in panes for k in pane.maps.classes})
    chosen = st.multiselect(
        "Classes",
        present,
        default=[k for k in present if k in view.get("classes", ())],
        format_func=lambda k: classes.names[k],
        key=f"{key}_classes",
        placeholder="all classes",
    )
    width_column, size_column, dpi_column, columns_column = st.columns([2, 1, 1, 1], vertical_alignment="bottom")
    named = width_column.selectbox("Width", [*COMMON_WIDTHS, _OTHER_WIDTH], index=1, key=f"{key}_width")
    if named == _OTHER_WIDTH:
        width = width_column.number_input("Width in mm", 30.0, 1200.0, 174.0, 1.0, key=f"{key}_width_mm")
    else:
        width = COMMON_WIDTHS[named]
    slide = width > 250
    # Another width begins with the type that suits it: its widgets have keys of their own.
    size = size_column.number_input("Font size, pt", 4.0, 48.0, 16.0 if slide else 8.0, 0.5, key=f"{key}_font_{slide}")
    dpi = dpi_column.number_input(
        "Dots per inch", 50, 600, 150 if slide else 300, 50, key=f"{key}_dpi_{slide}",
        help="Of photos and maps. Text and contours in SVG and PDF are sharp at any size.",
    )  # fmt: skip
    most = len(panes) + 1 + int(picture.has_truth)
    columns = columns_column.number_input("Columns", 1, most, most, key=f"{key}_columns_{most}")
    with st.container(horizontal=True):
        photo = st.toggle("Photo", True, key=f"{key}_photo")
        truth = st.toggle("Ground truth", True, key=f"{key}_truth", disabled=not picture.has_truth)
        captions = st.toggle("Scores and thresholds", True, key=f"{key}_captions")
        dark = st.toggle("Dark ground", False, key=f"{key}_dark")
    shown_cells = most - (not photo) - (picture.has_truth and not truth)
    style = FigureStyle(
        width_mm=float(width),
        font_size=float(size),
        dpi=int(dpi),
        title=title,
        columns=min(int(columns), max(shown_cells, 1)),
        captions=captions,
        photo=photo,
        truth=truth and picture.has_truth,
        colour_map=colours if (colours := view.get("colours")) in ("viridis", "turbo", "grey") else "viridis",
        opacity=float(view.get("opacity", 0.8)),
        dark=dark,
    )
    return style, [kind for kind in kinds if kind in overlays], tuple(chosen)


def _row(
    picture: Picture,
    mask: np.ndarray | None,
    panes: tuple[FigurePane, ...],
    kind: str,
    chosen: tuple[int, ...],
    classes: ClassList,
    several: bool,
) -> FigureRow:
    label = KINDS[kind] if several else ""
    if several and len(chosen) == 1:
        label = f"{label}, {classes.names[chosen[0]]}"
    return FigureRow(picture.image, mask, panes, kind, chosen, label)


def _digest(
    picture: Picture, panes: Sequence[FigurePane], kinds: Sequence[str], chosen: Sequence[int], classes: ClassList
) -> str:
    """Stands for all that a figure shows besides its style."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr((picture.key, picture.title, kinds, chosen, classes)).encode())
    if picture.mask is not None:
        digest.update(picture.mask.tobytes())
    for pane in panes:
        digest.update(repr((pane.title, pane.threshold, pane.maps.classes.tolist())).encode())
        digest.update(pane.maps.activations.tobytes())
    return digest.hexdigest()


@st.cache_data(max_entries=24, show_spinner=False)
def _figure(
    stands_for: str, style: FigureStyle, kind: str, _rows: tuple[FigureRow, ...], _classes: ClassList
) -> tuple[bytes, str]:
    """The file, and a sentence on letters that no font has."""
    figure = comparison_figure(_rows, _classes, style)
    return figure_bytes(figure, kind), missing_font(figure)


def _figure_buttons(
    picture: Picture,
    png: bytes,
    stands_for: str,
    style: FigureStyle,
    rows: tuple[FigureRow, ...],
    classes: ClassList,
    key: str,
) -> None:
    with st.container(horizontal=True):
        for kind, media in FIGURE_KINDS.items():
            # SVG and PDF are drawn when they are asked for; the PNG is there already.
            data = png if kind == "png" else lambda kind=kind: _figure(stands_for, style, kind, rows, classes)[0]
            st.download_button(
                f"Figure, {kind.upper()}",
                data,
                file_name(picture.title, suffix=f".{kind}"),
                media,
                key=f"{key}_{kind}",
                on_click="ignore",
                icon=":material/image:",
            )


def _data_buttons(
    picture: Picture, mask: np.ndarray | None, panes: tuple[FigurePane, ...], classes: ClassList, key: str
) -> None:
    """Maps, masks and scores; made when pressed."""
    masks = {pane.title: pane.seeds for pane in panes} if panes else {}
    if mask is not None:
        masks = {"ground truth": mask, **masks}
    with st.container(horizontal=True):
        st.download_button(
            "Maps, NPZ",
            lambda: maps_npz(picture.image, mask, panes, classes),
            file_name(picture.title, "maps", suffix=".npz"),
            "application/octet-stream",
            key=f"{key}_npz",
            on_click="ignore",
            icon=":material/grid_on:",
            help="Photo, ground truth, activations, arg-max classes and seeds of every method, for `numpy.load`.",
        )
        st.download_button(
            "Masks, indexed PNG",
            lambda: masks_zip(masks, classes),
            file_name(picture.title, "masks", suffix=".zip"),
            "application/zip",
            key=f"{key}_masks",
            on_click="ignore",
            icon=":material/palette:",
            help="Seeds at the thresholds of now and the ground truth: pixel values are class numbers, as in VOC.",
        )
        if mask is not None:
            st.download_button(
                "Scores, CSV",
                lambda: picture_csv(mask, panes, classes),
                file_name(picture.title, "scores", suffix=".csv"),
                "text/csv",
                key=f"{key}_csv",
                on_click="ignore",
                icon=":material/table:",
            )


def report_button(
    methods: Sequence[Analysed],
    dataset: Dataset,
    thresholds: Mapping[str, float | None] | float | None = None,
    chosen: np.ndarray | None = None,
    about: str = "",
    *,
    with_single: bool = False,
    key: str,
) -> None:
    """A button that opens the making of a report on what the page compares.

    Args:
        methods: those that the page compares; differences are to the first.
        dataset: their pictures.
        thresholds: as in :func:`~recam_core.report.report_data.report_data`.
        chosen: N bools, the pictures that the page's filters let pass; None for all.
        about: the filters in words.
        with_single: whether pictures of a single class and no background stand in its lists.
        key: of the widgets.
    """
    if st.button("Report", icon=":material/description:", key=key, help="This analysis as one HTML file."):
        st.session_state.pop(f"{key}_made", None)
        _report_dialog(tuple(methods), dataset, thresholds, chosen, about, with_single, key)


@st.dialog("Report on this analysis", icon=":material/description:")
def _report_dialog(
    methods: tuple[Analysed, ...],
    dataset: Dataset,
    thresholds: Mapping[str, float | None] | float | None,
    chosen: np.ndarray | None,
    about: str,
    with_single: bool,
    key: str,
) -> None:
    st.markdown(
        "Scores with intervals, classes, confusion matrices, confused pairs, where pixels go, the worst pictures and "
        "all settings in one file. It opens in any browser without a network, light or dark, and prints."
    )
    title = st.text_input("Title", "", key=f"{key}_title", max_chars=300, placeholder="methods and data")
    pictures = st.slider("Pictures in each gallery", 0, 12, 4, key=f"{key}_pictures")
    count = len(methods[0].counts.ids) if chosen is None else int(np.count_nonzero(chosen))
    st.caption(f"{count:,} pictures. {plain(about)}".strip())

    # Pressed together with what was typed last, so that the report has the title that is on the screen.
    with sentences():
        if st.button(
            "Make the report", key=f"{key}_make", type="primary", icon=":material/description:", disabled=count == 0
        ):
            bar = st.progress(0.0, text="Counting")

            def progress(done: int, total: int, note: str = "") -> None:
                words = note or "drawing the pictures"
                bar.progress(done / max(total, 1), text=plain(words[:1].upper() + words[1:]))

            data = report_data(methods, thresholds, chosen=chosen, with_single=with_single, progress=progress)
            page = report_html(data, dataset, title=title, about=about, pictures=pictures, progress=progress)
            bar.empty()
            st.session_state[f"{key}_made"] = ((title, pictures), page)
    asked, page = st.session_state.get(f"{key}_made", (None, ""))
    if asked == (title, pictures):
        st.download_button(
            "Save the report",
            page,
            file_name("report", *(method.title for method in methods), suffix=".html"),
            "text/html",
            key=f"{key}_save",
            on_click="ignore",
            icon=":material/download:",
            help=f"{len(page.encode()) / 1e6:.1f} MB",
        )
