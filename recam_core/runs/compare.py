"""Runs side by side: their settings, and what each gains over the first on the same pictures, told from chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from recam_core.checkpoint.run_folder import RunInfo
import numpy as np
from recam_core.analysis.analysed import Analysed
from recam_core.analysis.gains import RATES, ClassGain, RateGain, class_gain, rate_gain
from recam_core.analysis.outcomes import Outcomes, outcomes_of_all
from recam_core.analysis.picture_table import picture_table
from recam_core.errors import UserError
from recam_core.progress import ProgressFn, silent
from recam_core.scores.table import signed
from recam_core.words import listing
from recam_core.scores.thresholds import usual_threshold


#: Settings of a recipe under the names that the paper or the record has for them.
_NAMES = {
    "weight": "lambda",
    "lr": "learning rate",
    "loss": "loss on FC2",
    "background": "background row (beta)",
    "background_power": "exponent of its mask (G)",
}
#: Said once, outside the recipe.
_ELSEWHERE = ("method", "rule", "seed", "backbone", "output_stride")
#: Said of runs whose FC2 has a background row; elsewhere they mean nothing.
_OF_THE_ROW = ("background", "background_power")


@dataclass(frozen=True)
class SettingRow:
    """One setting: its name, and its value as text in each run (None where a run has no such setting)."""

    name: str
    values: tuple[str | None, ...]

    @property
    def differs(self) -> bool:
        """Whether not all runs have one value."""
        return len(set(self.values)) > 1


def run_settings(info: RunInfo) -> dict[str, str]:
    """Every setting of a run as text, the weightiest first; without those that it has not."""
    return {name: value for name, value in _settings(info).items() if value is not None}


def _settings(info: RunInfo) -> dict[str, str | None]:
    found: dict[str, Any] = {
        "method": info.method,
        "rule": info.rule,
        "backbone": info.network.get("backbone"),
        "output stride": info.network.get("output_stride"),
        "training data": info.data,
        "classes": len(info.classes),
        "started from": info.parent,
    }
    for name, value in info.recipe.items():
        if name not in _ELSEWHERE and (name not in _OF_THE_ROW or info.recipe.get("background")):
            found[_NAMES.get(name, name.replace("_", " "))] = value
    found["seed"] = info.seed
    found["threshold"] = info.threshold
    found |= {f"version of {name}": version for name, version in info.versions.items()}
    return {name: None if value is None else _as_text(value) for name, value in found.items()}


def compare_settings(infos: Sequence[RunInfo]) -> list[SettingRow]:
    """Every setting that any of the runs has, in the order of the first that has it."""
    settings = [_settings(info) for info in infos]
    names = dict.fromkeys(name for one in settings for name in one)
    rows = [SettingRow(name, tuple(one.get(name) for one in settings)) for name in _versions_last(names)]
    return [row for row in rows if any(value is not None for value in row.values)]


def _versions_last(names: dict[str, None]) -> list[str]:
    return sorted(names, key=lambda name: name.startswith("version of "))


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(_as_text(one) for one in value)
    return str(value)


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
        fewer: list[str] = []
        more: list[str] = []
        open_: list[str] = []
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
