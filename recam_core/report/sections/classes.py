"""IoU of each class by each method, as dots and as a table."""

import numpy as np

from recam_core.analysis.csv_tables import gain_csv
from recam_core.report.figures import Figures
from recam_core.report.markup import Markup, csv_link, join, percent, points, table, tag
from recam_core.report.report_data import ReportData
from recam_core.views.charts.class_iou import gain_rows, iou_chart
from recam_core.views.charts.gains import gain_chart

_GAIN_AXIS = "gain in IoU, points, with 95% interval"


def classes_section(data: ReportData, figures: Figures) -> Markup:
    """Sorted by what the last method gains over the first; by IoU where there is one method."""
    gain = data.gain
    if len(data.methods) > 1:
        order = gain.order
        words = f"Sorted by what {data.subject.title} gains over {data.reference.title}."
    else:
        order = np.argsort(-np.nan_to_num(gain.iou[0], nan=-1.0), kind="stable")
        words = "Sorted by IoU."
    order = order[~np.isnan(gain.iou[:, order]).all(axis=0)]
    charts = [figures.add(lambda palette: iou_chart(gain, data.titles, palette, order), "IoU of each class")]
    for method in data.methods[1:]:
        rows, _ = gain_rows(gain, method.key, order)
        if rows:
            charts.append(
                figures.add(
                    lambda palette, rows=rows: gain_chart(rows, palette, title=_GAIN_AXIS),
                    f"Gain of {method.title} over {data.reference.title}",
                )
            )
    rows = [_row(data, row) for row in order.tolist()]
    header = ["Class", *(f"{title}" for title in data.titles.values())]
    header += [f"{method.title} less {data.reference.title}" for method in data.methods[1:]]
    return tag(
        "section",
        tag("h2", "Classes"),
        tag(
            "p",
            f"{words} Thick lines are 95% intervals over pictures: gains whose interval holds 0 may be noise."
            + (" Grey: seen in one picture, which gives no interval." if gain.seen_once.any() else ""),
            class_="note",
        ),
        tag("div", *charts, class_="charts"),
        table(
            header, rows, caption="IoU per class in per cent, gains in points; bold where the interval leaves out 0."
        ),
        csv_link("classes", gain_csv(gain, data.titles)),
        id="classes",
    )


def _row(data: ReportData, row: int) -> list[object]:
    gain, once = data.gain, bool(data.gain.seen_once[row])
    name = gain.names[row]
    cells: list[object] = [
        join([tag("span", name, class_="once"), " ", tag("small", "seen in one picture")]) if once else name
    ]
    for place in range(len(data.methods)):
        ends = f"{percent(gain.iou_low[place, row])} to {percent(gain.iou_high[place, row])}"
        figure = percent(gain.iou[place, row])
        cells.append(figure if figure == "–" or once else join([figure, " ", tag("small", ends)]))
    for place in range(1, len(data.methods)):
        ends = f"{points(gain.gain_low[place, row])} to {points(gain.gain_high[place, row])}"
        figure = tag("span", points(gain.gain[place, row]), class_="sure" if gain.beyond_noise[place, row] else None)
        cells.append(figure if once else join([figure, " ", tag("small", ends)]))
    return cells
