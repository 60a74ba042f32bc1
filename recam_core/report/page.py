"""The report: one HTML file that opens anywhere, without a server or a single request."""

from datetime import datetime, timezone
from pathlib import Path

from recam_core.atomic_write import replacing_file
from recam_core.data.sample import Dataset
from recam_core.errors import UserError
from recam_core.progress import ProgressFn, silent
from recam_core.report.figures import Figures
from recam_core.report.galleries import pictures_section
from recam_core.report.markup import PAGE_STYLE, Markup, points, tag
from recam_core.report.report_data import ReportData
from recam_core.report.sections import (
    classes_section,
    flow_section,
    matrices_section,
    pairs_section,
    scores_section,
    settings_section,
)
from recam_core.scores.table import percent
from recam_core.words import counted, listing

#: Even if a name slipped through as markup, the browser would load nothing, and run nothing but the page's own scripts.
_POLICY = "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def report_html(
    data: ReportData,
    dataset: Dataset,
    *,
    title: str = "",
    about: str = "",
    pictures: int = 4,
    command: str = "",
    progress: ProgressFn = silent,
) -> str:
    """The whole page.

    Args:
        data: what it tells.
        dataset: where the pictures come from.
        title: of the report; by default the methods and the data.
        about: a sentence on what was chosen, such as filters; stands below the title.
        pictures: how many each gallery shows; 0 leaves galleries out.
        command: the command line that makes the report again.
        progress: called after each picture; may raise Cancelled.

    Raises:
        UserError: the number of pictures is out of range.
    """
    if not 0 <= pictures <= 50:
        raise UserError(f"A gallery of a report shows 0 to 50 pictures, got {pictures}.")
    title = title or f"{listing([method.title for method in data.methods])} on {data.spec}"
    figures = Figures()
    sections = [
        ("Scores", "scores", scores_section(data)),
        ("Classes", "classes", classes_section(data, figures)),
        ("Confusion matrices", "confusions", matrices_section(data, figures)),
        ("Confused pairs", "pairs", pairs_section(data, figures)),
        ("Where pixels go", "flow", flow_section(data, figures)),
        ("Pictures", "pictures", pictures_section(data, dataset, figures, pictures, progress)),
        ("Settings", "settings", settings_section(data, command)),
    ]
    sections = [section for section in sections if section[2]]
    links = (tag("li", tag("a", name, href=f"#{anchor}")) for name, anchor, _ in sections)
    made = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=f"{_POLICY}; {figures.policy()}"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        # The style sheet is a constant of ours; escaping would break its quotes.
        tag("style", Markup(PAGE_STYLE)),
    )
    body = tag(
        "body",
        tag(
            "main",
            tag("h1", title),
            tag("p", _headline(data), class_="lead"),
            tag("p", about) if about else "",
            tag("nav", tag("ul", *links), aria_label="Contents"),
            *(section for _, _, section in sections),
            tag("footer", f"Made by ReCAM Lab on {made}. This file holds all that it shows."),
        ),
        figures.scripts(),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def write_report(path: str | Path, page: str) -> None:
    """Write the page, whole or not at all.

    Raises:
        UserError: the file cannot be written.
    """
    with replacing_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _headline(data: ReportData) -> str:
    """What came out, in a sentence."""
    count = int(data.chosen.sum())
    pictures = counted(count, "picture")
    first, last = data.reference, data.subject
    words = f"{pictures}, {len(data.classes)} classes. {first.title}: {percent(data.scores[first.key].miou)}% mIoU"
    if first is last:
        return f"{words}, {percent(data.scores[first.key].wrong_class)}% of object pixels given to a wrong class."
    place = len(data.methods) - 1
    gain = data.gain
    low, high = gain.miou_gain_low[place], gain.miou_gain_high[place]
    noise = "" if low > 0 or high < 0 else ", which may be noise"
    return (
        f"{words}; {last.title}: {percent(data.scores[last.key].miou)}% "
        f"({points(gain.miou_gain[place])} points, {points(low)} to {points(high)} by bootstrap{noise}). Object pixels "
        f"given to a wrong class: {percent(data.scores[first.key].wrong_class)}% and "
        f"{percent(data.scores[last.key].wrong_class)}%."
    )
