"""The sections of a report: scores, classes, confusion matrices, confused pairs, where pixels go, and settings."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import plotly.graph_objects as go

from recam_core.analysis.analysed import Analysed
from recam_core.analysis.csv_tables import confusion_csv, flow_csv, gain_csv, pairs_csv
from recam_core.analysis.picture_table import single_class_words
from recam_core.checkpoint.run_folder import versions
from recam_core.report.figures import Figures
from recam_core.report.files import lost_words, rates, scores_csv
from recam_core.report.markup import Markup, csv_link, join, points, table, tag
from recam_core.report.report_data import ReportData
from recam_core.scores.band import band_words
from recam_core.scores.metrics import value_names
from recam_core.scores.table import percent, settings_lines
from recam_core.views.charts.class_iou import gain_rows, iou_chart
from recam_core.views.charts.flow import flow_chart
from recam_core.views.charts.gains import gain_chart
from recam_core.views.charts.matrix import NUMBERED, difference_cells, matrix_cells, matrix_chart
from recam_core.views.charts.pairs import pairs_chart
from recam_core.views.charts.style import Palette


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
        gained, _ = gain_rows(gain, method.key, order)
        if gained:
            title = f"Gain of {method.title} over {data.reference.title}"
            charts.append(figures.add(partial(gain_chart, gained, title=_GAIN_AXIS), title))
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


#: Pixels that a column needs.
_LEAST_CELL = 9


def matrices_section(data: ReportData, figures: Figures) -> Markup:
    """One matrix a method, then one for each difference to the first method; all in one order of the classes."""
    order, names = data.matrix_order, value_names(data.classes)

    def chart(draw: Callable[[str, Palette], go.Figure], key: str, title: str) -> Markup:
        least = 110 + _LEAST_CELL * len(order)
        return figures.add(partial(draw, key), title, least=least, large=len(order) > NUMBERED)

    def on_its_own(key: str, palette: Palette) -> go.Figure:
        return matrix_chart(matrix_cells(data.confusions[key], names, order, palette), palette, pressable=False)

    def difference(key: str, palette: Palette) -> go.Figure:
        both = data.confusions[data.reference.key], data.confusions[key]
        return matrix_chart(difference_cells(*both, names, order, palette), palette, pressable=False)

    charts, links, differences = [], [], []
    for number, method in enumerate(data.methods):
        charts.append(chart(on_its_own, method.key, method.title))
        links.append(csv_link(f"confusion-{number + 1}", confusion_csv(data.confusions[method.key], data.classes)))
    for method in data.methods[1:]:
        title = f"{method.title} less {data.reference.title}"
        differences.append(chart(difference, method.key, title))
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
            *_co_occurrence(data, figures),
        ]
    else:
        parts.append(tag("p", "No pixel of a class was given to another class."))
    return tag("section", *parts, id="pairs")


def _co_occurrence(data: ReportData, figures: Figures) -> list[Markup]:
    """Whether co-occurrence is the cause: the first method and the last, or the only one."""
    shown = list(dict.fromkeys((data.keys[0], data.subject.key)))
    names = value_names(data.classes)
    return [
        figures.add(
            lambda palette: pairs_chart(data.plotted, names, data.titles, palette, shown=shown),
            "Is co-occurrence the cause?",
            large=True,
        ),
        tag(
            "p",
            f"The {len(data.plotted):,} pairs with most pixels. Upwards: of the pixels of a class, the share given "
            "to the other one. A pair far up on the left is confused though the two are seldom seen together: "
            "co-occurrence is not the cause. Far up on the right, it may well be. Larger points stand for more pixels.",
            class_="note",
        ),
    ]


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
    charts = []
    for method in data.methods:
        confusion = data.confusions[method.key]
        if confusion[truths].any():
            charts.append(figures.add(partial(flow_chart, confusion, truths, names, most=6), method.title, least=520))
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


def settings_section(data: ReportData, command: str = "") -> Markup:
    """Data, runs, thresholds, versions.

    Args:
        data: what the report tells.
        command: the command line that makes the report again; empty where there is none.
    """
    chosen = int(data.chosen.sum())
    pictures = f"{chosen:,}" if data.chosen.all() else f"{chosen:,} of {len(data.chosen):,}"
    background = "and a background class" if data.classes.has_background else "without a background class"
    pixels, band = data.scores[data.reference.key].pixels, data.reference.band
    facts = {
        "Data": tag("code", data.spec),
        "Pictures": pictures,
        "Scored pixels": f"{pixels:,}" + (f", {band_words(band)} of the ground truth" if band else ""),
        "Classes": f"{len(data.classes)} {background}: {', '.join(data.classes.names)}",
        "Intervals": f"95%, {data.resamples:,} draws of pictures, seed 0",
        "Programs": ", ".join(f"{name} {version}" for name, version in versions().items()),
    }
    if command:
        facts["Command"] = tag("code", command)
    parts = [tag("h2", "Settings"), _list(facts)]
    parts += [_method(method, data) for method in data.methods]
    return tag("section", *parts, id="settings")


def _method(method: Analysed, data: ReportData) -> Markup:
    info, made, cut = method.info, method.store.info, data.cuts[method.key]
    facts = {
        "Run": f"{info.name}, method {info.method}",
        "Extraction rule": method.rule.replace("_", " "),
        "Background threshold": f"{cut} ({cut.origin})",
        "Scales": ", ".join(f"{scale:g}" for scale in made.scales) + (", with mirror images" if made.mirror else ""),
        "Maps of": "the classes of the image-level label" if made.labels == "truth" else "the classes the network sees",
        "Network": f"{info.network['backbone']}, output stride {info.network['output_stride']}",
        "Trained on": info.data or "unknown data",
        "Started from": info.parent or "no other run",
        "Seed": info.seed,
        "Made": info.created or "unknown",
        "Weights, SHA-256": tag("code", info.weights_sha256),
    }
    details = [tag("summary", "Recipe and command")]
    if info.command:
        details.append(tag("pre", info.command))
    details.append(tag("pre", "\n".join(settings_lines(info.recipe)) or "not recorded"))
    return join([tag("h3", method.title), _list(facts), tag("details", *details)])


def _list(facts: Mapping[str, object]) -> Markup:
    return tag("dl", *(join([tag("dt", name), tag("dd", value)]) for name, value in facts.items()))
