"""The current comparison as a figure: photo, ground truth and each method, row by row, over one legend."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from recam_core.data.sample import VOID, ClassList
from recam_core.errors import UserError
from recam_core.maps.activation_maps import threshold_level
from recam_core.scores.metrics import mean_of_present
from recam_core.scores.scores import picture_scores
from recam_core.views.colours import colour_table
from recam_core.views.figure_cells import (
    CONTOUR,
    DISAGREEMENT,
    ERRORS,
    HEAT,
    KINDS,
    FigureRow,
    classes_shown,
    pane_cell,
    photo_cell,
    truth_cell,
)
from recam_core.views.figure_style import MM_PER_INCH, FigureStyle
from recam_core.views.figure_text import (
    LegendEntry,
    class_entry,
    draw_legend,
    heading,
    heat_entry,
    legend_line_height,
    legend_lines,
    line_entry,
    lines_within,
    mark_entry,
    put,
    text_width,
)
from recam_core.views.marks import CONTOUR_STEP, WITHIN, WITHOUT
from recam_core.views.pixel_kinds import DISAGREEMENTS, error_marks

#: Widths of contour lines, of the threshold's, and of what stands out around the latter, in points.
_THIN, _THICK, _HALO = 0.9, 1.1, 1.4
#: Space between cells, in millimetres.
_GAP_MM = 1.6
#: A cell is at most so many times as high as wide; the picture in it is made smaller and stands in the middle.
_TALLEST = 1.5
#: Pixels of all cells together: memory stays within a gigabyte.
_MOST_PIXELS = 60_000_000
_PHOTO, _TRUTH = -2, -1


@dataclass(frozen=True)
class _Line:
    """Cells beside one another: which row, which of its cells, how high they are, and what stands with them."""

    row: FigureRow
    cells: tuple[int, ...]
    height: float
    heads: bool
    captions: dict[int, list[str]]


def comparison_figure(rows: Sequence[FigureRow], classes: ClassList, style: FigureStyle) -> Figure:
    """Draw rows of cells.

    Args:
        rows: at least one; the methods of all rows are the same, in the same order.
        classes: K classes; they fix colours and names.
        style: size, type and what is shown.

    Returns:
        A figure of ``style.width_mm`` whose height follows; for :func:`~recam_core.views.figure_text.figure_bytes`.

    Raises:
        UserError: nothing to draw, or too many cells for the width.
    """
    if not rows or not any(row.panes for row in rows):
        raise UserError("There is no method to draw; choose one or more.")
    if len({tuple(pane.title for pane in row.panes) for row in rows}) > 1:
        raise UserError("The rows of a figure must show the same methods in the same order.")
    small = max(4.0, 0.86 * style.font_size)
    gap = _GAP_MM / MM_PER_INCH
    margin = 0.6 * gap
    label = 2.1 * style.line if any(row.label for row in rows) else 0.0
    cells = _cells_of(rows, style)
    columns = min(style.columns or len(cells), len(cells))
    cell_width = (style.width - 2 * margin - label - (columns - 1) * gap) / columns
    if cell_width * MM_PER_INCH < 6:
        raise UserError(
            f"{columns} cells beside one another do not fit {style.width_mm:g} mm; "
            "take a wider figure or fewer columns."
        )
    lines = _lines(rows, cells, columns, cell_width, classes, style, small)
    if sum(len(line.cells) * line.height for line in lines) * cell_width * style.dpi**2 > _MOST_PIXELS:
        raise UserError("So many cells at this resolution need too much memory; take fewer rows or a lower dpi.")

    title_size = 1.25 * style.font_size
    titles = lines_within(style.title, style.width - 2 * margin, title_size, 3, "bold") if style.title else []
    heads = _heads(rows[0], cells, cell_width, style)
    head_height = max(len(head) for head in heads.values()) * style.line + 0.25 * style.line
    legend = _legend_lines(_legend(rows, classes, style), style.width - 2 * margin, small)
    height = 2 * margin + len(titles) * 1.25 * style.line + (0.35 * style.line if titles else 0)
    height += sum(_line_height(line, head_height, small, style, gap) for line in lines)
    height += 0.5 * style.line + len(legend) * legend_line_height(small) if legend else 0

    height = math.ceil(height * style.dpi) / style.dpi
    figure = Figure(figsize=(style.width, height), dpi=style.dpi, facecolor=style.ground)
    y = height - margin
    for title in titles:
        put(figure, margin / style.width, y / height, title, title_size, style.text, va="top", fontweight="bold")
        y -= 1.25 * style.line
    y -= 0.35 * style.line if titles else 0
    for line in lines:
        below = y - _line_height(line, head_height, small, style, gap)
        if line.heads:
            for place, cell in enumerate(line.cells):
                x = margin + label + place * (cell_width + gap) + cell_width / 2
                _draw_head(figure, heads[cell], x, y - head_height, style)
            y -= head_height
        if line.row.label:
            _draw_label(figure, line, margin, y, style)
        for place, cell in enumerate(line.cells):
            x = margin + label + place * (cell_width + gap)
            _draw_cell(figure, line, cell, (x, y, cell_width), classes, style)
            _draw_caption(figure, line.captions.get(cell, []), x + cell_width / 2, y - line.height, style, small)
        y = below
    draw_legend(figure, legend, margin, y - 0.25 * style.line, style, small)
    return figure


def _cells_of(rows: Sequence[FigureRow], style: FigureStyle) -> list[int]:
    """Which cells every row has: the photo, the ground truth (if any row has one), and each method by its number."""
    cells = [_PHOTO] if style.photo else []
    if style.truth and any(row.mask is not None for row in rows):
        cells.append(_TRUTH)
    return cells + list(range(len(rows[0].panes)))


def _lines(
    rows: Sequence[FigureRow],
    cells: Sequence[int],
    columns: int,
    cell_width: float,
    classes: ClassList,
    style: FigureStyle,
    small: float,
) -> list[_Line]:
    lines = []
    wrapped = columns < len(cells)
    for order, row in enumerate(rows):
        tall, wide = row.image.shape[:2]
        height = cell_width * min(tall / wide, _TALLEST)
        for start in range(0, len(cells), columns):
            part = tuple(cells[start : start + columns])
            captions = {}
            if style.captions:
                captions = {
                    cell: _packed(_caption(row, cell, classes), cell_width, small) for cell in part if cell >= 0
                }
            lines.append(_Line(row, part, height, wrapped or order == 0, captions))
    return lines


def _line_height(line: _Line, head_height: float, small: float, style: FigureStyle, gap: float) -> float:
    most = max((len(caption) for caption in line.captions.values()), default=0)
    captions = most * style.line * small / style.font_size + (0.35 * style.line if most else 0)
    return (head_height if line.heads else 0) + line.height + captions + gap


def _heads(row: FigureRow, cells: Sequence[int], cell_width: float, style: FigureStyle) -> dict[int, list[str]]:
    """The words over each column, in lines."""
    words = {_PHOTO: "Photo", _TRUTH: "Ground truth"}
    words |= {place: pane.title for place, pane in enumerate(row.panes)}
    return {cell: lines_within(words[cell], cell_width, style.font_size, 2, "bold") for cell in cells}


def _draw_head(figure: Figure, lines: list[str], centre: float, below: float, style: FigureStyle) -> None:
    width, height = figure.get_size_inches()
    for order, line in enumerate(reversed(lines)):
        y = below + 0.28 * style.line + order * style.line
        put(figure, centre / width, y / height, line, style.font_size, style.text, ha="center", fontweight="bold")


def _draw_label(figure: Figure, line: _Line, left: float, top: float, style: FigureStyle) -> None:
    width, height = figure.get_size_inches()
    lines = lines_within(line.row.label, line.height, style.font_size, 2)
    for order, text in enumerate(lines):
        x = left + (1.0 + order - (len(lines) - 1) / 2) * 0.95 * style.line
        y = top - line.height / 2
        put(
            figure,
            x / width,
            y / height,
            text,
            style.font_size,
            style.text,
            rotation=90,
            ha="center",
            va="center",
        )


def _draw_cell(
    figure: Figure,
    line: _Line,
    cell: int,
    place: tuple[float, float, float],
    classes: ClassList,
    style: FigureStyle,
) -> None:
    """One picture in the box whose upper left corner and width are given, in inches."""
    x, top, cell_width = place
    width, height = figure.get_size_inches()
    tall, wide = line.row.image.shape[:2]
    drawn = min(cell_width, line.height * wide / tall), min(line.height, cell_width * tall / wide)
    size = max(1, round(drawn[1] * style.dpi)), max(1, round(drawn[0] * style.dpi))
    corner = x + (cell_width - drawn[0]) / 2, top - line.height + (line.height - drawn[1]) / 2
    # On whole dots: otherwise some row of pixels is drawn twice or not at all, and patterns show a seam.
    box = [round(value * style.dpi) / style.dpi for value in corner] + [size[1] / style.dpi, size[0] / style.dpi]
    name = {_PHOTO: "photo", _TRUTH: "ground truth"}.get(cell) or line.row.panes[cell].title
    axes = figure.add_axes((box[0] / width, box[1] / height, box[2] / width, box[3] / height), label=name)
    axes.set_axis_off()
    if cell == _TRUTH and line.row.mask is None:
        axes.text(0.5, 0.5, "none", transform=axes.transAxes, color=style.quiet, fontsize=style.font_size, ha="center")
        return
    if cell == _PHOTO:
        pixels = photo_cell(line.row, size)
    elif cell == _TRUTH:
        pixels = truth_cell(line.row, size, len(classes), style)
    else:
        pixels = pane_cell(line.row, cell, size, len(classes), style)
    # In pixels of the picture, so that contours need no change of coordinates.
    axes.imshow(pixels, interpolation="none", aspect="auto", extent=(-0.5, wide - 0.5, tall - 0.5, -0.5))
    if cell >= 0 and line.row.kind == CONTOUR:
        _draw_contours(axes, line.row, cell, style)


def _draw_contours(axes: Axes, row: FigureRow, cell: int, style: FigureStyle) -> None:
    """The lines of equal activation that the viewer draws, as curves that stay sharp in print."""
    pane = row.panes[cell]
    levels = pane.levels(row.classes).astype(np.float32)
    if min(levels.shape) < 2:
        return
    table = colour_table(style.colour_map)

    def draw(level: float, colour: Sequence[int], width: float) -> None:
        # Half a level below: a line runs between pixels that reach the level and those that do not.
        if levels.min() < level - 0.5 < levels.max():
            shade = tuple(float(value) / 255 for value in colour)
            axes.contour(levels, [level - 0.5], colors=[shade], linewidths=width, alpha=style.opacity)

    for level in range(CONTOUR_STEP, 256, CONTOUR_STEP):
        draw(level, table[level], _THIN)
    if pane.threshold is not None:
        draw(threshold_level(pane.threshold) + 1, WITHOUT, _THICK + _HALO)
        draw(threshold_level(pane.threshold) + 1, WITHIN, _THICK)


def _draw_caption(
    figure: Figure, lines: Sequence[str], centre: float, top: float, style: FigureStyle, size: float
) -> None:
    width, height = figure.get_size_inches()
    step = style.line * size / style.font_size
    for order, text in enumerate(lines):
        y = top - 0.18 * style.line - (order + 0.78) * step
        put(figure, centre / width, y / height, text, size, style.quiet, ha="center")


def _caption(row: FigureRow, cell: int, classes: ClassList) -> list[str]:
    """What stands below a method's cell, phrase by phrase: its scores, where there is ground truth, and its cut."""
    pane = row.panes[cell]
    phrases = []
    if row.mask is not None:
        iou, wrong = _scores(pane.seeds, row.mask, classes, row.classes)
        if not np.isnan(iou):
            phrases.append(f"{'IoU' if len(row.classes) == 1 else 'mIoU'} {100 * iou:.1f}%")
        if not np.isnan(wrong):
            phrases.append(f"wrong class {100 * wrong:.1f}%")
    return [*phrases, "no threshold" if pane.threshold is None else f"threshold {pane.threshold:.2f}"]


def _scores(seeds: np.ndarray, mask: np.ndarray, classes: ClassList, chosen: tuple[int, ...]) -> tuple[float, float]:
    """IoU (the mean of several classes) and the share of pixels given to a wrong class; nan where there is none."""
    if len(chosen) < 2:
        scores = picture_scores(seeds, mask, classes, chosen[0] if chosen else None)
        return scores.iou, scores.wrong_class
    each = [picture_scores(seeds, mask, classes, k) for k in chosen]
    pixels = np.array([np.count_nonzero(mask == k + 1) for k in chosen])
    wrong = np.nan_to_num([one.wrong_class for one in each]) @ pixels
    iou = float(mean_of_present(np.array([one.iou for one in each])))
    return iou, float(wrong / pixels.sum()) if pixels.any() else float("nan")


def _packed(phrases: Sequence[str], width: float, size: float) -> list[str]:
    """Phrases in lines of at most ``width`` inches, as many on each as fit."""
    lines: list[str] = []
    for phrase in phrases:
        joined = f"{lines[-1]} · {phrase}" if lines else phrase
        if lines and text_width(joined, size) <= width:
            lines[-1] = joined
        else:
            lines += lines_within(phrase, width, size, 1)
    return lines


def _legend(rows: Sequence[FigureRow], classes: ClassList, style: FigureStyle) -> dict[str, list[LegendEntry]]:
    """What the rows need to be read, by group; kinds of pixels that occur nowhere are left out."""
    groups: dict[str, list[LegendEntry]] = {}
    for kind in dict.fromkeys(row.kind for row in rows):
        alike = [row for row in rows if row.kind == kind]
        entries: list[LegendEntry] = []
        if kind in (ERRORS, DISAGREEMENT):
            for marks, codes in _marks_and_codes(alike, classes, kind):
                entries += [mark_entry(mark) for mark in marks if mark.code in codes]
        elif kind == HEAT:
            entries.append(heat_entry(style.colour_map))
        elif kind == CONTOUR:
            entries.append(
                heat_entry(style.colour_map, f"activation, a line every {CONTOUR_STEP / 256:.3g} of the map's maximum")
            )
            if any(pane.threshold is not None for row in alike for pane in row.panes):
                entries.append(line_entry("background threshold", WITHIN, WITHOUT, _THICK, _HALO))
        groups[KINDS[kind]] = list({entry.text: entry for entry in entries}.values())
    names = [class_entry(classes.names[k], k, len(classes)) for k in classes_shown(rows, style.truth)]
    if style.truth and any(row.mask is not None and (row.mask == VOID).any() for row in rows):
        names.append(_VOID_ENTRY)
    groups["Classes"] = names
    return {name: entries for name, entries in groups.items() if entries}


_VOID_ENTRY = LegendEntry("void", 1.2, lambda height, width: np.full((height, width, 3), 150, dtype=np.uint8))


def _legend_lines(groups: dict[str, list[LegendEntry]], width: float, size: float) -> list[list[LegendEntry]]:
    """Lines of entries. Two groups flow on; more are told apart by their names, each from a line of its own."""
    if len(groups) <= 2:
        return legend_lines([entry for entries in groups.values() for entry in entries], width, size)
    return [line for name, entries in groups.items() for line in legend_lines([heading(name), *entries], width, size)]


def _marks_and_codes(rows: Sequence[FigureRow], classes: ClassList, kind: str) -> list[tuple]:
    """For rows about all classes and rows about one: the marks, and the codes that occur in them."""
    if kind == DISAGREEMENT:
        return [(DISAGREEMENTS, _codes_in(rows))]
    found = []
    for one_class in (False, True):
        chosen = [row for row in rows if (len(row.classes) == 1) == one_class]
        if chosen:
            found.append((error_marks(0 if one_class else None, classes.has_background), _codes_in(chosen)))
    return found


def _codes_in(rows: Sequence[FigureRow]) -> set[int]:
    return {int(code) for row in rows for codes in row.codes for code in np.unique(codes)}
