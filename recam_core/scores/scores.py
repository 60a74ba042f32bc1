"""From pixel counts to confusion matrices, IoU, false positives and false negatives, at any background threshold."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from recam_core.errors import UserError
from recam_core.maps.activation_maps import threshold_level
from recam_core.scores.bootstrap import COVERAGE, interval_ends, picture_weights
from recam_core.scores.pixel_counts import PixelCounts

DEFAULT_THRESHOLDS = 101


@dataclass(frozen=True)
class Scores:
    """Scores of seeds at one background threshold.

    Per-class arrays have one entry a scored class: background first, then the K classes; without a background
    class the K classes alone. A class that occurs neither in the ground truth nor in the prediction is nan there,
    and means leave it out.

    Attributes:
        threshold: background threshold 0..1, or None where every pixel goes to its arg-max class.
        confusion: (K+1) x (K+1), int64; pixels by ground truth (row) and prediction (column); index 0 is the
            background. Without a background class row 0 is empty and column 0 holds the pixels left unlabelled.
        has_background: whether the background is scored as a class.
    """

    threshold: float | None
    confusion: np.ndarray
    has_background: bool = True

    def _scored(self, values: np.ndarray) -> np.ndarray:
        return values if self.has_background else values[1:]

    @cached_property
    def _parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """True positives, ground truth pixels and predicted pixels of each scored class, float64."""
        diagonal = np.diagonal(self.confusion)
        parts = (diagonal, self.confusion.sum(axis=1), self.confusion.sum(axis=0))
        return tuple(self._scored(part).astype(np.float64) for part in parts)

    @property
    def pixels(self) -> int:
        """Pixels that were scored: all but void."""
        return int(self.confusion.sum())

    @cached_property
    def iou(self) -> np.ndarray:
        """TP / (TP + FP + FN) per class."""
        return intersection_over_union(*self._parts)

    @property
    def miou(self) -> float:
        """Mean IoU over the classes that occur; nan if none does."""
        return mean_of_present(self.iou)

    @cached_property
    def precision(self) -> np.ndarray:
        """TP / (TP + FP) per class; nan for a class that was never predicted."""
        right, _, predicted = self._parts
        return _ratio(right, predicted)

    @cached_property
    def recall(self) -> np.ndarray:
        """TP / (TP + FN) per class; nan for a class that the ground truth lacks."""
        right, truth, _ = self._parts
        return _ratio(right, truth)

    @cached_property
    def false_positive_rate(self) -> np.ndarray:
        """FP / (FP + TN) per class: of the pixels that are not the class, the share that it was given."""
        right, truth, predicted = self._parts
        return _ratio(predicted - right, self.pixels - truth)

    @cached_property
    def false_negative_rate(self) -> np.ndarray:
        """FN / (FN + TP) per class: of the pixels that are the class, the share that it did not get."""
        right, truth, _ = self._parts
        return _ratio(truth - right, truth)

    @property
    def mean_false_positive_rate(self) -> float:
        """Mean over the foreground classes."""
        return mean_of_present(self.false_positive_rate[int(self.has_background) :])

    @property
    def mean_false_negative_rate(self) -> float:
        """Mean over the foreground classes."""
        return mean_of_present(self.false_negative_rate[int(self.has_background) :])

    @property
    def wrong_class(self) -> float:
        """Of the pixels of any foreground class, the share that was given to another foreground class."""
        among = self.confusion[1:, 1:]
        return _share(among.sum() - np.trace(among), self.confusion[1:].sum())

    @property
    def lost_to_background(self) -> float:
        """Of the pixels of any foreground class, the share that was left to the background (or unlabelled)."""
        return _share(self.confusion[1:, 0].sum(), self.confusion[1:].sum())

    @property
    def background_claimed(self) -> float:
        """Of the background's pixels, the share that was given to a class; nan without a background."""
        return _share(self.confusion[0, 1:].sum(), self.confusion[0].sum())

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values; nan becomes None."""
        names = ("iou", "precision", "recall", "false_positive_rate", "false_negative_rate")
        singles = ("miou", "mean_false_positive_rate", "mean_false_negative_rate")
        shares = ("wrong_class", "lost_to_background", "background_claimed")
        return {
            "threshold": self.threshold,
            "pixels": self.pixels,
            **{name: json_number(getattr(self, name)) for name in (*singles, *shares)},
            "per_class": {name: [json_number(value) for value in getattr(self, name)] for name in names},
            "confusion": self.confusion.tolist(),
        }


@dataclass(frozen=True)
class Sweep:
    """The confusion matrices of many thresholds.

    Attributes:
        thresholds: T, float64, ascending.
        confusions: T x (K+1) x (K+1), int64, as in :class:`Scores`.
        has_background: whether the background is scored as a class.
    """

    thresholds: np.ndarray
    confusions: np.ndarray
    has_background: bool = True

    @cached_property
    def miou(self) -> np.ndarray:
        """T: the mIoU at each threshold."""
        right = np.diagonal(self.confusions, axis1=1, axis2=2)
        truth, predicted = self.confusions.sum(axis=2), self.confusions.sum(axis=1)
        first = 0 if self.has_background else 1
        return mean_of_present(
            intersection_over_union(right[:, first:], truth[:, first:], predicted[:, first:]), axis=1
        )

    def __len__(self) -> int:
        return len(self.thresholds)

    def __getitem__(self, index: int) -> Scores:
        return Scores(float(self.thresholds[index]), self.confusions[index], self.has_background)

    def best(self) -> Scores:
        """The scores at the threshold of the highest mIoU, the lowest such threshold if there are several."""
        miou = np.where(np.isnan(self.miou), -1.0, self.miou)
        return self[int(miou.argmax())]


@dataclass(frozen=True)
class ImageScores:
    """Scores of each picture at one threshold.

    Attributes:
        ids: N picture ids.
        iou: N x scored classes; nan where a class occurs neither in a picture's ground truth nor in its seeds.
        miou: N; mean over the classes of each picture.
        wrong_class: N; share of the foreground pixels given to another class; nan without foreground.
        lost_to_background: N; share of the foreground pixels left to the background; nan without foreground.
    """

    ids: tuple[str, ...]
    iou: np.ndarray
    miou: np.ndarray
    wrong_class: np.ndarray
    lost_to_background: np.ndarray


def score(histogram: np.ndarray, threshold: float | None, has_background: bool = True) -> Scores:
    """Score one threshold.

    Args:
        histogram: (K+1) x (K+1) x 256, int64: :meth:`PixelCounts.total`.
        threshold: background threshold 0..1, or None to give every pixel to its arg-max class.
        has_background: whether the data set has a background class.

    Raises:
        UserError: the threshold is not within 0..1.
    """
    first = 0 if threshold is None else threshold_level(threshold) + 1
    confusion = histogram[:, :, first:].sum(axis=2)
    confusion[:, 0] += histogram[:, :, :first].sum(axis=(1, 2))
    return Scores(threshold, confusion, has_background)


def sweep(histogram: np.ndarray, thresholds: int = DEFAULT_THRESHOLDS, has_background: bool = True) -> Sweep:
    """Score many thresholds at once, evenly spaced from 0 to 1, by sums from the highest level downwards.

    Args:
        histogram: (K+1) x (K+1) x 256, int64: :meth:`PixelCounts.total`.
        thresholds: how many, at least 2. Activations have 256 levels, so beyond 256 nothing new appears.
        has_background: whether the data set has a background class.

    Raises:
        UserError: fewer than 2 thresholds.
    """
    if thresholds < 2:
        raise UserError(f"A sweep takes at least 2 thresholds, got {thresholds}.")
    values = np.linspace(0.0, 1.0, thresholds)
    levels = [threshold_level(value) for value in values.tolist()]
    # above[..., l] = pixels with a level of l or more
    above = np.cumsum(histogram[:, :, ::-1], axis=2)[:, :, ::-1]
    above = np.concatenate([above, np.zeros_like(above[:, :, :1])], axis=2)
    confusions = np.moveaxis(above[:, :, np.array(levels) + 1], 2, 0).copy()
    truth = histogram.sum(axis=(1, 2))
    confusions[:, :, 0] = truth - confusions[:, :, 1:].sum(axis=2)
    return Sweep(values, confusions, has_background)


def image_parts(counts: PixelCounts, threshold: float | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What each picture adds to each class: true positive, ground truth and predicted pixels.

    Args:
        counts: of N pictures and K classes.
        threshold: background threshold 0..1, or None to give every pixel to its arg-max class.

    Returns:
        Three arrays N x (K+1), int64; column 0 is the background (or, in predictions without one, unlabelled).

    Raises:
        UserError: the threshold is not within 0..1.
    """
    predicted = _predictions(counts, threshold)
    right = np.where(counts.truth == predicted, counts.count, 0)
    return (
        _sum_by_image(counts, counts.truth, right),
        _sum_by_image(counts, counts.truth, counts.count),
        _sum_by_image(counts, predicted, counts.count),
    )


def per_image_scores(counts: PixelCounts, threshold: float | None) -> ImageScores:
    """Score each picture by itself at a threshold, without a second look at the pixels.

    Raises:
        UserError: the threshold is not within 0..1.
    """
    right, truth, predicted = image_parts(counts, threshold)
    first = 0 if counts.classes.has_background else 1
    iou = intersection_over_union(right[:, first:], truth[:, first:], predicted[:, first:])
    foreground = counts.truth > 0
    outcome = _predictions(counts, threshold)
    size = len(counts)

    def pixels(chosen: np.ndarray) -> np.ndarray:
        return np.bincount(counts.image[chosen], weights=counts.count[chosen], minlength=size)

    everything = pixels(foreground)
    return ImageScores(
        counts.ids,
        iou,
        mean_of_present(iou, axis=1),
        _ratio(pixels(foreground & (outcome > 0) & (outcome != counts.truth)), everything),
        _ratio(pixels(foreground & (outcome == 0)), everything),
    )


def pictures_with(counts: PixelCounts) -> np.ndarray:
    """In how many pictures each scored class is seen: S, int64, by their ground truth."""
    first = 0 if counts.classes.has_background else 1
    cell = np.unique(counts.truth.astype(np.int64) * len(counts) + counts.image)
    return np.bincount(cell // max(len(counts), 1), minlength=len(counts.classes) + 1)[first:]


def bootstrap_miou(
    counts: PixelCounts, threshold: float | None, resamples: int = 1000, coverage: float = COVERAGE, seed: int = 0
) -> tuple[float, float]:
    """An interval for the mIoU at a threshold: how far it would move with another draw of the same number of pictures.

    The classes are those of all pictures, in every draw; see :mod:`recam_core.scores.bootstrap`.

    Args:
        counts: of N pictures.
        threshold: background threshold 0..1, or None.
        resamples: draws of N pictures with replacement.
        coverage: share of the draws that the interval holds.
        seed: of the draws.

    Returns:
        (low, high), which hold the mIoU between them; nan where no class is seen in two pictures.

    Raises:
        UserError: no pictures, or no draws.
    """
    if not len(counts) or resamples < 1:
        raise UserError("An interval by bootstrap needs at least one picture and one draw.")
    if pictures_with(counts).max(initial=0) < 2:
        return float("nan"), float("nan")
    first = 0 if counts.classes.has_background else 1
    parts = [part[:, first:].astype(np.float64) for part in image_parts(counts, threshold)]
    weights = picture_weights(np.random.default_rng(seed), len(counts), resamples).T
    iou = intersection_over_union(*(part.sum(axis=0) for part in parts))
    right, truth, predicted = (weights @ part for part in parts)
    draws = np.where(truth > 0, intersection_over_union(right, truth, predicted), iou)
    low, high = interval_ends(mean_of_present(draws, axis=1), mean_of_present(iou), coverage)
    return float(low), float(high)


def intersection_over_union(right: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """IoU from true positive, ground truth and predicted pixels, elementwise; nan where there is nothing of either."""
    return _ratio(right, truth + predicted - right)


def mean_of_present(values: np.ndarray, axis: int | None = None) -> Any:
    """The mean without nans; nan (and no warning) where there is nothing else."""
    present = ~np.isnan(values)
    return _ratio(np.where(present, values, 0.0).sum(axis=axis), present.sum(axis=axis))[()]


def json_number(value: float) -> float | None:
    """A float for JSON, which knows no nan."""
    return None if np.isnan(value) else float(value)


def _predictions(counts: PixelCounts, threshold: float | None) -> np.ndarray:
    """R, uint8: the seed class of each row of the counts."""
    if threshold is None:
        return counts.winner
    return np.where(counts.level > threshold_level(threshold), counts.winner, np.uint8(0))


def _sum_by_image(counts: PixelCounts, column: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    values = len(counts.classes) + 1
    cell = counts.image.astype(np.int64) * values + column
    sums = np.bincount(cell, weights=pixels, minlength=len(counts) * values)
    return sums.astype(np.int64).reshape(len(counts), values)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Elementwise part / whole as float64; nan where the whole is 0."""
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.divide(part, whole, out=np.full(np.broadcast(part, whole).shape, np.nan), where=whole > 0)


def _share(part: int, whole: int) -> float:
    return float(_ratio(np.array(part), np.array(whole)))
