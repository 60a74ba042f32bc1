"""The headline: scores of each method with intervals."""

from recam_core.analysis.csv_tables import csv_text
from recam_core.report.markup import Markup, csv_link, join, percent, points, table, tag
from recam_core.report.report_data import ReportData


def scores_section(data: ReportData) -> Markup:
    """One row a method."""
    lost = "left to background" if data.classes.has_background else "left unlabelled"
    header = [
        "Method",
        "Threshold",
        "mIoU",
        "Gain",
        "Precision",
        "Recall",
        "FP",
        "FN",
        "Wrong class",
        lost.capitalize(),
    ]
    rows, lines = [], []
    for place, method in enumerate(data.methods):
        scores, cut, gain = data.scores[method.key], data.cuts[method.key], data.gain
        interval = f"{percent(gain.miou_low[place])} to {percent(gain.miou_high[place])}"
        gained: object = "–"
        if place:
            sure = gain.miou_gain_low[place] > 0 or gain.miou_gain_high[place] < 0
            ends = f"{points(gain.miou_gain_low[place])} to {points(gain.miou_gain_high[place])}"
            figure = tag("span", points(gain.miou_gain[place], 2), class_="sure" if sure else None)
            gained = join([figure, " ", tag("small", ends)])
        rates = (
            _mean(scores.precision),
            _mean(scores.recall),
            scores.mean_false_positive_rate,
            scores.mean_false_negative_rate,
            scores.wrong_class,
            scores.lost_to_background,
        )
        rows.append(
            [
                method.title,
                join([cut, " ", tag("small", cut.origin)]) if cut.threshold is not None else tag("small", cut.origin),
                join([percent(scores.miou, 2), " ", tag("small", interval)]),
                gained,
                *(percent(rate) for rate in rates),
            ]
        )
        lines.append(
            [
                method.title,
                cut.threshold,
                cut.origin,
                scores.miou,
                *(float(column[place]) for column in (gain.miou_low, gain.miou_high, gain.miou_gain)),
                *(float(column[place]) for column in (gain.miou_gain_low, gain.miou_gain_high)),
                *(float(rate) for rate in rates),
            ]
        )
    columns = ["method", "threshold", "threshold from", "mIoU", "mIoU low", "mIoU high", "gain", "gain low"]
    columns += ["gain high", "precision", "recall", "false positive rate", "false negative rate", "wrong class", lost]
    return tag(
        "section",
        tag("h2", "Scores"),
        table(header, rows, words=2, caption="In per cent; gains in points over the first method."),
        tag(
            "p",
            f"Small figures are 95% intervals by bootstrap: the range that {data.resamples:,} draws of as many "
            "pictures give. Gains are drawn in pairs, on the same pictures for both methods; one whose interval leaves "
            "out 0 is bold. FP is FP / (FP + TN) and FN is FN / (FN + TP), means over the classes without the "
            f"background. Wrong class and {lost}: of the pixels that show a class, the share that was given to another "
            f"one, or {lost}.",
            class_="note",
        ),
        csv_link("scores", csv_text(columns, lines)),
        id="scores",
    )


def _mean(values: object) -> float:
    from recam_core.scores.scores import mean_of_present

    return float(mean_of_present(values))
