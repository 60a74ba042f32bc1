"""How often several methods err, and by how much less than a reference, with intervals over pictures."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recam_core.analysis.class_gain import class_pixels, class_sums
from recam_core.analysis.outcomes import Outcomes, reference_of
from recam_core.errors import UserError
from recam_core.progress import ProgressFn, silent
from recam_core.scores.bootstrap import COVERAGE, check_draws, paired_bootstrap, picture_groups, weight_blocks
from recam_core.scores.metrics import wrong_class_share

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
            :func:`recam_core.analysis.class_gain.class_gain`.
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
