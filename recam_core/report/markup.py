"""HTML put together from values: whatever is not markup already is escaped; and the style sheet of reports."""

import html
import unicodedata
from collections.abc import Iterable

from recam_core.scores.table import signed
from recam_core.views.pictures import data_address

#: Elements that have no end tag in HTML.
_VOID = {"meta", "img", "br", "hr", "col", "link"}


class Markup(str):
    """Text that is HTML; made by :func:`tag` and :func:`join`, never from names or numbers of users."""

    __slots__ = ()


def escaped(value: object) -> Markup:
    """A value as text of a page: markup in it is shown, not obeyed; control characters become spaces."""
    if isinstance(value, Markup):
        return value
    letters = (letter if unicodedata.category(letter) not in ("Cc", "Cs", "Cn") else " " for letter in str(value))
    return Markup(html.escape("".join(letters), quote=True))


def join(parts: Iterable[object], between: str = "") -> Markup:
    """The parts one after another, each escaped if need be."""
    return Markup(escaped(between).join(escaped(part) for part in parts))


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """An element.

    Args:
        name: of the element.
        children: its content; what is not markup is escaped.
        attributes: their names with underscores for hyphens and without a trailing one (``class_``); None leaves one
            out, True gives it no value.
    """
    words = [name]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        key = key.rstrip("_").replace("_", "-")
        if isinstance(value, float):
            value = f"{value:.4g}"
        words.append(key if value is True else f'{key}="{escaped(value)}"')
    if name in _VOID:
        return Markup(f"<{' '.join(words)}>")
    return Markup(f"<{' '.join(words)}>{join(children)}</{name}>")


def table(
    header: Iterable[object], rows: Iterable[Iterable[object]], *, words: int = 1, caption: str = "", class_: str = ""
) -> Markup:
    """A table that scrolls sideways where it is too wide.

    Args:
        header: names of the columns.
        rows: cells; the first ``words`` of each row are words (and the first is its head), the others numbers.
        words: columns of words at the left.
        caption: what the table shows.
        class_: of the table.
    """
    head = tag(
        "tr", *(tag("th", name, scope="col", class_=None if k < words else "n") for k, name in enumerate(header))
    )
    body = []
    for row in rows:
        cells = [
            tag("th", cell, scope="row") if k == 0 else tag("td", cell, class_=None if k < words else "n")
            for k, cell in enumerate(row)
        ]
        body.append(tag("tr", *cells))
    parts = [tag("caption", caption)] if caption else []
    grid = tag("table", *parts, tag("thead", head), tag("tbody", *body), class_=class_ or None)
    return tag("div", grid, class_="wide", tabindex="0", role="region", aria_label=caption or "Table")


def points(value: float, digits: int = 1) -> str:
    """A difference of shares in points, signed by a plus or a true minus."""
    return signed(100 * value, digits)


def csv_link(name: str, content: str) -> Markup:
    """A link that saves a table of this very page as a file, without any server."""
    # The mark at the beginning tells spreadsheets that this is UTF-8.
    address = data_address(("\ufeff" + content).encode("utf-8", "replace"), "text/csv;charset=utf-8")
    return tag("p", tag("a", f"{name}.csv", href=address, download=f"{name}.csv"), class_="save")


PAGE_STYLE = """
:root { color-scheme: light dark; --ground: #ffffff; --text: #1a1d21; --faint: #555d68; --line: #d8dce2;
  --stripe: #f4f5f7; --link: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171c; --text: #e8eaee; --faint: #a7afba; --line: #363c46;
  --stripe: #1b1f26; --link: #7db8f2; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0.5rem 0 0.25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.75rem 0 0.5rem; padding-top: 0.9rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.5rem 0 0.4rem; }
p { margin: 0.5rem 0; max-width: 46rem; }
a { color: var(--link); }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
.lead, .note, caption, figcaption { color: var(--faint); }
.note, figcaption { font-size: 0.87rem; }
nav ul { list-style: none; margin: 1rem 0 0; padding: 0; display: flex; flex-wrap: wrap; gap: 0.3rem 1.2rem; }
.wide { overflow-x: auto; max-width: 100%; margin: 0.75rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.9rem; }
caption { text-align: left; padding: 0 0 0.4rem; }
th, td { padding: 0.28rem 0.7rem; text-align: left; vertical-align: baseline; border-bottom: 1px solid var(--line); }
thead th { border-bottom: 2px solid var(--line); vertical-align: bottom; }
tbody th { font-weight: 500; min-width: 6.5rem; max-width: 22rem; overflow-wrap: anywhere; }
.n { text-align: right; white-space: nowrap; }
td small, th small { color: var(--faint); font-size: 0.82em; font-weight: 400; white-space: nowrap; }
tr:last-child > * { border-bottom-color: transparent; }
.sure { font-weight: 650; }
.total > * { border-top: 2px solid var(--line); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.15rem 1.2rem; font-size: 0.9rem; margin: 0.75rem 0; }
dt { color: var(--faint); }
dd { margin: 0; overflow-wrap: anywhere; }
code, pre { font: 0.86rem/1.45 ui-monospace, "SFMono-Regular", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; background: var(--stripe); padding: 0.7rem 0.9rem; border-radius: 0.3rem; }
details { margin: 0.6rem 0; }
summary { cursor: pointer; }
.save { font-size: 0.85rem; margin: 0.25rem 0 0; }
.charts { display: flex; flex-wrap: wrap; gap: 0.5rem 1.5rem; align-items: flex-start; }
.charts > figure { flex: 1 1 28rem; min-width: 0; max-width: 46rem; }
figure { margin: 0; }
figure h3 { margin-top: 0.9rem; }
figure.large { flex-basis: 100%; max-width: 62rem; }
.once { color: var(--faint); }
.legend { display: flex; flex-wrap: wrap; gap: 0.3rem 1.2rem; align-items: center; font-size: 0.9rem; max-width: none; }
.legend span { display: inline-flex; gap: 0.45rem; align-items: center; }
.legend img { height: 1.1rem; width: 1.65rem; border-radius: 0.15rem; }
.legend i { height: 0.9rem; width: 0.9rem; border-radius: 0.15rem; print-color-adjust: exact; }
.picture { margin: 1.2rem 0 1.6rem; break-inside: avoid; }
.picture h4 { margin: 0 0 0.35rem; font-size: 0.95rem; font-weight: 600; overflow-wrap: anywhere; }
.picture h4 small { font-weight: 400; color: var(--faint); }
.cells-row { display: flex; flex-wrap: wrap; gap: 0.6rem; }
.cells-row figure { flex: 1 1 9rem; max-width: 15rem; }
.cells-row figure img { width: 100%; height: auto; display: block; border-radius: 0.25rem; }
.cells-row figcaption { margin-top: 0.2rem; line-height: 1.35; }
.cells-row figcaption span { display: block; }
.cells-row figcaption b { color: var(--text); font-weight: 600; }
footer { margin-top: 3rem; padding-top: 0.8rem; border-top: 1px solid var(--line); color: var(--faint);
  font-size: 0.85rem; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: 0.5rem; }
  .cells-row figure { flex-basis: 40%; max-width: calc(50% - 0.3rem); } }
@media print { :root { --ground: #ffffff; --text: #000000; --faint: #444444; --line: #bbbbbb; --stripe: #f2f2f2;
  color-scheme: light; }
  @page { margin: 14mm; } body { font-size: 9.5pt; } main { max-width: none; padding: 0; }
  nav, .save { display: none; } .wide { overflow: visible; } a { color: inherit; text-decoration: none; }
  svg, img { print-color-adjust: exact; -webkit-print-color-adjust: exact; } .modebar { display: none; }
  table, .charts > *, figure, dl { break-inside: avoid; } h2, h3, h4 { break-after: avoid; }
  table { font-size: 7pt; } th, td { padding: 0.15rem 0.35rem; } tbody th { min-width: 0; } td small { display: block; }
  .charts { display: block; } .charts .wide { margin: 0.2rem 0; }
  .cells-row figure { flex: 1 1 2.6cm; max-width: 5cm; } }
"""
