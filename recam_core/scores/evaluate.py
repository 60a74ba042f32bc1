"""Scoring the maps of a data set: one pass over the pixels, and then every threshold."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from recam_core import ranks
from recam_core.data.sample import ClassList, Dataset
from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps, SilentCount, argmax_and_activation
from recam_core.maps.store import MapStore
from recam_core.progress import ProgressFn, silent
from recam_core.scores.band import check_band, within_band
from recam_core.scores.metrics import scored_names, value_names
from recam_core.scores.pixel_counts import PictureCounts, PixelCounts, count_pixels, join
from recam_core.scores.scores import DEFAULT_THRESHOLDS, CumulativeConfusion, Scores, Sweep, bootstrap_miou
from recam_core.words import few

#: Why there are no scores where every scored pixel is background.
NOTHING_OF_A_CLASS = (
    "There is nothing of a class to score: no mask of these pictures holds a pixel of one, and the mIoU would be of "
    "the background alone. 'data check' says what the masks hold."
)
#: The same of a band along contours.
NOTHING_IN_THE_BAND = "There is nothing of a class to score near contours: no mask of these pictures has a contour."


@dataclass(frozen=True)
class Evaluation:
    """What came out for one method.

    Attributes:
        name: of the method, for people: run and rule.
        counts: the per-picture parts; any other threshold, and scores of single pictures, follow from them.
        sweep: the curve over all thresholds.
        best: with a background class, the scores at the threshold that fits these very pictures best (so its mIoU is
            slightly optimistic); without one, every pixel given to its arg-max class.
        fixed: the scores at a threshold that was given, or chosen on other pictures; None if there was none.
        fixed_from: where the threshold of ``fixed`` comes from, in words.
        without_mask: pictures that could not be scored because they have no ground truth.
        interval: 95% interval of the mIoU of ``fixed``, or else ``best``, over pictures; None
            where none was asked for, nan where no class is seen in two pictures.
        silent: how often classes had no activation; None where that is not known.
    """

    name: str
    counts: PixelCounts
    sweep: Sweep
    best: Scores
    fixed: Scores | None = None
    fixed_from: str = ""
    without_mask: int = 0
    interval: tuple[float, float] | None = None
    silent: SilentCount | None = None

    @property
    def scored_names(self) -> tuple[str, ...]:
        """The names that per-class arrays of the scores go with."""
        return scored_names(self.counts.classes)

    def to_json(self) -> dict[str, Any]:
        """Everything but the per-picture parts, as JSON values."""
        return {
            "name": self.name,
            "pictures": len(self.counts),
            "pictures_without_mask": self.without_mask,
            "pixels": self.best.pixels,
            "pictures_without_activation": {}
            if self.silent is None
            else {
                name: count
                for name, count in zip(self.counts.classes.names, self.silent.silent.tolist(), strict=True)
                if count
            },
            "has_background": self.counts.classes.has_background,
            "classes": list(self.scored_names),
            "confusion_classes": list(value_names(self.counts.classes)),
            "best": self.best.to_json(),
            "fixed": None if self.fixed is None else self.fixed.to_json() | {"threshold_from": self.fixed_from},
            "miou_interval": None
            if self.interval is None or np.isnan(self.interval[0])
            else [float(end) for end in self.interval],
            "curve": {
                "thresholds": self.sweep.thresholds.round(6).tolist(),
                "miou": [None if np.isnan(value) else float(value) for value in self.sweep.miou],
            },
        }


def count_maps(maps: ActivationMaps, mask: np.ndarray, classes: ClassList) -> PictureCounts:
    """The counts of one picture's maps against its ground truth (H x W uint8).

    Raises:
        UserError: maps and mask do not belong together.
    """
    argmax, activation = argmax_and_activation(maps)
    try:
        return count_pixels(argmax, activation, mask, classes)
    except UserError as error:
        raise UserError(f"{maps.id}: {error}.") from None


class Tally:
    """Gathers pictures of one method, in any order, and scores them.

    Args:
        classes: of the data set.
        band: only pixels count that lie so near to a contour of the ground truth
            (:func:`~recam_core.scores.band.contour_band`); None for all.

    Raises:
        UserError: a band of less than 1 pixel.
    """

    def __init__(self, classes: ClassList, band: int | None = None):
        if band is not None:
            check_band(band)
        self._classes, self._band = classes, band
        self._ids: list[str] = []
        self._pictures: list[PictureCounts] = []
        self._without_mask = 0
        self._silent = SilentCount(len(classes))

    def add(self, maps: ActivationMaps, mask: np.ndarray | None) -> None:
        """Count a picture's pixels.

        Args:
            maps: of the picture.
            mask: H x W, uint8 ground truth; a picture without one is noted and not scored.

        Raises:
            UserError: maps and mask do not belong together.
        """
        if mask is None:
            self._without_mask += 1
            return
        self._silent.add(maps)
        self.add_pixels(maps.id, *argmax_and_activation(maps), mask)

    def add_pixels(self, id: str, argmax: np.ndarray, activation: np.ndarray, mask: np.ndarray | None) -> None:
        """Count a picture of which the arg-max class and the activation of each pixel are known (both H x W uint8).

        Raises:
            UserError: they and the mask do not belong together.
        """
        if mask is None:
            self._without_mask += 1
            return
        try:
            self._pictures.append(count_pixels(argmax, activation, within_band(mask, self._band), self._classes))
        except UserError as error:
            raise UserError(f"{id}: {error}.") from None
        self._ids.append(id)

    def merge(self, other: "Tally") -> None:
        """Take what another gathered behind what is here."""
        self._ids += other._ids
        self._pictures += other._pictures
        self._without_mask += other._without_mask
        self._silent.merge(other._silent)

    def __len__(self) -> int:
        """How many pictures can be scored."""
        return len(self._ids)

    @property
    def shows_class(self) -> bool:
        """Whether the ground truth of any picture holds a pixel of a class."""
        return any((picture.truth > 0).any() for picture in self._pictures)

    def evaluation(
        self,
        name: str = "",
        *,
        thresholds: int = DEFAULT_THRESHOLDS,
        threshold: float | None = None,
        threshold_from: str = "given",
        resamples: int = 0,
    ) -> Evaluation:
        """Score what was gathered.

        Args:
            name: of the method.
            thresholds: how many to score, at least 2.
            threshold: a background threshold to report besides, or None.
            threshold_from: where it comes from, in words.
            resamples: draws of pictures for an interval; 0 for none.

        Raises:
            UserError: no picture with ground truth, ground truth without a pixel of any class, or a threshold out of
                range.
        """
        if not self._ids:
            raise UserError("There is nothing to score: none of the pictures has a ground-truth mask.")
        if not self.shows_class:
            raise UserError(NOTHING_OF_A_CLASS if self._band is None else NOTHING_IN_THE_BAND)
        counts = join(self._ids, self._pictures, self._classes)
        return evaluate_counts(
            counts,
            name,
            thresholds=thresholds,
            threshold=threshold,
            threshold_from=threshold_from,
            resamples=resamples,
            without_mask=self._without_mask,
            silent=self._silent,
        )


def evaluate_counts(
    counts: PixelCounts,
    name: str = "",
    *,
    thresholds: int = DEFAULT_THRESHOLDS,
    threshold: float | None = None,
    threshold_from: str = "given",
    resamples: int = 0,
    without_mask: int = 0,
    silent: SilentCount | None = None,
) -> Evaluation:
    """Score counts, freshly made or loaded; for the arguments see :meth:`Tally.evaluation`.

    Raises:
        UserError: a threshold out of range, or fewer than 2 of them.
    """
    cumulative = CumulativeConfusion.build(counts)
    curve = cumulative.sweep(thresholds)
    best = curve.best() if cumulative.has_background else cumulative.scores(None)
    fixed = None if threshold is None else cumulative.scores(threshold)
    interval = bootstrap_miou(counts, (fixed or best).threshold, resamples) if resamples else None
    origin = threshold_from if fixed else ""
    return Evaluation(name, counts, curve, best, fixed, origin, without_mask, interval, silent)


def evaluate_maps(
    maps: Iterable[ActivationMaps],
    masks: Iterable[np.ndarray | None],
    classes: ClassList,
    name: str = "",
    *,
    thresholds: int = DEFAULT_THRESHOLDS,
    threshold: float | None = None,
) -> Evaluation:
    """Score maps against masks that are at hand, picture by picture.

    Args:
        maps: of each picture.
        masks: H x W, uint8 ground truth of each picture, in the same order.
        classes: of the data set.
        name: of the method.
        thresholds: how many to score, at least 2.
        threshold: a background threshold to report besides, or None.

    Raises:
        UserError: maps and masks do not belong together, or there is nothing to score.
    """
    tally = Tally(classes)
    for picture, mask in zip(maps, masks, strict=True):
        tally.add(picture, mask)
    return tally.evaluation(name, thresholds=thresholds, threshold=threshold)


def tally_store(
    dataset: Dataset,
    store: MapStore,
    progress: ProgressFn = silent,
    limit: int | None = None,
    band: int | None = None,
) -> Tally:
    """Count the pixels of a data set under the maps of a store; under ``torchrun`` the first rank gets the counts.

    Args:
        dataset: where the ground truth comes from. Pictures that the store lacks are left out (the number of scored
            pictures tells).
        store: where the maps come from.
        progress: called after each picture.
        limit: only the first so many pictures of the data set; None for all.
        band: see :class:`Tally`.

    Raises:
        UserError: other classes, no picture in common, a broken mask, or maps of other sizes.
    """
    check_classes(store.info.class_list, dataset.classes, f"The store {store.path}", f"the data set {dataset.spec}")
    common = [index for index, id in enumerate(dataset.ids[:limit]) if id in store]
    if not common:
        raise UserError(
            f"The store {store.path} has none of the pictures of {dataset.spec}; it was made from {store.info.data}."
        )

    def counted() -> Iterator[Tally]:
        for index in ranks.share(common):
            one = Tally(dataset.classes, band)
            one.add(store[dataset.ids[index]], dataset.mask(index))
            yield one

    tally = Tally(dataset.classes, band)
    for done, one in enumerate(ranks.in_order(counted(), len(common)), start=1):
        tally.merge(one)
        progress(done, len(common), "")
    return tally


def check_classes(ours: ClassList, theirs: ClassList, us: str, them: str) -> None:
    """Make sure that class numbers mean the same on both sides.

    Raises:
        UserError: names or their order differ, or only one side has a background class.
    """
    if ours.names != theirs.names:
        raise UserError(f"{us} and {them} have different classes: {'; '.join(_differences(ours, theirs))}.")
    if ours.has_background != theirs.has_background:
        with_background, without = (us, them) if ours.has_background else (them, us)
        raise UserError(
            f"{with_background} has a background class and {without} has none; they cannot be compared. "
            "Where no list of classes says it, the masks decide, and a few stray zeros make a background; 'data check' "
            "tells. A first line 'background', or 'void' if there is none, in classes.txt settles it. An imported "
            "run is taken to have one unless `checkpoint import` is told --no-background, or the pictures."
        )


def _differences(ours: ClassList, theirs: ClassList) -> Iterator[str]:
    """How two lists of names differ, in words."""
    missing = [name for name in ours.names if name not in theirs.names]
    more = [name for name in theirs.names if name not in ours.names]
    if missing:
        yield f"only the former has {few(map(repr, missing), 8)}"
    if more:
        yield f"only the latter has {few(map(repr, more), 8)}"
    if not missing and not more:
        place, (one, other) = next(
            (k, pair) for k, pair in enumerate(zip(ours.names, theirs.names, strict=False)) if pair[0] != pair[1]
        )
        yield f"the names are the same, but in another order (class {place + 1} is {one!r} and {other!r})"
