"""Pictures that show what the figures mean, with their errors drawn in."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from recam_core.analysis.csv_tables import pictures_csv
from recam_core.analysis.picture_table import single_class_words
from recam_core.data.sample import BrokenItem, Dataset
from recam_core.errors import UserError
from recam_core.progress import ProgressFn, silent
from recam_core.report.figures import Figures
from recam_core.report.markup import Markup, csv_link, join, points, tag
from recam_core.report.report_data import ReportData
from recam_core.scores.band import within_band
from recam_core.scores.metrics import value_names
from recam_core.scores.scores import picture_scores
from recam_core.scores.table import percent
from recam_core.views.charts.pictures import drawn_pictures, pictures_chart
from recam_core.views.colours import class_colours
from recam_core.views.figure_cells import FigurePane, FigureRow, pane_cell, photo_cell, truth_cell
from recam_core.views.figure_style import FigureStyle
from recam_core.views.marks import swatch
from recam_core.views.pictures import data_url
from recam_core.views.pixel_kinds import error_marks

#: The long side of an embedded picture, in pixels: sharp at the width it is shown at, and some 20 kB.
_SIDE = 340
#: Pairs whose pictures are shown.
_PAIRS = 3
#: A table of more pictures would make the page too large to open.
_MOST_ROWS = 20_000
_STYLE = FigureStyle()


def pictures_section(
    data: ReportData, dataset: Dataset, figures: Figures, each: int, progress: ProgressFn = silent
) -> Markup:
    """Galleries: the worst, where methods differ most, and the pairs that are confused most.

    Args:
        data: what the report tells.
        dataset: where the pictures come from.
        figures: the charts of the page.
        each: pictures in each gallery; 0 leaves them out.
        progress: called after each picture; may raise Cancelled.
    """
    parts: list[object] = [tag("h2", "Pictures"), _legend(data), *_plot(data, figures)]
    galleries = list(_galleries(data, each)) if each else []
    index = {id: place for place, id in enumerate(dataset.ids)}
    total, done = sum(len(positions) for _, _, positions in galleries), 0
    shown: set[int] = set()
    for title, class_index, positions in galleries:
        parts.append(tag("h3", title))
        for position in positions:
            id = data.pictures.ids[position]
            shown |= set(np.flatnonzero(data.pictures.present[position]).tolist())
            parts.append(_picture(data, dataset, index.get(id), position, class_index))
            done += 1
            progress(done, total, "drawing pictures")
    parts[1] = join([_legend(data), _class_legend(data, sorted(shown))]) if galleries else ""
    if int(data.chosen.sum()) <= _MOST_ROWS:
        words = single_class_words(int(data.single.sum()), data.with_single)
        parts.append(tag("p", f"The figures of every picture: {words}".strip(), class_="note save"))
        parts.append(csv_link("pictures", pictures_csv(data.pictures, data.titles, data.listed)))
    return tag("section", *parts, id="pictures")


def _plot(data: ReportData, figures: Figures) -> list[Markup]:
    """Every picture as a point: the last method against the first."""
    if len(data.methods) < 2:
        return []
    table, both = data.pictures, (data.reference.key, data.subject.key)
    positions = drawn_pictures(table, *both, data.listed)
    if not len(positions):
        return []
    words = "Each point is a picture, the first method to the right and the last upwards, each by its mIoU there."
    if len(positions) < int(data.listed.sum()):
        words += f" Drawn are {len(positions):,} of {int(data.listed.sum()):,}; the table has all."
    title = f"{data.subject.title} against {data.reference.title}, picture by picture"
    chart = figures.add(
        lambda palette: pictures_chart(table, *both, data.titles, palette, positions),
        title,
        large=True,
    )
    return [chart, tag("p", words, class_="note")]


def _galleries(data: ReportData, each: int) -> Iterator[tuple[str, int | None, list[int]]]:
    """(title, class that errors are drawn of or None, positions) of each gallery that is not empty."""
    subject, table = data.subject, data.pictures
    yield f"Lowest mIoU of {subject.title}", None, _first(table.miou[subject.key], data.listed, each)
    if len(data.methods) > 1:
        difference = table.difference[subject.key]
        worse, better = (np.where(sign * difference > 0, -sign * difference, np.nan) for sign in (-1, 1))
        for values, words in ((worse, "furthest below"), (better, "furthest above")):
            positions = _first(values, data.listed, each)
            if positions:
                yield f"{subject.title} {words} {data.reference.title}", None, positions
    names = value_names(data.classes)
    outcomes = data.outcomes[subject.key]
    for pair in data.pairs[:_PAIRS]:
        here = (outcomes.truth == pair.truth) & (outcomes.predicted == pair.predicted)
        worst = np.argsort(-outcomes.pixels[here], kind="stable")[:each]
        positions = outcomes.image[here][worst].tolist()
        if positions:
            title = f"Most {names[pair.truth]} taken for {names[pair.predicted]} by {subject.title}"
            yield title, pair.truth - 1, positions


def _first(values: np.ndarray, chosen: np.ndarray, count: int) -> list[int]:
    """Positions of the lowest values among the chosen pictures; those without a value are left out."""
    order = np.argsort(values, kind="stable")
    return [place for place in order.tolist() if chosen[place] and not np.isnan(values[place])][:count]


def _picture(data: ReportData, dataset: Dataset, index: int | None, position: int, class_index: int | None) -> Markup:
    id = data.pictures.ids[position]
    try:
        if index is None:
            raise UserError("it is no longer in the data set")
        sample = dataset.load(index)
        panes = tuple(
            FigurePane(method.title, method.store[id], data.cuts[method.key].threshold) for method in data.methods
        )
        if sample.mask is None:
            raise UserError("it has no ground truth any more.")
        mask = within_band(sample.mask, data.reference.band)
        row = FigureRow(sample.image, mask, panes, classes=() if class_index is None else (class_index,))
    except (UserError, BrokenItem, KeyError) as error:
        return tag("p", f"{id} cannot be shown: {error}", class_="note")
    height, width = sample.image.shape[:2]
    scale = _SIDE / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    about = "errors of all classes" if class_index is None else f"errors of {data.classes.names[class_index]}"
    cells = [_cell(photo_cell(row, size), "Photo", "", f"Photo {id}")]
    truth = truth_cell(replace(row, mask=sample.mask), size, len(data.classes), _STYLE)
    cells.append(_cell(truth, "Ground truth", "", f"Ground truth of {id}"))
    base: float | None = None
    for place, (method, pane) in enumerate(zip(data.methods, panes, strict=True)):
        iou = picture_scores(pane.seeds, mask, data.classes, class_index).iou
        words = f"{'mIoU' if class_index is None else 'IoU'} {percent(iou)}%"
        if place and base is not None and iou == iou and base == base:
            words += f" ({points(iou - base)})"
        base = iou if place == 0 else base
        image = pane_cell(row, place, size, len(data.classes), _STYLE)
        cells.append(_cell(image, method.title, words, f"{method.title}: {about}, {words}"))
    present = ", ".join(data.classes.names[k] for k in np.flatnonzero(data.pictures.present[position]).tolist())
    head = tag("h4", id, " ", tag("small", present))
    return tag("div", head, tag("div", *cells, class_="cells-row"), class_="picture")


def _cell(image: np.ndarray, title: str, words: str, alt: str) -> Markup:
    height, width = image.shape[:2]
    address = data_url(image, "jpeg")
    picture = tag("img", src=address, width=width, height=height, alt=alt)
    return tag("figure", picture, tag("figcaption", tag("b", title), tag("span", words) if words else ""))


def _legend(data: ReportData) -> Markup:
    """Samples of the marks, in the words for one class (which hold those for all)."""
    marks = list(error_marks(0, data.classes.has_background))
    everything = {mark.code: mark.name for mark in error_marks(None, data.classes.has_background)}
    entries = []
    for mark in marks:
        other = everything.get(mark.code, mark.name)
        words = mark.name if other == mark.name else f"{mark.name} (all classes: {other})"
        image = data_url(swatch(mark))
        entries.append(tag("span", tag("img", src=image, alt=""), words, title=mark.meaning))
    return tag("p", *entries, class_="legend")


def _class_legend(data: ReportData, classes: Sequence[int]) -> Markup:
    colours = class_colours(len(data.classes))
    entries = []
    for k in classes:
        red, green, blue = colours[k + 1].tolist()
        sample = tag("i", style=f"background:#{red:02x}{green:02x}{blue:02x}")
        entries.append(tag("span", sample, data.classes.names[k]))
    return tag("p", "Ground truth: ", *entries, class_="legend")
