"""HTML and SVG put together from values: whatever is not markup already is escaped."""

import base64
import html
import unicodedata
from collections.abc import Iterable

from recam_core.scores.table import signed

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


def percent(value: float, digits: int = 1) -> str:
    """A share as a number of per cent, or a dash where there is none."""
    return "–" if value != value else f"{100 * value:.{digits}f}"


def points(value: float, digits: int = 1) -> str:
    """A difference of shares in points, signed by a plus or a true minus."""
    return signed(100 * value, digits)


def data_address(content: bytes, kind: str) -> str:
    """An address that holds the content itself; ``kind`` is its media type."""
    return f"data:{kind};base64," + base64.b64encode(content).decode("ascii")


def csv_link(name: str, content: str) -> Markup:
    """A link that saves a table of this very page as a file, without any server."""
    # The mark at the beginning tells spreadsheets that this is UTF-8.
    address = data_address(("\ufeff" + content).encode("utf-8", "replace"), "text/csv;charset=utf-8")
    return tag("p", tag("a", f"{name}.csv", href=address, download=f"{name}.csv"), class_="save")
