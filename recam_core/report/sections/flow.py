"""Where the pixels of classes go."""

import numpy as np

from recam_core.analysis.csv_tables import flow_csv
from recam_core.report.figures import Figures
from recam_core.report.markup import Markup, csv_link, tag
from recam_core.report.report_data import ReportData
from recam_core.scores.metrics import value_names
from recam_core.views.charts.flow import flow_chart

#: Classes that are drawn; with more, bands become too thin to tell apart.
_MOST = 12


def flow_section(data: ReportData, figures: Figures) -> Markup:
    """One diagram a method: those classes that lose most pixels to other classes."""
    together = np.sum(list(data.confusions.values()), axis=0).astype(np.float64)
    wrong = together[:, 1:].sum(axis=1) - np.diagonal(together)
    wrong[0] = -1.0
    truths = [int(value) for value in np.argsort(-wrong, kind="stable") if wrong[value] > 0][:_MOST]
    if not truths:
        return Markup("")
    place = {int(value): order for order, value in enumerate(data.matrix_order)}
    truths.sort(key=lambda value: place[value])
    names = value_names(data.classes)
    charts = [
        figures.add(
            lambda palette, key=method.key: flow_chart(data.confusions[key], truths, names, palette, most=6),
            method.title,
            least=520,
        )
        for method in data.methods
        if data.confusions[method.key][truths].any()
    ]
    classes = len([value for value in place if value])
    chosen = "All classes" if len(truths) == classes else f"The {len(truths)} classes that lose most to other classes"
    lost = names[0] if data.classes.has_background else "nothing (unlabelled)"
    return tag(
        "section",
        tag("h2", "Where pixels go"),
        tag(
            "p",
            f"{chosen}, by pixels: ground truth at the left, what they were given to at the right. Blue-green "
            f"bands are right, violet ones go to {lost}, "
            "orange ones to another class. Pointing at a band tells its share.",
            class_="note",
        ),
        tag("div", *charts, class_="charts"),
        csv_link("flow", flow_csv(data.confusions[data.subject.key], data.classes)),
        tag("p", f"The table is that of {data.subject.title}.", class_="note save"),
        id="flow",
    )
