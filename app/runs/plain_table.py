"""A small table of texts that wraps, scrolls sideways in a narrow window and can be read out; no markup in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st

from app.chart import palette


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
