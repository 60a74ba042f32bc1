"""One row a picture: what it shows and how well each method does on it, from counts alone.

Some pictures tell nothing: those of a single class, where there is no background and no threshold that could leave a
pixel out. The maps of a picture are made of the classes that it shows: with one of them every pixel is given to it,
rightly, so that every method has 100 %. Such pictures stay in what is pooled over all pixels, as published figures are
(mIoU, confusions, intervals); means of pictures, wins and losses, and lists of pictures leave them out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from recam_core.analysis.cell_index import CellIndex
from recam_core.analysis.outcomes import Outcomes, outcomes_of_all, reference_of
from recam_core.data.sample import ClassList
from recam_core.scores.metrics import ClassPixels, ratio, wrong_class_share
from recam_core.scores.pixel_counts import PixelCounts


@dataclass(frozen=True, eq=False)
class PictureParts:
    """E entries: the classes that a picture's ground truth or seeds have, in ascending order of (value, image).

    Attributes:
        image: E, int32; position of the picture.
        value: E, uint8; 0 background, k + 1 class k.
        pixels: E, float64; what the picture adds to the class.
    """

    image: np.ndarray
    value: np.ndarray
    pixels: ClassPixels


@dataclass(frozen=True, eq=False)
class PictureTable:
    """N pictures, K classes, columns of numpy arrays.

    Attributes:
        ids: N picture ids.
        classes: the K classes.
        present: N x K, bool: which classes the ground truth shows.
        number: N, int64: how many of the K classes it shows.
        object_share: N x K, float32: of a picture's scored pixels, the share of each class, 0..1.
        largest: N, float32: the largest of these.
        reference: the method that differences are to.
        miou: by method: N float64; mean IoU over the scored classes of the picture's ground truth or seeds; nan
            where a picture has no scored pixel.
        wrong_class: by method: N; of the foreground pixels, the share given to another class; nan without foreground.
        lost: by method: N; of the foreground pixels, the share left to the background.
        difference: by method: N; mIoU less that of the reference.
    """

    ids: tuple[str, ...]
    classes: ClassList
    present: np.ndarray
    number: np.ndarray
    object_share: np.ndarray
    largest: np.ndarray
    reference: str
    miou: dict[str, np.ndarray]
    wrong_class: dict[str, np.ndarray]
    lost: dict[str, np.ndarray]
    difference: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def keys(self) -> tuple[str, ...]:
        """Of the methods."""
        return tuple(self.miou)


def picture_table(
    counts: Mapping[str, PixelCounts | CellIndex],
    thresholds: Mapping[str, float | None],
    reference: str | None = None,
    *,
    outcomes: Mapping[str, Outcomes] | None = None,
    whole: PixelCounts | CellIndex | None = None,
) -> PictureTable:
    """Describe every picture.

    Args:
        counts: by method, of the same pictures.
        thresholds: by method; background threshold 0..1, or None.
        reference: a method; the first by default.
        outcomes: what :func:`outcomes_of_all` gives, if it is at hand.
        whole: counts of all pixels, where ``counts`` are of some: what pictures show, and how large it is.

    Raises:
        UserError: an unknown reference, or methods that cannot be compared.
    """
    keys = tuple(counts)
    found = outcomes if outcomes is not None else outcomes_of_all(counts, thresholds)
    reference = reference_of(keys, reference)
    first = CellIndex.of(counts[keys[0]] if whole is None else whole)
    share, present = first.object_share, first.present[:, 1:]
    miou = {key: _miou(found[key]) for key in keys}
    faults = {key: _faults(found[key]) for key in keys}
    return PictureTable(
        tuple(first.ids),
        first.classes,
        present,
        present.sum(axis=1),
        share,
        share.max(axis=1, initial=0),
        reference,
        miou,
        {key: wrong for key, (wrong, _) in faults.items()},
        {key: lost for key, (_, lost) in faults.items()},
        {key: miou[key] - miou[reference] for key in keys},
    )


def _miou(outcomes: Outcomes) -> np.ndarray:
    """N; the mean over the classes that a picture's ground truth or seeds have."""
    parts = picture_parts(outcomes)
    scored = slice(None) if outcomes.classes.has_background else parts.value > 0
    image, iou = parts.image[scored], parts.pixels.iou[scored]
    sums = np.bincount(image, weights=iou, minlength=outcomes.pictures)
    return ratio(sums, np.bincount(image, minlength=outcomes.pictures))


def _faults(outcomes: Outcomes) -> tuple[np.ndarray, np.ndarray]:
    """N, N: shares of the foreground pixels that go to another class, and to the background."""
    foreground = outcomes.truth > 0

    def pixels(some: np.ndarray) -> np.ndarray:
        return np.bincount(outcomes.image[some], weights=outcomes.pixels[some], minlength=outcomes.pictures)

    whole, lost = pixels(foreground), pixels(foreground & (outcomes.predicted == 0))
    right = pixels(foreground & (outcomes.truth == outcomes.predicted))
    return wrong_class_share(whole, right, lost), ratio(lost, whole)


def picture_parts(outcomes: Outcomes) -> PictureParts:
    """The parts of every IoU at the threshold of the outcomes; the sparse form of ``scores.image_parts``."""
    by_truth = np.searchsorted(outcomes.truth, np.arange(outcomes.values + 1))
    order = np.argsort(outcomes.predicted, kind="stable")  # 8-bit numbers: a radix sort
    by_prediction = np.searchsorted(outcomes.predicted[order], np.arange(outcomes.values + 1))
    parts = []
    # One value at a time: sums of all values at once are too large for the processor's cache, and mostly zeros.
    for value in range(outcomes.values):
        of_truth = slice(*by_truth[value : value + 2])
        of_prediction = order[slice(*by_prediction[value : value + 2])]
        hit = of_prediction[outcomes.truth[of_prediction] == value]
        truth, predicted, right = (
            # Sums are exact: float64 holds whole numbers up to 2^53.
            np.bincount(outcomes.image[some], weights=outcomes.pixels[some], minlength=outcomes.pictures)
            for some in (of_truth, of_prediction, hit)
        )
        there = np.flatnonzero((truth > 0) | (predicted > 0))
        values = np.full(len(there), value, dtype=np.uint8)
        parts.append((there.astype(np.int32), values, right[there], truth[there], predicted[there]))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return PictureParts(columns[0], columns[1], ClassPixels(*columns[2:]))


def single_class_pictures(
    counts: PixelCounts | CellIndex, thresholds: Iterable[float | None], labels: str = "truth"
) -> np.ndarray:
    """Which pictures tell nothing.

    Args:
        counts: of N pictures, by any method: the ground truth is what counts.
        thresholds: that the methods are read at. With one, weak pixels stay unlabelled, and each picture tells.
        labels: which classes got maps. With those that the network sees ("predicted"), each picture tells.

    Returns:
        N bools.
    """
    if counts.classes.has_background or labels != "truth" or any(threshold is not None for threshold in thresholds):
        return np.zeros(len(counts), dtype=bool)
    if isinstance(counts, CellIndex):
        return counts.present[:, 1:].sum(axis=1) == 1
    shown = np.zeros((len(counts), len(counts.classes) + 1), dtype=bool)
    shown[counts.image, counts.truth] = True
    return shown[:, 1:].sum(axis=1) == 1


def single_class_words(number: int, counted: bool = False) -> str:
    """What is done with them, as a sentence; "" where there is none."""
    if not number:
        return ""
    shown = "1 picture shows" if number == 1 else f"{number:,} pictures show"
    rest = "counted all the same" if counted else "left out of means and lists of pictures"
    return f"{shown} a single class and no background, which every method has right: {rest}."
