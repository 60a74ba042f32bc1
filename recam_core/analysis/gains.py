"""What methods gain over a reference, with intervals over pictures: IoU of each class, and how often they err."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recam_core.analysis.cell_index import CellIndex
from recam_core.analysis.outcomes import Outcomes, outcomes_of_all, reference_of
from recam_core.errors import UserError
from recam_core.progress import ProgressFn, silent
from recam_core.scores.bootstrap import COVERAGE, check_draws, paired_bootstrap, picture_groups, weight_blocks
from recam_core.scores.metrics import ClassPixels, scored_names, scored_values, wrong_class_share
from recam_core.scores.pixel_counts import PixelCounts


@dataclass(frozen=True, eq=False)
class ClassGain:
    """M methods, S scored classes (background first where there is one, then the K classes).

    Arrays ``..._low`` and ``..._high`` are the ends of intervals: how far a figure would move with another draw of
    the same number of pictures. Draws are shared by all methods (paired), so a gain's interval leaves out what all
    have in common, and is far narrower than that of either IoU. What a draw does that misses a class is told in
    :mod:`recam_core.scores.bootstrap`; a class that is seen in one picture has no interval (nan).

    Attributes:
        keys: of the methods.
        reference: the method that gains are over.
        names: of the scored classes.
        values: S, int64; 0 background, k + 1 class k.
        order: S, int64; positions of the classes sorted by the gain of the last method, largest first, classes
            without one last.
        seen: S, int64; how many pictures show the class (of very many: how many of the groups that are drawn).
        iou, iou_low, iou_high: M x S; nan where a class occurs in neither ground truth nor seeds.
        gain, gain_low, gain_high: M x S; IoU less that of the reference.
        miou, miou_low, miou_high: M; means over the classes that occur.
        miou_gain, miou_gain_low, miou_gain_high: M.
    """

    keys: tuple[str, ...]
    reference: str
    names: tuple[str, ...]
    values: np.ndarray
    order: np.ndarray
    seen: np.ndarray
    iou: np.ndarray
    iou_low: np.ndarray
    iou_high: np.ndarray
    gain: np.ndarray
    gain_low: np.ndarray
    gain_high: np.ndarray
    miou: np.ndarray
    miou_low: np.ndarray
    miou_high: np.ndarray
    miou_gain: np.ndarray
    miou_gain_low: np.ndarray
    miou_gain_high: np.ndarray

    @property
    def beyond_noise(self) -> np.ndarray:
        """M x S bool: whether the interval of the gain leaves out 0."""
        return (self.gain_low > 0) | (self.gain_high < 0)

    @property
    def seen_once(self) -> np.ndarray:
        """S bool: classes that occur, but are seen in one picture at most, and so have no interval."""
        return (self.seen < 2) & ~np.isnan(self.iou).all(axis=0)


def class_gain(
    counts: Mapping[str, PixelCounts | CellIndex],
    thresholds: Mapping[str, float | None],
    reference: str | None = None,
    *,
    resamples: int = 1000,
    coverage: float = COVERAGE,
    seed: int = 0,
    chosen: np.ndarray | None = None,
    outcomes: Mapping[str, Outcomes] | None = None,
    progress: ProgressFn = silent,
) -> ClassGain:
    """IoU per class and the gain over a reference, with paired bootstrap intervals over pictures.

    Of very many pictures groups are drawn, see :func:`recam_core.scores.bootstrap.picture_groups`.

    Args:
        counts: by method, of the same pictures.
        thresholds: by method; background threshold 0..1, or None.
        reference: a method; the first by default.
        resamples: draws of as many pictures as there are, with replacement.
        coverage: share of the draws that an interval holds.
        seed: of the draws.
        chosen: N bools, to look at some of the pictures only.
        outcomes: what :func:`outcomes_of_all` gives, if it is at hand.
        progress: called after each block of draws; may raise Cancelled.

    Raises:
        UserError: no picture, no draw, an unknown reference, or methods that cannot be compared.
    """
    keys = tuple(counts)
    found = outcomes if outcomes is not None else outcomes_of_all(counts, thresholds)
    reference = reference_of(keys, reference)
    check_draws(resamples, coverage)
    methods = [found[key] for key in keys]
    classes = methods[0].classes
    pictures = np.arange(methods[0].pictures) if chosen is None else np.flatnonzero(chosen)
    if not len(pictures):
        raise UserError("No picture is left to compare the methods on; loosen the filters.")
    generator = np.random.default_rng(seed)
    group = np.full(methods[0].pictures, -1, dtype=np.int32)
    group[pictures], groups = picture_groups(generator, len(pictures))
    sums = class_sums(methods, group, groups)
    scored = scored_values(classes.has_background)

    def iou(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pixels = class_pixels(sums @ weights, len(keys), scored)
        return pixels.iou, pixels.truth > 0

    seen = (sums[: len(classes) + 1][scored] > 0).sum(axis=1)
    drawn = paired_bootstrap(
        iou,
        weight_blocks(generator, groups, resamples, progress),
        groups,
        base=keys.index(reference),
        seen=seen,
        coverage=coverage,
    )
    gains = drawn.gains()
    rank = np.where(np.isnan(gains.value[-1]), -np.inf, gains.value[-1])
    return ClassGain(
        keys,
        reference,
        scored_names(classes),
        np.arange(len(classes) + 1)[scored],
        np.argsort(-rank, kind="stable"),
        seen,
        *drawn.figures(),
        *gains,
        *drawn.means(),
        *drawn.mean_gains(),
    )


def class_sums(methods: list[Outcomes], group: np.ndarray, groups: int) -> np.ndarray:
    """((1 + 2M) (K+1)) x groups, float64: ground truth pixels, then right and predicted pixels of each method.

    Args:
        methods: of N pictures.
        group: N, int32; the group of each picture, -1 for none.
        groups: how many there are.
    """
    values = methods[0].values
    rows = []
    for number, outcomes in enumerate(methods):
        of_entry = group[outcomes.image]
        if group.min(initial=0) < 0:
            outcomes, of_entry = outcomes.where(group >= 0), of_entry[of_entry >= 0]
        hit = outcomes.truth == outcomes.predicted

        def sums(value: np.ndarray, pixels: np.ndarray, of_entry: np.ndarray = of_entry) -> np.ndarray:
            found = np.bincount(value * np.int64(groups) + of_entry, weights=pixels, minlength=values * groups)
            return found.reshape(values, groups)

        # The ground truth is the same for all.
        rows += [sums(outcomes.truth, outcomes.pixels)] if number == 0 else []
        rows += [sums(outcomes.truth, outcomes.pixels * hit), sums(outcomes.predicted, outcomes.pixels)]
    return np.concatenate(rows)


def class_pixels(sums: np.ndarray, methods: int, scored: slice = slice(None)) -> ClassPixels:
    """Drawn :func:`class_sums` as M x classes x R (the ground truth, which all share, is classes x R).

    Args:
        sums: ((1 + 2M) (K+1)) x R.
        methods: M.
        scored: which of the K + 1 values.
    """
    parts = sums.reshape(1 + 2 * methods, -1, sums.shape[1])
    truth = parts[0]
    return ClassPixels(parts[1::2, scored], truth[scored], parts[2::2, scored], truth.sum(axis=0))


#: What each rate is called, by the name that :class:`recam_core.scores.scores.Scores` has for it; less is better.
RATES = {
    "mean_false_positive_rate": "false positives",
    "mean_false_negative_rate": "false negatives",
    "wrong_class": "wrong class",
}


@dataclass(frozen=True, eq=False)
class RateGain:
    """R rates in the order of :data:`RATES`, M methods. Draws are shared by all methods, as of a class gain.

    Attributes:
        keys: of the methods.
        reference: the method that changes are to.
        rate, rate_low, rate_high: R x M; shares from 0 to 1, nan where there is nothing to err on; ends of
            intervals are nan where there is one picture alone.
        change, change_low, change_high: R x M; the rate less that of the reference, so a fall is negative.
    """

    keys: tuple[str, ...]
    reference: str
    rate: np.ndarray
    rate_low: np.ndarray
    rate_high: np.ndarray
    change: np.ndarray
    change_low: np.ndarray
    change_high: np.ndarray


def rate_gain(
    outcomes: Mapping[str, Outcomes],
    reference: str | None = None,
    *,
    resamples: int = 1000,
    coverage: float = COVERAGE,
    seed: int = 0,
    progress: ProgressFn = silent,
) -> RateGain:
    """Error rates and their changes, with paired bootstrap intervals over pictures.

    Args:
        outcomes: by method, of the same pictures.
        reference: a method; the first by default.
        resamples: draws of as many pictures as there are, with replacement; of very many, groups are drawn, see
            :func:`recam_core.analysis.gains.class_gain`.
        coverage: share of the draws that an interval holds.
        seed: of the draws; the same gives the draws of a class gain.
        progress: called after each block of draws; may raise Cancelled.

    Raises:
        UserError: no picture, no draw, or an unknown reference.
    """
    keys = tuple(outcomes)
    reference = reference_of(keys, reference)
    check_draws(resamples, coverage)
    methods = [outcomes[key] for key in keys]
    pictures, classes = methods[0].pictures, len(methods[0].classes)
    if not pictures:
        raise UserError("There is no picture to compare the methods on.")
    generator = np.random.default_rng(seed)
    group, groups = picture_groups(generator, pictures)
    sums = np.concatenate([class_sums(methods, group, groups), *(_lost(each, group, groups) for each in methods)])

    def rates(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        drawn = sums @ weights
        pixels, lost = class_pixels(drawn[: -len(keys)], len(keys), slice(1, None)), drawn[-len(keys) :]
        wrong = wrong_class_share(pixels.truth.sum(axis=0), pixels.right.sum(axis=1), lost)
        found = np.concatenate([pixels.false_positive_rate, pixels.false_negative_rate, wrong[:, None]], axis=1)
        return found, ~np.isnan(found)

    drawn = paired_bootstrap(
        rates,
        weight_blocks(generator, groups, resamples, progress),
        groups,
        base=keys.index(reference),
        seen=np.full(2 * classes + 1, pictures),
        coverage=coverage,
    )
    parts = (slice(0, classes), slice(classes, 2 * classes), slice(2 * classes, None))
    rate, change = (
        [np.stack(column) for column in zip(*map(figures, parts), strict=True)]
        for figures in (drawn.means, drawn.mean_gains)
    )
    return RateGain(keys, reference, *rate, *change)


def _lost(outcomes: Outcomes, group: np.ndarray, groups: int) -> np.ndarray:
    """1 x groups, float64: pixels of any foreground class that were left to the background, or unlabelled."""
    kept = (outcomes.truth > 0) & (outcomes.predicted == 0)
    return np.bincount(group[outcomes.image], weights=outcomes.pixels * kept, minlength=groups)[None]
