"""What confident labels select on real pictures: photograph, labels and ground truth beside one another."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from recam_core.data.sample import VOID, ClassList, Sample
from recam_core.views.figure_cells import resized, seed_overlay
from recam_core.views.figure_style import FigureStyle
from recam_core.views.figure_text import LegendEntry, class_entry, draw_legend, legend_line_height, legend_lines, put
from recam_core.views.marks import GREY

#: Inches between cells, and around all.
_GAP = 0.08
_STYLE = FigureStyle(width_mm=240, font_size=9, dpi=120)


def labels_figure(pictures: Sequence[tuple[Sample, np.ndarray]], classes: ClassList, title: str) -> Figure:
    """Draw a row a picture: the photograph, its labels and, where there is one, the ground truth.

    Args:
        pictures: at least one, with its labels, H x W uint8: 0 background, k + 1 class k, 255 neither.
        classes: that names and colours are of.
        title: stands above, a line or more.

    Returns:
        A figure, for :func:`~recam_core.views.figure_text.figure_bytes`.
    """
    style = _STYLE
    heads = ["Picture", "Labels"] + (["Ground truth"] if any(one.mask is not None for one, _ in pictures) else [])
    wide = (style.width - _GAP) / len(heads) - _GAP
    tall = [wide * sample.image.shape[0] / sample.image.shape[1] for sample, _ in pictures]
    shown = np.unique(
        np.concatenate([np.unique(part) for one, label in pictures for part in (label, one.mask) if part is not None])
    )
    entries = [
        class_entry(classes.names[value - 1], value - 1, len(classes)) for value in shown.tolist() if 0 < value < VOID
    ]
    entries.append(LegendEntry("neither (void in the ground truth)", 1.2, _grey))
    if classes.has_background:
        entries.append(LegendEntry("background: the picture, paler", 0.0))
    legend = legend_lines(entries, style.width - 2 * _GAP, style.font_size)
    above = title.splitlines()
    height = (len(above) + 1.5) * style.line + sum(tall) + (len(tall) + 2) * _GAP
    height += len(legend) * legend_line_height(style.font_size)
    figure = Figure(figsize=(style.width, height), dpi=style.dpi, facecolor=style.ground)
    y = height - _GAP
    for line in above:
        put(figure, _GAP / style.width, y / height, line, style.font_size, style.text, va="top")
        y -= style.line
    for column, head in enumerate(heads):
        x = _GAP + column * (wide + _GAP)
        put(figure, x / style.width, (y - 0.3 * style.line) / height, head, style.font_size, style.quiet, va="top")
    y -= 1.5 * style.line
    for (sample, label), high in zip(pictures, tall, strict=True):
        size = max(round(high * style.dpi), 1), max(round(wide * style.dpi), 1)
        photo = resized(sample.image, size, Image.Resampling.LANCZOS)
        cells = [photo]
        for mask in (label, sample.mask):
            if mask is not None:
                codes = resized(mask, size, Image.Resampling.NEAREST)
                cells.append(seed_overlay(photo, codes, len(classes)))
        for column, cell in enumerate(cells):
            x = _GAP + column * (wide + _GAP)
            axes = figure.add_axes((x / style.width, (y - high) / height, wide / style.width, high / height))
            axes.set_axis_off()
            axes.imshow(cell, interpolation="none", aspect="auto")
        y -= high + _GAP
    draw_legend(figure, legend, _GAP, y, style, style.font_size)
    return figure


def _grey(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), GREY, dtype=np.uint8)
