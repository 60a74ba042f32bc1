"""How often several methods err, and by how much less than a reference, with intervals over pictures."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recam_core.analysis.class_gain import MOST_DRAWN, class_sums, draw_groups, draw_weights
from recam_core.analysis.outcomes import Outcomes
from recam_core.analysis.ratio import ratio
from recam_core.errors import UserError
from recam_core.progress import ProgressFn, silent
from recam_core.scores.bootstrap import COVERAGE, interval_ends
from recam_core.scores.scores import mean_of_present

#: What each rate is called, by the name that :class:`recam_core.scores.scores.Scores` has for it; less is better.
RATES = {
    "mean_false_positive_rate": "false positives",
    "mean_false_negative_rate": "false negatives",
    "wrong_class": "wrong class",
}
#: Weights that are in memory at once (8 MB).
_WEIGHTS_AT_ONCE = 256 * MOST_DRAWN


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
            :func:`recam_core.analysis.class_gain.class_gain`.
        coverage: share of the draws that an interval holds.
        seed: of the draws; the same gives the draws of a class gain.
        progress: called after each block of draws; may raise Cancelled.

    Raises:
        UserError: no picture, no draw, or an unknown reference.
    """
    keys = tuple(outcomes)
    reference = keys[0] if reference is None else reference
    if reference not in keys:
        raise UserError(f"{reference!r} is not among the methods that are compared: {', '.join(keys)}.")
    if resamples < 1 or not 0 < coverage < 1:
        raise UserError("An interval by bootstrap needs at least one draw and a coverage between 0 and 1.")
    methods = [outcomes[key] for key in keys]
    pictures = methods[0].pictures
    if not pictures:
        raise UserError("There is no picture to compare the methods on.")
    generator = np.random.default_rng(seed)
    group = np.arange(pictures) if pictures <= MOST_DRAWN else draw_groups(generator, pictures)
    group, groups = group.astype(np.int32), min(pictures, MOST_DRAWN)
    sums = np.concatenate([class_sums(methods, group, groups), *(_lost(each, group, groups) for each in methods)])
    parts = _rates(sums.sum(axis=1, keepdims=True), len(keys))
    rate = np.stack([mean_of_present(part, axis=1) for part in parts])[..., 0]
    base = keys.index(reference)
    draws, change_draws = (np.empty((*rate.shape, resamples)) for _ in range(2))
    block = max(1, min(resamples, _WEIGHTS_AT_ONCE // groups))
    for begin in range(0, resamples, block):
        some = slice(begin, min(begin + block, resamples))
        drawn = _rates(sums @ draw_weights(generator, groups, some.stop - begin), len(keys))
        for place, (part, each) in enumerate(zip(parts, drawn, strict=True)):
            # A draw may lack a class: it keeps its rate of all pictures, and there is no difference in it.
            known = ~np.isnan(each)
            draws[place, :, some] = mean_of_present(np.where(known, each, part), axis=1)
            less = np.where(known & known[base], each - each[base], np.where(np.isnan(part), np.nan, 0.0))
            change_draws[place, :, some] = mean_of_present(less, axis=1)
        progress(some.stop, resamples, "drawing pictures")
    if pictures == 1:
        draws[:], change_draws[:] = np.nan, np.nan  # one picture does not tell how pictures differ
    change = rate - rate[:, base, None]
    return RateGain(
        keys,
        reference,
        rate,
        *interval_ends(draws, rate, coverage),
        change,
        *interval_ends(change_draws, change, coverage),
    )


def _lost(outcomes: Outcomes, group: np.ndarray, groups: int) -> np.ndarray:
    """1 x groups, float64: pixels of any foreground class that were left to the background, or unlabelled."""
    kept = (outcomes.truth > 0) & (outcomes.predicted == 0)
    return np.bincount(group[outcomes.image], weights=outcomes.pixels * kept, minlength=groups)[None]


def _rates(sums: np.ndarray, methods: int) -> list[np.ndarray]:
    """((1 + 2M) (K+1) + M) x draws, pixels -> of each rate: methods x classes (or 1) x draws, to take the mean of."""
    lost, draws = sums[-methods:], sums.shape[1]
    parts = sums[:-methods].reshape(1 + 2 * methods, -1, draws)
    truth, right, predicted = parts[0], parts[1::2], parts[2::2]
    whole = truth.sum(axis=0)
    fp = ratio(predicted - right, np.broadcast_to(whole - truth, right.shape))[:, 1:]
    fn = ratio(truth - right, np.broadcast_to(truth, right.shape))[:, 1:]
    foreground = np.broadcast_to(truth[1:].sum(axis=0), lost.shape)
    wrong = ratio(foreground - right[:, 1:].sum(axis=1) - lost, foreground)
    return [fp, fn, wrong[:, None]]
