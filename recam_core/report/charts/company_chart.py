"""A scatter of pairs of classes: how often the two are seen together against how much one is taken for the other."""

from collections.abc import Sequence

import numpy as np

from recam_core.analysis.confused_pairs import ConfusedPair
from recam_core.report.charts.dot_chart import shape
from recam_core.report.markup import Markup, percent, tag

_WIDTH, _HEIGHT = 540, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 16, 12, 44
#: Steps between marks of an axis, in shares.
_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
#: Pairs whose names are written beside them: those with the greatest shares.
_NAMED = 3


def company_chart(
    pairs: Sequence[ConfusedPair], names: Sequence[str], methods: Sequence[tuple[str, str, int]], title: str
) -> Markup:
    """Draw the pairs; dots of one pair are joined, so that its change from method to method is seen.

    Args:
        pairs: most pixels first; pairs whose company or share is unknown are left out.
        names: K + 1 names by value.
        methods: key, title, and the number that chooses colour and shape, of each method that is drawn.
        title: for screen readers.
    """
    known = [
        pair for pair in pairs if not np.isnan([pair.together_share, *(pair.share[key] for key, _, _ in methods)]).any()
    ]
    right, x_step = _axis([pair.together_share for pair in known])
    top, y_step = _axis([pair.share[key] for pair in known for key, _, _ in methods])

    def place(pair: ConfusedPair, key: str) -> tuple[float, float]:
        x = _LEFT + pair.together_share / right * (_WIDTH - _LEFT - _RIGHT)
        return x, _HEIGHT - _BOTTOM - pair.share[key] / top * (_HEIGHT - _TOP - _BOTTOM)

    parts = []
    for mark in np.arange(0, right + x_step / 2, x_step).tolist():
        x = _LEFT + mark / right * (_WIDTH - _LEFT - _RIGHT)
        parts.append(tag("path", d=f"M{x:.1f} {_TOP}V{_HEIGHT - _BOTTOM}", class_="grid"))
        parts.append(tag("text", percent(mark, _digits(x_step)), x=f"{x:.1f}", y=_HEIGHT - _BOTTOM + 14, class_="mark"))
    for mark in np.arange(0, top + y_step / 2, y_step).tolist():
        y = _HEIGHT - _BOTTOM - mark / top * (_HEIGHT - _TOP - _BOTTOM)
        parts.append(tag("path", d=f"M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}", class_="grid"))
        parts.append(tag("text", percent(mark, _digits(y_step)), x=_LEFT - 7, y=f"{y:.1f}", class_="row"))
    words = "seen together, per cent of the pictures that show the class"
    parts.append(tag("text", words, x=(_LEFT + _WIDTH) / 2, y=_HEIGHT - 13, class_="mark"))
    named = sorted(known, key=lambda pair: -max(pair.share[key] for key, _, _ in methods))[:_NAMED]
    for pair in reversed(known):  # those with most pixels lie on top
        places = [place(pair, key) for key, _, _ in methods]
        spoken = f"{names[pair.truth]} taken for {names[pair.predicted]}"
        shares = ", ".join(f"{name} {percent(pair.share[key])}%" for key, name, _ in methods)
        note = f"{spoken}: {shares}; together in {pair.together:,} pictures ({percent(pair.together_share, 0)}%)"
        marks: list[object] = [tag("title", note)]
        if len(places) > 1:
            line = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
            marks.append(tag("path", d=f"M{line}", class_="joined"))
        for (_, _, number), (x, y) in zip(methods, places, strict=True):
            marks.append(tag("g", shape(number, x, y), class_=f"series s{number % 6}"))
        if pair in named:
            x, y = min(places, key=lambda spot: spot[1])
            after = x < _WIDTH / 2
            label = f"{names[pair.truth]} → {names[pair.predicted]}"
            label = label if len(label) <= 34 else f"{label[:33]}…"
            marks.append(tag("text", label, x=f"{x + (8 if after else -8):.1f}", y=f"{y:.1f}",
                             class_="after" if after else "row"))  # fmt: skip
        parts.append(tag("g", *marks, class_="pair"))
    chart = tag(
        "svg",
        tag("title", title),
        *parts,
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        width=_WIDTH,
        height=_HEIGHT,
        role="img",
        class_="company",
    )
    return tag("div", chart, class_="wide", tabindex="0", role="region", aria_label=title)


def _axis(shares: Sequence[float]) -> tuple[float, float]:
    """The end of an axis from 0, and the step between its marks."""
    most = max(shares, default=0.0)
    step = next((step for step in _STEPS if most / step <= 8), _STEPS[-1])
    return max(float(np.ceil(most / step)), 1.0) * step, step


def _digits(step: float) -> int:
    return 1 if step < 0.01 else 0
