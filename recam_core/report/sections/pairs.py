"""The most confused pairs of classes."""

from recam_core.analysis.csv_tables import pairs_csv
from recam_core.report.figures import Figures
from recam_core.report.markup import Markup, csv_link, join, percent, points, table, tag
from recam_core.report.report_data import ReportData
from recam_core.scores.metrics import value_names
from recam_core.views.charts.pairs import pairs_chart


def pairs_section(data: ReportData, figures: Figures) -> Markup:
    """One row a pair, most pixels first by the first method."""
    names = value_names(data.classes)
    first = data.reference.key
    header = ["Ground truth", "Taken for", "Pictures with both"]
    header += [f"{title}, per cent" for title in data.titles.values()]
    header += [f"Change to {data.subject.title}"] if len(data.methods) > 1 else []
    rows = []
    for pair in data.pairs:
        row: list[object] = [
            names[pair.truth],
            names[pair.predicted],
            join([f"{pair.together:,}", " ", tag("small", f"{percent(pair.together_share, 0)}%")]),
        ]
        for key in data.keys:
            note = f"{pair.pixels[key]:,} px in {pair.pictures[key]:,}"
            row.append(join([percent(pair.share[key]), " ", tag("small", note)]))
        if len(data.methods) > 1:
            row.append(points(pair.share[data.subject.key] - pair.share[first]))
        rows.append(row)
    parts: list[object] = [tag("h2", "Most confused pairs")]
    if rows:
        parts += [
            table(
                header,
                rows,
                words=2,
                caption=f"Of the pixels of a class, the share given to the other one; by the pixels of "
                f"{data.reference.title}.",
            ),
            tag(
                "p",
                "Small figures: of the pictures that show the class, the share that shows both; pixels, and the number "
                "of pictures in which it happens.",
                class_="note",
            ),
            csv_link("pairs", pairs_csv(data.pairs, data.classes, data.titles)),
            *_company(data, figures),
        ]
    else:
        parts.append(tag("p", "No pixel of a class was given to another class."))
    return tag("section", *parts, id="pairs")


def _company(data: ReportData, figures: Figures) -> list[Markup]:
    """Whether company is the cause: the first method and the last, or the only one."""
    shown = list(dict.fromkeys((data.keys[0], data.subject.key)))
    names = value_names(data.classes)
    return [
        figures.add(
            lambda palette: pairs_chart(data.plotted, names, data.titles, palette, shown=shown),
            "Is company the cause?",
            large=True,
        ),
        tag(
            "p",
            f"The {len(data.plotted):,} pairs with most pixels. Upwards: of the pixels of a class, the share given "
            "to the other one. A pair far up on the left is confused though the two are seldom seen together: company "
            "is not the cause. Far up on the right, it may well be. Larger points stand for more pixels.",
            class_="note",
        ),
    ]
