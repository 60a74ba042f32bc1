"""A dot plot: one line a class, one dot a method, with a line for the interval of each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recam_core.report.markup import Markup, percent, points, tag

_ROW, _WIDTH, _LETTER = 22, 540, 6.6
_TOP, _BOTTOM = 8, 40
#: Steps between marks of the axis, in shares.
_STEPS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)


@dataclass(frozen=True, eq=False)
class DotSeries:
    """One method: R values with the ends of their intervals; nan where there is nothing.

    Attributes:
        title: of the method.
        number: chooses colour and shape, so that either tells methods apart.
        value, low, high: R each; without low and high a dot is grey and has no line.
    """

    title: str
    number: int
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


def dot_chart(names: Sequence[str], series: Sequence[DotSeries], axis: str, title: str, signed: bool = False) -> Markup:
    """Draw the dots.

    Args:
        names: R rows, from top to bottom.
        series: one a method.
        axis: what the values are; they are shares and shown in per cent.
        title: for screen readers.
        signed: values are differences: the axis has a line at 0.
    """
    values = np.concatenate([np.stack([one.value, one.low, one.high]).ravel() for one in series])
    values = values[~np.isnan(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    low, high = (min(low, 0.0), max(high, 0.0)) if signed else (max(low - 0.02, 0.0), min(high + 0.02, 1.0))
    step = next((step for step in _STEPS if (high - low) / step <= 9), _STEPS[-1])
    low, high = np.floor(low / step) * step, np.ceil(high / step) * step
    high = max(high, low + step)
    left = min(int(max(map(len, names), default=1) * _LETTER) + 14, 190)
    height = _TOP + len(names) * _ROW + _BOTTOM
    end = _TOP + len(names) * _ROW

    def place(value: float) -> float:
        return left + (value - low) / (high - low) * (_WIDTH - left - 18)

    parts = [
        tag("rect", x=0, y=_TOP + row * _ROW, width=_WIDTH, height=_ROW, class_="stripe")
        for row in range(1, len(names), 2)
    ]
    for mark in np.arange(low, high + step / 2, step).tolist():
        x = place(mark)
        zero = signed and abs(mark) < step / 2
        parts.append(tag("path", d=f"M{x:.1f} {_TOP}V{end}", class_="zero" if zero else "grid"))
        text = points(mark, _digits(step)) if signed else percent(mark, _digits(step))
        parts.append(tag("text", text, x=f"{x:.1f}", y=end + 14, class_="mark"))
    parts.append(tag("text", axis, x=(left + _WIDTH) / 2, y=end + 29, class_="mark"))
    for row, name in enumerate(names):
        middle = _TOP + (row + 0.5) * _ROW
        parts.append(tag("text", name if len(name) <= 28 else f"{name[:27]}…", x=left - 8, y=middle, class_="row"))
        for order, one in enumerate(series):
            if np.isnan(one.value[row]):
                continue
            y = middle + (order - (len(series) - 1) / 2) * min(6.0, 15 / len(series))
            words = points if signed else percent
            has_line = not np.isnan(one.low[row])
            ends = (
                f"{words(one.low[row])} to {words(one.high[row])}" if has_line else "seen in one picture: no interval"
            )
            note = f"{name}, {one.title}: {words(one.value[row])} ({ends})"
            line = f"M{place(one.low[row]):.1f} {y:.1f}H{place(one.high[row]):.1f}" if has_line else ""
            parts.append(
                tag(
                    "g",
                    tag("title", note),
                    tag("path", d=line, class_="interval") if has_line else "",
                    shape(one.number, place(one.value[row]), y),
                    class_=f"series s{one.number % 6}" + ("" if has_line else " once"),
                )
            )
    chart = tag(
        "svg",
        tag("title", title),
        *parts,
        viewBox=f"0 0 {_WIDTH} {height}",
        width=_WIDTH,
        height=height,
        role="img",
        class_="dots",
    )
    return tag("div", chart, class_="wide", tabindex="0", role="region", aria_label=title)


def series_legend(series: Sequence[DotSeries]) -> Markup:
    """Shapes and colours with their methods."""
    return tag(
        "p",
        *(
            tag(
                "span",
                tag(
                    "svg",
                    shape(one.number, 7, 7),
                    viewBox="0 0 14 14",
                    width=14,
                    height=14,
                    class_=f"series s{one.number % 6}",
                    aria_hidden="true",
                ),
                " ",
                one.title,
            )
            for one in series
        ),
        class_="legend",
    )


def shape(number: int, x: float, y: float) -> Markup:
    """The mark of a series: circle, square, diamond, triangle, and so on again."""
    if number % 4 == 0:
        return tag("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=4)
    corners = {
        1: ((-3.6, -3.6), (3.6, -3.6), (3.6, 3.6), (-3.6, 3.6)),
        2: ((0, -5.2), (5.2, 0), (0, 5.2), (-5.2, 0)),
        3: ((0, -5), (4.8, 3.8), (-4.8, 3.8)),
    }[number % 4]
    return tag("polygon", points=" ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners))


def _digits(step: float) -> int:
    return 1 if step < 0.01 else 0
