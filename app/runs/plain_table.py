"""A small table of texts that wraps, scrolls sideways in a narrow window and can be read out; no markup in it."""

import streamlit as st
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from app.chart import palette


_RULES = """
<style>
.plain-table { overflow-x: auto; border: 1px solid var(--st-border-color, #8884); border-radius: 0.5rem; }
.plain-table table { border-collapse: collapse; width: 100%; font-size: 0.88rem; font-variant-numeric: tabular-nums; }
.plain-table th, .plain-table td { text-align: left; padding: 0.32rem 0.8rem; vertical-align: top;
  border-bottom: 1px solid color-mix(in srgb, currentColor 12%, transparent); overflow-wrap: anywhere; }
.plain-table tr:last-child > * { border-bottom: none; }
.plain-table thead th { font-weight: 600; overflow-wrap: normal; min-width: 4.6rem;
  background: color-mix(in srgb, currentColor 5%, transparent); }
.plain-table tbody th { font-weight: 400; opacity: 0.75; white-space: nowrap; }
.plain-table td.none { opacity: 0.45; }
.plain-table td.number { text-align: right; white-space: nowrap; }
.plain-table thead th.number { text-align: right; }
.plain-table td.up { color: var(--runs-up); } .plain-table td.down { color: var(--runs-down); }
</style>
"""


def send_style() -> None:
    """Send the rules with the page."""
    st.html(_RULES)


@dataclass(frozen=True)
class Cell:
    """One cell: its text (None for nothing there), and a kind: ``number``, or ``up`` and ``down`` for a difference
    that is more than chance.
    """

    text: str | None
    kind: str = ""


def plain_table(heads: Sequence[str], rows: Sequence[tuple[str, Sequence[Cell]]], caption: str) -> None:
    """Draw a table.

    Args:
        heads: of the columns after the first.
        rows: the head of each row, and its cells.
        caption: what it shows, for screen readers.
    """
    colours = palette()
    numbers = [bool(rows) and all(cells[place].kind for _, cells in rows) for place in range(len(heads))]
    head = "".join(
        f'<th scope="col"{" class=number" if number else ""}>{escape(name)}</th>'
        for name, number in zip(heads, numbers, strict=True)
    )
    body = "".join(f'<tr><th scope="row">{escape(name)}</th>{"".join(map(_cell, cells))}</tr>' for name, cells in rows)
    st.html(
        f'<div class="plain-table" style="--runs-up:{colours.right};--runs-down:{colours.wrong}" tabindex="0" '
        f'role="region" aria-label="{escape(caption)}"><table><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(cell: Cell) -> str:
    if cell.text is None:
        return f'<td class="none{" number" if cell.kind else ""}">–</td>'
    kind = f"number {cell.kind}" if cell.kind else ""
    return f'<td class="{kind}">{escape(cell.text)}</td>'
