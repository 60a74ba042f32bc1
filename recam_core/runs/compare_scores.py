"""Runs on the same pictures: what each gains over the first, with intervals that tell a gain from chance."""

from collections.abc import Sequence
from dataclasses import dataclass

from recam_core.analysis.analysed import Analysed
from recam_core.analysis.class_gain import ClassGain, class_gain
from recam_core.analysis.outcomes import outcomes_of_all
from recam_core.analysis.picture_table import picture_table
from recam_core.errors import UserError
from recam_core.progress import ProgressFn, silent

#: Where classes have a background and a run has no threshold of its own.
USUAL_THRESHOLD = 0.25


@dataclass(frozen=True, eq=False)
class ScoreComparison:
    """M runs on N pictures; the first is what the others are compared with.

    Attributes:
        keys, titles: M.
        data: specification of the pictures.
        pictures: N.
        thresholds: M; the background threshold that each was read at; None for arg-max.
        gain: IoU per class, mIoU, and what each run gains over the first, with 95% intervals over pictures.
        telling: id of the picture on which the last run differs most from the first.
    """

    keys: tuple[str, ...]
    titles: tuple[str, ...]
    data: str
    pictures: int
    thresholds: tuple[float | None, ...]
    gain: ClassGain
    telling: str


def compare_scores(
    methods: Sequence[Analysed], data: str, resamples: int = 1000, progress: ProgressFn = silent
) -> ScoreComparison:
    """Compare runs whose pixel counts are kept, each at its own background threshold.

    Args:
        methods: two or more, of the same pictures and classes.
        data: specification of the pictures.
        resamples: draws of the bootstrap.
        progress: called after each block of draws; may raise Cancelled.

    Raises:
        UserError: fewer than two, or runs that were counted on other pictures or classes.
    """
    if len(methods) < 2:
        raise UserError("A comparison needs at least two runs whose pixel counts of these pictures are kept.")
    counts = {method.key: method.counts for method in methods}
    if len(counts) < len(methods):
        raise UserError("A run cannot be compared with itself.")
    background = methods[0].counts.classes.has_background
    thresholds = {
        method.key: (USUAL_THRESHOLD if method.threshold is None else method.threshold) if background else None
        for method in methods
    }
    outcomes = outcomes_of_all(counts, thresholds)
    gain = class_gain(counts, thresholds, methods[0].key, resamples=resamples, outcomes=outcomes, progress=progress)
    table = picture_table(counts, thresholds, methods[0].key, outcomes=outcomes)
    difference = abs(table.difference[methods[-1].key])
    difference[difference != difference] = -1.0  # a picture without a scored pixel tells nothing
    return ScoreComparison(
        gain.keys,
        tuple(method.title for method in methods),
        data,
        len(table),
        tuple(thresholds[key] for key in gain.keys),
        gain,
        table.ids[int(difference.argmax())],
    )


def verdicts(comparison: ScoreComparison) -> list[str]:
    """One sentence for each run but the first: what the pictures support, and no more."""
    gain, first = comparison.gain, comparison.titles[0]
    sentences = []
    for place, title in enumerate(comparison.titles[1:], start=1):
        change = 100 * float(gain.miou_gain[place])
        low, high = 100 * float(gain.miou_gain_low[place]), 100 * float(gain.miou_gain_high[place])
        interval = f"(95% interval {signed(low)} to {signed(high)}, {comparison.pictures} pictures)"
        if low > 0 or high < 0:
            word = "above" if change > 0 else "below"
            sentences.append(f"{title} is {abs(change):.1f} points of mIoU {word} {first} {interval}.")
        elif low == high == 0:
            sentences.append(f"{title} and {first} have the same mIoU on every draw of the pictures.")
        else:
            sentences.append(
                f"{title} differs from {first} by {signed(change)} points of mIoU, which may be chance {interval}."
            )
    return sentences


def signed(points: float) -> str:
    """A difference with its sign, as people write it."""
    text = f"{points:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")
