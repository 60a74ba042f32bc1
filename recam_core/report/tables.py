"""The tables of a report as CSV."""

from recam_core.analysis.csv_tables import confusion_csv, csv_text, flow_csv, gain_csv, pairs_csv, pictures_csv
from recam_core.report.file_names import file_name
from recam_core.report.report_data import ReportData
from recam_core.scores.metrics import mean_of_present
from recam_core.scores.scores import Scores

#: The columns of :func:`rates`, but for the last, which is named after what pixels are lost to.
_RATES = ("precision", "recall", "false positive rate", "false negative rate", "wrong class")


def report_tables(data: ReportData) -> dict[str, str]:
    """Every table by the name of its file: scores, classes, pairs, pictures; confusions and flow once a method."""
    tables = {
        "scores.csv": scores_csv(data),
        "classes.csv": gain_csv(data.gain, data.titles),
        "pairs.csv": pairs_csv(data.pairs, data.classes, data.titles),
        "pictures.csv": pictures_csv(data.pictures, data.titles, data.listed),
    }
    for number, method in enumerate(data.methods, start=1):
        confusion = data.confusions[method.key]
        # The number keeps titles apart that differ only in what a file's name cannot hold.
        tables[file_name("confusion", str(number), method.title, suffix=".csv")] = confusion_csv(
            confusion, data.classes
        )
        tables[file_name("flow", str(number), method.title, suffix=".csv")] = flow_csv(confusion, data.classes)
    return tables


def scores_csv(data: ReportData) -> str:
    """One line a method: its threshold, mIoU and gain with intervals, and :func:`rates`."""
    lines = []
    for place, method in enumerate(data.methods):
        scores, cut, gain = data.scores[method.key], data.cuts[method.key], data.gain
        lines.append(
            [
                method.title,
                cut.threshold,
                cut.origin,
                scores.miou,
                *(float(column[place]) for column in (gain.miou_low, gain.miou_high, gain.miou_gain)),
                *(float(column[place]) for column in (gain.miou_gain_low, gain.miou_gain_high)),
                *(float(rate) for rate in rates(scores)),
            ]
        )
    columns = [
        "method",
        "threshold",
        "threshold from",
        "mIoU",
        "mIoU low",
        "mIoU high",
        "gain",
        "gain low",
        "gain high",
    ]
    return csv_text([*columns, *_RATES, lost_words(data)], lines)


def rates(scores: Scores) -> tuple[float, ...]:
    """Precision, recall, false positive and false negative rate (means over classes); shares of the objects' pixels
    given to a wrong class and left to the background. All 0..1.
    """
    return (
        float(mean_of_present(scores.precision)),
        float(mean_of_present(scores.recall)),
        scores.mean_false_positive_rate,
        scores.mean_false_negative_rate,
        scores.wrong_class,
        scores.lost_to_background,
    )


def lost_words(data: ReportData) -> str:
    """What becomes of pixels that no class is given to."""
    return "left to background" if data.classes.has_background else "left unlabelled"
