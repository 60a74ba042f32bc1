"""Runs on the same pictures: what each gains over the first, with intervals that tell a gain from chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recam_core.analysis.analysed import Analysed
from recam_core.analysis.gains import RATES, ClassGain, RateGain, class_gain, rate_gain
from recam_core.analysis.outcomes import Outcomes, outcomes_of_all
from recam_core.analysis.picture_table import picture_table
from recam_core.errors import UserError
from recam_core.progress import ProgressFn, silent
from recam_core.scores.table import listing, signed
from recam_core.scores.thresholds import usual_threshold


@dataclass(frozen=True, eq=False)
class ScoreComparison:
    """M runs on N pictures; the first is what the others are compared with.

    Attributes:
        keys, titles: M.
        data: specification of the pictures.
        pictures: N.
        thresholds: M; the background threshold that each was read at; None for arg-max.
        gain: IoU per class, mIoU, and what each run gains over the first, with 95% intervals over pictures.
        rates: how often each run errs, and the changes to the first, with such intervals.
        telling: id of the picture on which the last run differs most from the first.
        by_class: M tuples of S pairs, as ``gain`` orders methods and classes: the ids of the pictures in which the run
            has most pixels of a class right that the first has wrong, on balance, and the other way round (pixels that
            it misses, and those of others that it takes for the class); None where there is none.
    """

    keys: tuple[str, ...]
    titles: tuple[str, ...]
    data: str
    pictures: int
    thresholds: tuple[float | None, ...]
    gain: ClassGain
    rates: RateGain
    telling: str
    by_class: tuple[tuple[tuple[str | None, str | None], ...], ...]


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
        method.key: (usual_threshold(method.rule) if method.threshold is None else method.threshold)
        if background
        else None
        for method in methods
    }
    outcomes = outcomes_of_all(counts, thresholds)
    gain = class_gain(counts, thresholds, methods[0].key, resamples=resamples, outcomes=outcomes, progress=progress)
    rates = rate_gain(outcomes, methods[0].key, resamples=resamples, progress=progress)
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
        rates,
        table.ids[int(difference.argmax())],
        _pictures_by_class([outcomes[key] for key in gain.keys], gain.values, table.ids),
    )


def _pictures_by_class(
    found: Sequence[Outcomes], values: np.ndarray, ids: Sequence[str]
) -> tuple[tuple[tuple[str | None, str | None], ...], ...]:
    first = _class_errors(found[0])
    pairs = []
    for outcomes in found:
        fewer = first - _class_errors(outcomes)
        gained, lost = fewer.argmax(axis=1), fewer.argmin(axis=1)
        pairs.append(
            tuple(
                (
                    ids[gained[value]] if fewer[value, gained[value]] > 0 else None,
                    ids[lost[value]] if fewer[value, lost[value]] < 0 else None,
                )
                for value in values.tolist()
            )
        )
    return tuple(pairs)


def _class_errors(outcomes: Outcomes) -> np.ndarray:
    """(K+1) x N, int64: pixels that are of a value and missed, and pixels of others that are taken for it."""
    wrong = outcomes.truth != outcomes.predicted
    image, pixels = outcomes.image[wrong], outcomes.pixels[wrong]
    count = outcomes.pictures

    def sums(value: np.ndarray) -> np.ndarray:
        place = value[wrong].astype(np.int64) * count + image
        return np.bincount(place, weights=pixels, minlength=outcomes.values * count).astype(np.int64)

    return (sums(outcomes.truth) + sums(outcomes.predicted)).reshape(outcomes.values, count)


def verdicts(comparison: ScoreComparison) -> list[str]:
    """One sentence for each run but the first: what the pictures support, and no more."""
    gain, first = comparison.gain, comparison.titles[0]
    sentences = []
    for place, title in enumerate(comparison.titles[1:], start=1):
        change = 100 * float(gain.miou_gain[place])
        low, high = 100 * float(gain.miou_gain_low[place]), 100 * float(gain.miou_gain_high[place])
        many = f"{comparison.pictures} pictures" if comparison.pictures > 1 else "1 picture"
        interval = f"({many}, too few for an interval)"
        if low == low:
            interval = f"(95% interval {signed(low)} to {signed(high)}, {many})"
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


def rate_verdicts(comparison: ScoreComparison) -> list[str]:
    """One sentence for each run but the first: which kinds of errors changed by more than chance."""
    rates, sentences = comparison.rates, []
    for place, title in enumerate(comparison.titles[1:], start=1):
        fewer, more, open_ = [], [], []
        for number, name in enumerate(RATES.values()):
            low, high = rates.change_low[number, place], rates.change_high[number, place]
            (fewer if high < 0 else more if low > 0 else open_).append(name)
        kinds = (("fewer", fewer), ("more", more))
        parts = [f"{word} {_listed(names)}" for word, names in kinds if names]
        words = f"{title} has {' but '.join(parts)} than {comparison.titles[0]}" if parts else ""
        if open_ and parts:
            words += f"; the difference in {_listed(open_)} may be chance"
        sentences.append(
            f"{words or f'{title} and {comparison.titles[0]} do not differ in any kind of error by more than chance'}."
        )
    return sentences


def _listed(names: list[str]) -> str:
    """Kinds of errors, as a sentence names them."""
    words = ["pixels of a wrong class" if name == RATES["wrong_class"] else name for name in names]
    return listing(words)
