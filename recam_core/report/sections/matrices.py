"""The confusion matrix of each method, and what changed between two."""

import numpy as np

from recam_core.analysis.csv_tables import confusion_csv, value_names
from recam_core.analysis.ratio import ratio
from recam_core.report.charts.matrix_chart import difference_matrix, share_matrix
from recam_core.report.markup import Markup, csv_link, tag
from recam_core.report.report_data import ReportData


def matrices_section(data: ReportData) -> Markup:
    """One matrix a method, then one for each difference to the first method; all in one order of the classes."""
    order = data.matrix_order
    names = [value_names(data.classes)[place] for place in order.tolist()]
    shares = {key: _shares(confusion)[np.ix_(order, order)] for key, confusion in data.confusions.items()}
    figures, links = [], []
    for number, method in enumerate(data.methods):
        chart = share_matrix(shares[method.key], names, f"Confusion matrix of {method.title}")
        figures.append(tag("figure", tag("h3", method.title), chart))
        links.append(csv_link(f"confusion-{number + 1}", confusion_csv(data.confusions[method.key], data.classes)))
    differences = []
    for method in data.methods[1:]:
        title = f"{method.title} less {data.reference.title}"
        chart = difference_matrix(shares[method.key] - shares[data.reference.key], names, title)
        differences.append(tag("figure", tag("h3", title), chart))
    parts = [
        tag("h2", "Confusion matrices"),
        tag(
            "p",
            "Each row is a class of the ground truth, each column what its pixels were given to, in per cent of the "
            "row. Blue: right; red: taken for something else. Classes that are taken for each other stand side by "
            "side. Colours of confusions go by the square root, so that small ones are seen.",
            class_="note",
        ),
        tag("div", *figures, class_="charts"),
        tag("p", "Pixels as tables, one for each method in this order:", class_="note save"),
        *links,
    ]
    if differences:
        parts += [
            tag("h3", "What changed"),
            tag(
                "p",
                f"In points of the row, against {data.reference.title}. Green is better (more on the diagonal, less "
                "beside it), red is worse.",
                class_="note",
            ),
            tag("div", *differences, class_="charts"),
        ]
    return tag("section", *parts, id="confusions")


def _shares(confusion: np.ndarray) -> np.ndarray:
    return ratio(confusion, confusion.sum(axis=1, keepdims=True))
