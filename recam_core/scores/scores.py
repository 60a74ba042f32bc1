"""From pixel counts to confusion matrices, IoU, false positives and false negatives, at any background threshold."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from recam_core.data.sample import ClassList
from recam_core.errors import UserError
from recam_core.maps.activation_maps import lowest_kept, seed_mask
from recam_core.scores.bootstrap import COVERAGE, check_draws, paired_bootstrap, picture_weights
from recam_core.scores.metrics import (
    ClassPixels,
    class_iou,
    mean_of_present,
    ratio,
    scored_pixels,
    scored_values,
    wrong_class,
    wrong_class_share,
)
from recam_core.scores.pixel_counts import LEVELS, PixelCounts

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

    @cached_property
    def _classes(self) -> ClassPixels:
        """Pixels of each scored class."""
        every, scored = ClassPixels.of(self.confusion), scored_values(self.has_background)
        return ClassPixels(every.right[scored], every.truth[scored], every.predicted[scored], every.whole)

    @property
    def pixels(self) -> int:
        """Pixels that were scored: all but void."""
        return int(self.confusion.sum())

    @cached_property
    def iou(self) -> np.ndarray:
        """TP / (TP + FP + FN) per class."""
        return self._classes.iou

    @property
    def miou(self) -> float:
        """Mean IoU over the classes that occur; nan if none does."""
        return mean_of_present(self.iou)

    @cached_property
    def precision(self) -> np.ndarray:
        """TP / (TP + FP) per class; nan for a class that was never predicted."""
        return self._classes.precision

    @cached_property
    def recall(self) -> np.ndarray:
        """TP / (TP + FN) per class; nan for a class that the ground truth lacks."""
        return self._classes.recall

    @cached_property
    def false_positive_rate(self) -> np.ndarray:
        """FP / (FP + TN) per class: of the pixels that are not the class, the share that it was given."""
        return self._classes.false_positive_rate

    @cached_property
    def false_negative_rate(self) -> np.ndarray:
        """FN / (FN + TP) per class: of the pixels that are the class, the share that it did not get."""
        return self._classes.false_negative_rate

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
        return float(wrong_class(self.confusion))

    @property
    def lost_to_background(self) -> float:
        """Of the pixels of any foreground class, the share that was left to the background (or unlabelled)."""
        return float(ratio(self.confusion[1:, 0].sum(), self.confusion[1:].sum()))

    @property
    def background_claimed(self) -> float:
        """Of the background's pixels, the share that was given to a class; nan without a background."""
        return float(ratio(self.confusion[0, 1:].sum(), self.confusion[0].sum()))

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
        return mean_of_present(class_iou(self.confusions, self.has_background), axis=1)

    def __len__(self) -> int:
        return len(self.thresholds)

    def __getitem__(self, index: int) -> Scores:
        return Scores(float(self.thresholds[index]), self.confusions[index], self.has_background)

    def best(self) -> Scores:
        """The scores at the threshold of the highest mIoU, the lowest such threshold if there are several."""
        miou = np.where(np.isnan(self.miou), -1.0, self.miou)
        return self[int(miou.argmax())]


class Counted(Protocol):
    """What has a histogram: :class:`PixelCounts`, or an index of them."""

    @property
    def classes(self) -> ClassList:
        """The K classes."""

    def total(self) -> np.ndarray:
        """(K+1) x (K+1) x 256, int64: pixels by ground truth, arg-max class and level."""


@dataclass(frozen=True, eq=False)
class CumulativeConfusion:
    """Pixel counts summed up once, from which the confusion matrix of any threshold is read.

    Attributes:
        kept: 257 x (K+1) x (K+1), int64; pixels by ground truth and arg-max class whose level is at least l.
        has_background: whether the background is scored as a class.
    """

    kept: np.ndarray
    has_background: bool = True

    @classmethod
    def build(cls, counts: Counted) -> "CumulativeConfusion":
        """Sum up the counts of many pictures, or an index of them."""
        return cls.of(counts.total(), counts.classes.has_background)

    @classmethod
    def of(cls, histogram: np.ndarray, has_background: bool = True) -> "CumulativeConfusion":
        """Sum up (K+1) x (K+1) x 256 pixels by ground truth, arg-max class and level: :meth:`PixelCounts.total`."""
        kept = np.zeros((LEVELS + 1, *histogram.shape[:2]), dtype=np.int64)
        np.cumsum(np.moveaxis(histogram, 2, 0)[::-1], axis=0, out=kept[:-1][::-1])
        return cls(kept, has_background)

    def at(self, threshold: float | None) -> np.ndarray:
        """The confusion matrix at a threshold: what is not above it goes to the background.

        Args:
            threshold: background threshold 0..1, or None to give every pixel to its arg-max class.

        Returns:
            (K+1) x (K+1), int64, as in :class:`Scores`.

        Raises:
            UserError: the threshold is not within 0..1.
        """
        return self._at(np.array([lowest_kept(threshold)]))[0]

    def scores(self, threshold: float | None) -> Scores:
        """IoU, precision, recall and their like at a threshold.

        Raises:
            UserError: the threshold is not within 0..1.
        """
        return Scores(threshold, self.at(threshold), self.has_background)

    def sweep(self, thresholds: int = DEFAULT_THRESHOLDS) -> Sweep:
        """Many thresholds, evenly spaced from 0 to 1.

        Args:
            thresholds: how many, at least 2. Activations have 256 levels, so beyond 256 nothing new appears.

        Raises:
            UserError: fewer than 2 thresholds.
        """
        if thresholds < 2:
            raise UserError(f"A sweep takes at least 2 thresholds, got {thresholds}.")
        values = np.linspace(0.0, 1.0, thresholds)
        return Sweep(values, self._at(np.array(list(map(lowest_kept, values.tolist())))), self.has_background)

    def _at(self, first: np.ndarray) -> np.ndarray:
        """T x (K+1) x (K+1): what has the level ``first`` (T) or more keeps its class."""
        confusions = self.kept[first]
        confusions[:, :, 0] += self.kept[0].sum(axis=1) - confusions.sum(axis=2)
        return confusions


def score(histogram: np.ndarray, threshold: float | None, has_background: bool = True) -> Scores:
    """:meth:`CumulativeConfusion.scores` of a histogram that is asked once."""
    return CumulativeConfusion.of(histogram, has_background).scores(threshold)


def sweep(histogram: np.ndarray, thresholds: int = DEFAULT_THRESHOLDS, has_background: bool = True) -> Sweep:
    """:meth:`CumulativeConfusion.sweep` of a histogram that is asked once."""
    return CumulativeConfusion.of(histogram, has_background).sweep(thresholds)


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
    predicted = seed_mask(counts.argmax, counts.activation, threshold)
    right = np.where(counts.truth == predicted, counts.count, 0)
    return (
        _sum_by_image(counts, counts.truth, right),
        _sum_by_image(counts, counts.truth, counts.count),
        _sum_by_image(counts, predicted, counts.count),
    )


def pictures_with(counts: PixelCounts) -> np.ndarray:
    """In how many pictures each scored class is seen: S, int64, by their ground truth."""
    cell = np.unique(counts.truth.astype(np.int64) * len(counts) + counts.image)
    seen = np.bincount(cell // max(len(counts), 1), minlength=len(counts.classes) + 1)
    return seen[scored_values(counts.classes.has_background)]


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
    if not len(counts):
        raise UserError("An interval by bootstrap needs at least one picture.")
    check_draws(resamples, coverage)
    scored = scored_values(counts.classes.has_background)
    right, truth, predicted = (part[:, scored].T.astype(np.float64) for part in image_parts(counts, threshold))

    def iou(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        drawn = ClassPixels(right @ weights, truth @ weights, predicted @ weights)
        return drawn.iou[None], drawn.truth > 0

    weights = picture_weights(np.random.default_rng(seed), len(counts), resamples)
    drawn = paired_bootstrap(iou, [weights], len(counts), seen=pictures_with(counts), coverage=coverage)
    _, low, high = drawn.means()
    return float(low[0]), float(high[0])


def json_number(value: float) -> float | None:
    """A float for JSON, which knows no nan."""
    return None if np.isnan(value) else float(value)


def _sum_by_image(counts: PixelCounts, column: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    values = len(counts.classes) + 1
    cell = counts.image.astype(np.int64) * values + column
    sums = np.bincount(cell, weights=pixels, minlength=len(counts) * values)
    return sums.astype(np.int64).reshape(len(counts), values)


@dataclass(frozen=True)
class PictureScores:
    """Four numbers 0..1; nan where there is nothing to divide by.

    Attributes:
        iou: of the class, or the mean over the scored classes that occur (and the background, if any).
        precision: likewise; the share of the claimed pixels that are right.
        recall: likewise; the share of the ground truth's pixels that were found.
        wrong_class: of the pixels of the class (or of all foreground pixels), the share given to another class.
    """

    iou: float
    precision: float
    recall: float
    wrong_class: float


def picture_scores(
    seeds: np.ndarray, mask: np.ndarray, classes: ClassList, class_index: int | None = None
) -> PictureScores:
    """Score one picture.

    Args:
        seeds: H x W, uint8: 0 background (or unlabelled), k + 1 class k.
        mask: H x W, uint8 ground truth in the same numbers; 255 void. In a set without a background class, 0 counts
            as void, too.
        classes: the K classes.
        class_index: the class (from 0) that is asked about; None for all.
    """
    scored = scored_pixels(mask, classes.has_background)
    values = len(classes) + 1
    cells = mask[scored].astype(np.int64) * values + seeds[scored]
    confusion = np.bincount(cells, minlength=values * values).reshape(values, values)
    scores = Scores(None, confusion, classes.has_background)
    if class_index is None:
        return PictureScores(
            scores.miou,
            float(mean_of_present(scores.precision)),
            float(mean_of_present(scores.recall)),
            scores.wrong_class,
        )
    place = class_index + int(classes.has_background)
    row = confusion[class_index + 1]
    return PictureScores(
        float(scores.iou[place]),
        float(scores.precision[place]),
        float(scores.recall[place]),
        float(wrong_class_share(row.sum(), row[class_index + 1], row[0])),
    )
