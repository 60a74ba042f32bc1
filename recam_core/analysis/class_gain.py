"""IoU per class of several methods, and what each gains over a reference, with intervals over pictures."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from recam_core.analysis.cell_index import CellIndex
from recam_core.analysis.outcomes import Outcomes, outcomes_of_all
from recam_core.analysis.ratio import ratio
from recam_core.data.sample import ClassList
from recam_core.errors import UserError
from recam_core.progress import ProgressFn, silent
from recam_core.scores.bootstrap import COVERAGE, interval_ends
from recam_core.scores.pixel_counts import PixelCounts
from recam_core.scores.scores import mean_of_present

#: Of more pictures, so many groups are drawn.
MOST_DRAWN = 4096
#: Weights that are in memory at once (8 MB).
_WEIGHTS_AT_ONCE = 256 * MOST_DRAWN


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

    Up to :data:`MOST_DRAWN` pictures are drawn one by one. More are put into so many groups of equal size at random,
    and groups are drawn: the sums over a group spread as those of its pictures do, so the intervals are as wide on
    average, and by how much they differ from each other (1 % of their width, by another grouping) is small beside what
    1,000 draws leave open (4 %). The groups' sums fit into one dense product; 80,000 pictures take as long as 4,096.
    A class in few pictures has nearly each in a group of its own, which is drawing pictures. Groups of unequal size,
    by one picture, do no harm either: an IoU is a ratio.

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
    reference = keys[0] if reference is None else reference
    if reference not in keys:
        raise UserError(f"{reference!r} is not among the methods that are compared: {', '.join(keys)}.")
    if resamples < 1 or not 0 < coverage < 1:
        raise UserError("An interval by bootstrap needs at least one draw and a coverage between 0 and 1.")
    classes = found[keys[0]].classes
    pictures = np.arange(found[keys[0]].pictures) if chosen is None else np.flatnonzero(chosen)
    if not len(pictures):
        raise UserError("No picture is left to compare the methods on; loosen the filters.")
    generator = np.random.default_rng(seed)
    group = np.full(found[keys[0]].pictures, -1, dtype=np.int32)
    group[pictures] = np.arange(len(pictures)) if len(pictures) <= MOST_DRAWN else draw_groups(generator, len(pictures))
    groups = min(len(pictures), MOST_DRAWN)
    sums = class_sums([found[key] for key in keys], group, groups)
    iou = _iou(sums.sum(axis=1, keepdims=True), classes)[:, :, 0]
    draws = np.empty((len(keys), iou.shape[1], resamples))
    drawn = np.empty(draws.shape[1:], dtype=bool)
    of_truth = slice(0 if classes.has_background else 1, len(classes) + 1)
    block = max(1, min(resamples, _WEIGHTS_AT_ONCE // groups))
    for begin in range(0, resamples, block):
        some = min(block, resamples - begin)
        found_sums = sums @ draw_weights(generator, groups, some)
        draws[:, :, begin : begin + some] = _iou(found_sums, classes)
        drawn[:, begin : begin + some] = found_sums[of_truth] > 0
        progress(begin + some, resamples, "drawing pictures")
    seen = (sums[of_truth] > 0).sum(axis=1)
    return _summary(keys, reference, classes, seen, iou, draws, drawn, coverage)


def draw_groups(generator: np.random.Generator, pictures: int) -> np.ndarray:
    """pictures, int64: the group of each, 0 to MOST_DRAWN - 1."""
    return generator.permutation(pictures) % MOST_DRAWN


def draw_weights(generator: np.random.Generator, groups: int, draws: int) -> np.ndarray:
    """groups x draws, float64: how often each group is drawn."""
    picks = generator.integers(0, groups, (draws, groups), dtype=np.int32)
    place = picks + groups * np.arange(draws)[:, None]
    return np.bincount(place.ravel(), minlength=draws * groups).reshape(draws, groups).T.astype(np.float64)


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


def _iou(sums: np.ndarray, classes: ClassList) -> np.ndarray:
    """((1 + 2M) (K+1)) x draws, pixels -> methods x scored classes x draws."""
    first = 0 if classes.has_background else 1
    parts = sums.reshape(-1, len(classes) + 1, sums.shape[1])[:, first:]
    right, predicted = parts[1::2], parts[2::2]
    return ratio(right, parts[0] + predicted - right)


def _summary(
    keys: tuple[str, ...],
    reference: str,
    classes: ClassList,
    seen: np.ndarray,
    iou: np.ndarray,
    draws: np.ndarray,
    drawn: np.ndarray,
    coverage: float,
) -> ClassGain:
    """``seen``: S, ``draws``: M x S x R, ``drawn``: S x R, whether a draw shows the class."""
    base = keys.index(reference)
    gain, miou = iou - iou[base], mean_of_present(iou, axis=1)
    miou_gain = miou - miou[base]
    gain_draws = np.where(drawn, draws - draws[base], np.where(np.isnan(gain), np.nan, 0.0)[..., None])
    miou_draws = mean_of_present(np.where(drawn, draws, iou[..., None]), axis=1)
    miou_gain_draws = mean_of_present(gain_draws, axis=1)
    rank = np.where(np.isnan(gain[-1]), -np.inf, gain[-1])
    names = ("background", *classes.names) if classes.has_background else classes.names
    draws = np.where(drawn & (seen > 1)[:, None], draws, np.nan)
    gain_draws = np.where((seen > 1)[:, None], gain_draws, np.nan)
    if seen.max(initial=0) < 2:
        miou_draws, miou_gain_draws = np.full_like(miou_draws, np.nan), np.full_like(miou_draws, np.nan)
    return ClassGain(
        keys,
        reference,
        names,
        np.arange(len(names)) + (0 if classes.has_background else 1),
        np.argsort(-rank, kind="stable"),
        seen,
        iou,
        *interval_ends(draws, iou, coverage),
        gain,
        *interval_ends(gain_draws, gain, coverage),
        miou,
        *interval_ends(miou_draws, miou, coverage),
        miou_gain,
        *interval_ends(miou_gain_draws, miou_gain, coverage),
    )
