"""The headline: scores of each method with intervals."""

from recam_core.analysis.picture_table import single_class_words
from recam_core.report.markup import Markup, csv_link, join, percent, points, table, tag
from recam_core.report.report_data import ReportData
from recam_core.report.tables import lost_words, rates, scores_csv


def scores_section(data: ReportData) -> Markup:
    """One row a method."""
    lost = lost_words(data)
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
    rows = []
    for place, method in enumerate(data.methods):
        scores, cut, gain = data.scores[method.key], data.cuts[method.key], data.gain
        interval = f"{percent(gain.miou_low[place])} to {percent(gain.miou_high[place])}"
        gained: object = "–"
        if place:
            sure = gain.miou_gain_low[place] > 0 or gain.miou_gain_high[place] < 0
            ends = f"{points(gain.miou_gain_low[place])} to {points(gain.miou_gain_high[place])}"
            figure = tag("span", points(gain.miou_gain[place], 2), class_="sure" if sure else None)
            gained = join([figure, " ", tag("small", ends)])
        rows.append(
            [
                method.title,
                join([cut, " ", tag("small", cut.origin)]) if cut.threshold is not None else tag("small", cut.origin),
                join([percent(scores.miou, 2), " ", tag("small", interval)]),
                gained,
                *(percent(rate) for rate in rates(scores)),
            ]
        )
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
        *_silent(data),
        tag("p", _picture_words(data), class_="note"),
        csv_link("scores", scores_csv(data)),
        id="scores",
    )


def _silent(data: ReportData) -> list[Markup]:
    """Of each method, the classes that it has no activation for: their scores say nothing of where it looks."""
    found = ((method.title, method.store.silent.words(data.classes.names)) for method in data.methods)
    return [tag("p", tag("strong", title), ": ", words, class_="note") for title, words in found if words]


def _picture_words(data: ReportData) -> str:
    """Means over pictures, wins and losses, and what was left out of them."""
    parts = []
    for place, method in enumerate(data.methods):
        won = data.wins[method.key]
        text = f"{method.title} {percent(won.mean)}"
        parts.append(text + (f" (better in {won.better:,}, worse in {won.worse:,})" if place else ""))
    pictures = data.wins[data.reference.key].pictures
    words = f"Mean mIoU of {pictures:,} pictures by themselves: {', '.join(parts)}."
    left = single_class_words(int(data.single.sum()), data.with_single)
    return f"{words} {left}" if left else words
