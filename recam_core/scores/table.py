"""Scores of several methods as a table for people."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from recam_core.errors import UserError
from recam_core.scores.evaluate import Evaluation
from recam_core.scores.metrics import value_names
from recam_core.scores.scores import Scores, pictures_with
from recam_core.words import few


def check_comparable(evaluations: Sequence[Evaluation]) -> None:
    """Make sure that figures that stand side by side are of the same pictures.

    Raises:
        UserError: two of them were scored on different pictures.
    """
    first = evaluations[0]
    for other in evaluations[1:]:
        apart = set(first.counts.ids) ^ set(other.counts.ids)
        if apart:
            raise UserError(
                f"{first.name} and {other.name} were scored on different pictures ({len(apart)} are in one of them "
                f"only, such as {min(apart)!r}); make both stores from the same data."
            )


def summary_table(evaluations: Sequence[Evaluation]) -> str:
    """One row a method (two where a threshold of its own comes besides the best one), all figures in percent.

    Raises:
        UserError: the methods were scored on different pictures.
    """
    check_comparable(evaluations)
    rows = [["", "mIoU", "", "threshold", "FP", "FN", "wrong class", "lost"]]
    first = evaluations[0]
    for evaluation in evaluations:
        difference = "" if evaluation is first else f"{100 * (evaluation.best.miou - first.best.miou):+.2f}"
        rows.append(_row(evaluation.name, evaluation.best, difference, "best here"))
        if evaluation.fixed is not None:
            difference = ""
            if evaluation is not first and first.fixed is not None:
                difference = f"{100 * (evaluation.fixed.miou - first.fixed.miou):+.2f}"
            rows.append(_row("", evaluation.fixed, difference, evaluation.fixed_from))
        if evaluation.interval is not None:
            of = "best" if evaluation.fixed is None else "fixed"
            rows.append([f"  95% interval ({of})", _interval_words(evaluation.interval)])
    lines = [aligned(rows), "", _legend(first)]
    if unseen := unseen_note(map(_at_any_threshold, evaluations), first.counts.classes.names):
        lines.append(unseen)
    if once := _seen_once(first):
        lines.append(
            f"Seen in one picture: {', '.join(once)}. How that differs from picture to picture is not known, so the "
            "interval holds the spread of the others alone."
        )
    return "\n".join(lines)


def unseen_note(confusions: Iterable[np.ndarray], names: Sequence[str], most: int = 8) -> str:
    """A sentence on classes that are predicted somewhere and shown by no ground truth; "" where there are none.

    Args:
        confusions: (K+1) x (K+1) pixels by ground truth and prediction, of methods on the same pictures.
        names: of the K classes.
        most: so many names are listed.
    """
    given, shown = np.zeros((2, len(names)), dtype=bool)
    for confusion in confusions:
        given |= confusion[:, 1:].any(axis=0)
        shown |= confusion[1:].any(axis=1)
    unseen = [name for name, is_unseen in zip(names, given & ~shown, strict=True) if is_unseen]
    if not unseen:
        return ""
    them, their = ("them", "their") if len(unseen) > 1 else ("it", "its")
    return (
        f"No mask of these pictures shows {few(unseen, most)}: what a method gives to {them} is wrong everywhere, and "
        f"{their} IoU of 0 enters the mIoU where it gives {them} any pixel. 'data check' says whether labels and masks "
        "agree."
    )


def _at_any_threshold(evaluation: Evaluation) -> np.ndarray:
    """(K+1) x (K+1) pixels by ground truth and class, where a class has any activation."""
    histogram = evaluation.counts.total()
    confusion = histogram[:, :, 1:].sum(axis=2)
    confusion[:, 0] += histogram[:, :, 0].sum(axis=1)
    return confusion


def _interval_words(interval: tuple[float, float]) -> str:
    low, high = interval
    if np.isnan(low):
        return "none: no class is seen in two pictures"
    return f"{100 * low:.2f} - {100 * high:.2f}"


def _seen_once(evaluation: Evaluation) -> list[str]:
    """Classes in one picture, where there is an interval that they have no part in."""
    if evaluation.interval is None or np.isnan(evaluation.interval[0]):
        return []
    seen = pictures_with(evaluation.counts).tolist()
    return [name for name, pictures in zip(evaluation.scored_names, seen, strict=True) if pictures == 1]


def threshold_note(evaluations: Sequence[Evaluation]) -> str:
    """What to know of methods that have no background threshold of their own; "" where all have one, or need none."""
    searched = [each.name for each in evaluations if each.fixed is None and each.best.threshold is not None]
    if not searched:
        return ""
    have = "has" if len(searched) == 1 else "have"
    return (
        f"{', '.join(searched)} {have} no background threshold of {'its' if len(searched) == 1 else 'their'} own: the "
        "one that is best here was searched on these very pictures, which makes the mIoU slightly too good. To report "
        "a figure, choose it on others: evaluate RUN --data SPEC@train.select --keep-threshold, or retrain with "
        "--choose-threshold; or give one with --threshold."
    )


def silent_note(evaluations: Sequence[Evaluation]) -> str:
    """A line for each method that has no activation for some class; "" where all have."""
    found = (
        (each.name, "" if each.silent is None else each.silent.words(each.counts.classes.names)) for each in evaluations
    )
    return "\n".join(f"{name}: {words}" for name, words in found if words)


def class_table(evaluations: Sequence[Evaluation], fixed: bool = False) -> str:
    """IoU of each class (rows) by each method (columns), in percent, with the most frequent confusion of the last."""
    chosen = [(e.fixed if fixed and e.fixed is not None else e.best) for e in evaluations]
    rows = [["IoU per class", *(evaluation.name for evaluation in evaluations), "most often taken for (last column)"]]
    names, seen = evaluations[0].scored_names, pictures_with(evaluations[0].counts).tolist()
    for position, name in enumerate(names):
        row = [
            f"{name} (1 picture)" if seen[position] == 1 else name,
            *(percent(scores.iou[position]) for scores in chosen),
        ]
        rows.append([*row, _confused_with(evaluations[-1], chosen[-1], position)])
    return aligned(rows)


def _confused_with(evaluation: Evaluation, scores: Scores, position: int) -> str:
    """The class that most pixels of a class were given to, and their share."""
    offset = 0 if scores.has_background else 1
    row = scores.confusion[position + offset].astype(float)
    whole = row.sum()
    row[position + offset] = 0
    if not row.any():
        return ""
    place = int(row.argmax())
    return f"{value_names(evaluation.counts.classes)[place]} ({percent(row[place] / whole)}%)"


def _row(name: str, scores: Scores, difference: str, origin: str) -> list[str]:
    threshold = "none (arg-max)" if scores.threshold is None else f"{scores.threshold:.2f} {origin}"
    rates = (
        scores.mean_false_positive_rate,
        scores.mean_false_negative_rate,
        scores.wrong_class,
        scores.lost_to_background,
    )
    return [name, percent(scores.miou, 2), difference, threshold, *(percent(rate) for rate in rates)]


def _legend(evaluation: Evaluation) -> str:
    lost = "left to the background" if evaluation.counts.classes.has_background else "left unlabelled"
    return (
        "In percent. FP: FP / (FP + TN) and FN: FN / (FN + TP), means over the classes without the background.\n"
        f"Of the pixels that show a class - wrong class: given to another class; lost: {lost}."
    )


def percent(value: float | None, digits: int = 1) -> str:
    """A share as a number of per cent, or a dash where there is none."""
    return "–" if value is None or np.isnan(value) else f"{100 * value:.{digits}f}"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; numbers to the right, words to the left."""
    columns = max(len(row) for row in rows)
    # A line with fewer cells (an interval) is a remark: it does not widen the columns.
    widths = [max(len(row[k]) for row in rows if len(row) == columns) for k in range(columns)]
    body = [row for row in rows[1:] if len(row) == columns]
    numeric = [k > 0 and all(_is_number(row[k]) or not row[k] for row in body) for k in range(columns)]
    return _in_columns(rows, widths, numeric)


def signed(points: float, digits: int = 1) -> str:
    """A difference with its sign, as people write it; rates of about a per cent need two digits. A dash for nan."""
    if points != points:
        return "–"
    text = f"{points:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


def in_columns(rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """Rows of equal length in columns as wide as their widest cell: first the ones of words, then those of numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return _in_columns(rows, widths, [place >= words for place in range(len(widths))])


def _in_columns(rows: Sequence[Sequence[str]], widths: list[int], right: list[bool]) -> str:
    return "\n".join(
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=False)
        ).rstrip()
        for row in rows
    )


def _is_number(cell: str) -> bool:
    return cell in ("-", "–") or cell.replace(".", "").strip("+-−±").isdigit()


def settings_lines(values: Mapping[str, Any], depth: int = 0) -> list[str]:
    """Nested settings as lines, indented by their depth."""

    def short(value: Any) -> str:
        return f"{value:.4g}" if isinstance(value, float) else "-" if value is None else str(value)

    lines = []
    for name, value in values.items():
        start = f"{'  ' * depth}{name}:"
        if isinstance(value, dict):
            lines += [start, *settings_lines(value, depth + 1)]
        elif isinstance(value, list):
            lines.append(f"{start} {', '.join(map(short, value))}")
        else:
            lines.append(f"{start} {short(value)}")
    return lines
