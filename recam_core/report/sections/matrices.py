"""The confusion matrix of each method, and what changed between two."""

from functools import partial

import plotly.graph_objects as go

from recam_core.analysis.csv_tables import confusion_csv
from recam_core.report.figures import Figures
from recam_core.report.markup import Markup, csv_link, tag
from recam_core.report.report_data import ReportData
from recam_core.scores.metrics import value_names
from recam_core.views.charts.matrix import NUMBERED, difference_cells, matrix_cells, matrix_chart
from recam_core.views.charts.style import Palette

#: Pixels that a column needs.
_LEAST_CELL = 9


def matrices_section(data: ReportData, figures: Figures) -> Markup:
    """One matrix a method, then one for each difference to the first method; all in one order of the classes."""
    order, names = data.matrix_order, value_names(data.classes)
    size = {"least": 110 + _LEAST_CELL * len(order), "large": len(order) > NUMBERED}

    def on_its_own(key: str, palette: Palette) -> go.Figure:
        return matrix_chart(matrix_cells(data.confusions[key], names, order, palette), palette, pressable=False)

    def difference(key: str, palette: Palette) -> go.Figure:
        both = data.confusions[data.reference.key], data.confusions[key]
        return matrix_chart(difference_cells(*both, names, order, palette), palette, pressable=False)

    charts, links, differences = [], [], []
    for number, method in enumerate(data.methods):
        charts.append(figures.add(partial(on_its_own, method.key), method.title, **size))
        links.append(csv_link(f"confusion-{number + 1}", confusion_csv(data.confusions[method.key], data.classes)))
    for method in data.methods[1:]:
        title = f"{method.title} less {data.reference.title}"
        differences.append(figures.add(partial(difference, method.key), title, **size))
    lost = "lost to the background, or claimed from it" if data.classes.has_background else "left unlabelled"
    parts = [
        tag("h2", "Confusion matrices"),
        tag(
            "p",
            "Each row is a class of the ground truth, each column what its pixels were given to, in per cent of the "
            f"row. Blue-green: right; orange: given to another class; violet: {lost}. Classes that are taken for each "
            "other stand side by side. Colours of what is wrong go by the square root, so that small shares are seen; "
            "pointing at a cell tells its pixels.",
            class_="note",
        ),
        tag("div", *charts, class_="charts"),
        tag("p", "Pixels as tables, one for each method in this order:", class_="note save"),
        *links,
    ]
    if differences:
        parts += [
            tag("h3", "What changed"),
            tag(
                "p",
                f"In points of the row, against {data.reference.title}. Blue-green is better (more on the diagonal, "
                "less beside it), orange is worse.",
                class_="note",
            ),
            tag("div", *differences, class_="charts"),
        ]
    return tag("section", *parts, id="confusions")
