"""Pixel counts in the order of the confusion matrix, so that a cell's pictures are found without reading all rows.

Rows are grouped by (ground truth, arg-max class, picture); within a group they ascend by activation and hold running
sums. A threshold then splits a group by one binary search instead of a pass over its rows, and a cell of the confusion
matrix is one slice of groups (or, for a column, one slice for each ground truth).
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from recam_core.analysis.cell_arrays import ARRAYS, GROUP_ARRAYS, build_arrays
from recam_core.analysis.counts_on_disk import ArrayFolder, open_mapped, release
from recam_core.atomic_write import replacing_folder
from recam_core.data.sample import ClassList
from recam_core.errors import UserError
from recam_core.file_reader import DAMAGED_ARRAYS
from recam_core.maps.activation_maps import lowest_kept
from recam_core.progress import ProgressFn, silent
from recam_core.scores.pixel_counts import LEVELS, PixelCounts, name_in_files

#: Groups that a threshold splits at once.
GROUPS_AT_ONCE = 32_768
#: Pages of a mapped index are given back after this many rows were looked at (5 bytes each).
ROWS_TO_RELEASE = 250_000
_FOLDER = ArrayFolder("confusions by cell", "recam-cells", "cells.json")


@dataclass(frozen=True, eq=False)
class CellIndex:
    """The counts of N pictures and K classes: G groups of rows, R rows in all.

    Attributes:
        ids: N picture ids.
        classes: the K classes.
        truth: G, uint8, ascending; ground truth of the group: 0 background, k + 1 class k.
        argmax: G, uint8, ascending within a truth; arg-max class in the same numbers, 0 where a picture has no class.
        image: G, int32, ascending within a (truth, argmax); position of the picture in ``ids``.
        pixels: G, uint32; pixels of the group.
        start: G + 1, int64; rows of group g are ``start[g]`` to ``start[g + 1]``.
        activation: R, uint8, strictly ascending within a group; of the arg-max class.
        upto: R, uint32; pixels of the group with this level or a lower one.
        histogram: (K+1) x (K+1) x 256, int64; pixels of all pictures by ground truth, arg-max class and level.
    """

    ids: tuple[str, ...]
    classes: ClassList
    truth: np.ndarray
    argmax: np.ndarray
    image: np.ndarray
    pixels: np.ndarray
    start: np.ndarray
    activation: np.ndarray
    upto: np.ndarray
    histogram: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def values(self) -> int:
        """K + 1: how many values truth and argmax can have."""
        return len(self.classes) + 1

    def total(self) -> np.ndarray:
        """(K+1) x (K+1) x 256, int64: the histogram of all pictures, as :meth:`PixelCounts.total` gives it."""
        return np.array(self.histogram)

    @classmethod
    def build(cls, counts: PixelCounts, progress: ProgressFn = silent) -> "CellIndex":
        """Index counts in memory.

        Args:
            counts: of N pictures; rows of a picture may come in any order.
            progress: called now and then; may raise Cancelled.

        Raises:
            UserError: a picture of more than 4 billion pixels.
        """
        arrays = build_arrays(counts, lambda name, length: np.zeros(length, dtype=ARRAYS[name]), progress)
        return cls(counts.ids, counts.classes, **arrays)

    @classmethod
    def of(cls, counts: "PixelCounts | CellIndex") -> "CellIndex":
        """The index itself, or one made from counts."""
        return counts if isinstance(counts, CellIndex) else cls.build(counts)

    @classmethod
    def write(cls, counts: PixelCounts, path: str | Path, progress: ProgressFn = silent) -> "CellIndex":
        """Index counts straight into a folder, whole or not at all, and open it; for counts that fill the memory.

        Raises:
            UserError: the folder cannot be written to.
        """
        with replacing_folder(_FOLDER.free(path)) as folder:

            def make(name: str, length: int) -> np.ndarray:
                if not length:
                    np.save(_file(folder, name), np.zeros(0, dtype=ARRAYS[name]))
                    return np.zeros(0, dtype=ARRAYS[name])
                return np.lib.format.open_memmap(_file(folder, name), "w+", ARRAYS[name], (length,))

            arrays = build_arrays(counts, make, progress)
            np.save(_file(folder, "histogram"), arrays["histogram"])
            _FOLDER.write_head(folder, counts.ids, counts.classes)
        return cls.load(path)

    @classmethod
    def load(cls, path: str | Path) -> "CellIndex":
        """Open what :meth:`write` wrote; rows stay on disk until they are looked at.

        Raises:
            UserError: missing, truncated, or something else.
        """
        path = Path(path)
        ids, classes, _ = _FOLDER.read_head(path)
        try:
            arrays = {name: open_mapped(_file(path, name)) for name in ARRAYS}
        except DAMAGED_ARRAYS as error:
            raise _FOLDER.damaged(path) from error
        index = cls(ids, classes, **arrays)
        if not _fits(index):
            raise _FOLDER.damaged(path)
        return index

    @cached_property
    def _cell_start(self) -> np.ndarray:
        """(K+1)^2 + 1, int64: where the groups of each cell t * (K+1) + w begin."""
        cell = self.truth.astype(np.int32) * self.values + self.argmax
        return np.searchsorted(cell, np.arange(self.values**2 + 1)).astype(np.int64)

    def groups_of_truth(self, truth: int) -> slice:
        """The groups of a ground truth value."""
        return slice(*self._cell_start[[truth * self.values, (truth + 1) * self.values]].tolist())

    def groups_of_cell(self, truth: int, argmax: int) -> slice:
        """The groups of a ground truth value and an arg-max class."""
        cell = truth * self.values + argmax
        return slice(*self._cell_start[[cell, cell + 1]].tolist())

    def groups_of_argmax(self, argmax: int) -> np.ndarray:
        """The groups of an arg-max class, of any ground truth: int64, ascending."""
        ranges = [range(self._cell_start[cell], self._cell_start[cell + 1]) for cell in self._column(argmax)]
        return np.concatenate([np.zeros(0, dtype=np.int64), *(np.arange(r.start, r.stop) for r in ranges if r)])

    def above(self, threshold: float | None, groups: slice | np.ndarray = slice(None)) -> np.ndarray:
        """The pixels of groups that keep their arg-max class at a threshold; the others go to the background.

        Args:
            threshold: background threshold 0..1, or None to give every pixel to its arg-max class.
            groups: which ones; all by default.

        Returns:
            one int64 a group.

        Raises:
            UserError: the threshold is not within 0..1.
        """
        everything = self.pixels[groups].astype(np.int64)
        if threshold is None:
            return everything
        limit = lowest_kept(threshold) - 1
        first, stop = self.start[:-1][groups], self.start[1:][groups]
        everyone = isinstance(groups, slice) and groups == slice(None)
        # In blocks, so that what is searched stays in the processor's cache.
        for begin in range(0, len(everything), GROUPS_AT_ONCE):
            some = slice(begin, begin + GROUPS_AT_ONCE)
            ends = self._all_ends[:, some] if everyone else self._ends(first[some], stop[some])
            everything[some] -= self._at_or_below(limit, first[some], stop[some], ends)
            if (stop[some] - first[some]).sum() > ROWS_TO_RELEASE:
                release(self.activation, self.upto)
        return everything

    def prepare(self) -> None:
        """Make what a pass over all pictures needs at any threshold, so that the first one takes no longer than others.

        May run in a thread beside others that ask the index.
        """
        _ = self.truth_entries, self._all_ends

    def _ends(self, first: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """2 x groups, uint8: the lowest and the highest level of each."""
        return np.stack([self.activation[first], self.activation[stop - 1]])

    @cached_property
    def _all_ends(self) -> np.ndarray:
        """2 x G: kept, as a pass over the levels of all groups costs as much as the rest of a new threshold."""
        ends = np.empty((2, len(self.truth)), dtype=np.uint8)
        for begin in range(0, len(self.truth), GROUPS_AT_ONCE):
            some = slice(begin, begin + GROUPS_AT_ONCE)
            ends[:, some] = self._ends(self.start[:-1][some], self.start[1:][some])
            release(self.activation)
        return ends

    def _at_or_below(self, limit: int, first: np.ndarray, stop: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """int64 pixels of groups with a level of ``limit`` or less: one binary search in all groups at once.

        Levels of a group ascend strictly, so its first and last one say where the limit lies but for as many rows as
        there are levels missing between them; real groups miss few, and most need no search at all.
        """
        lowest, highest = ends.astype(np.int64)
        low = np.clip(stop - (highest - limit), first, stop)
        high = np.clip(first + (limit + 1 - lowest), first, stop)
        rest = np.flatnonzero(low < high)
        while len(rest):  # 8 times at most, as there are 256 levels
            middle = (low[rest] + high[rest]) >> 1
            under = self.activation[middle] <= limit
            low[rest[under]] = middle[under] + 1
            high[rest[~under]] = middle[~under]
            rest = rest[low[rest] < high[rest]]
        found = np.zeros(len(first), dtype=np.int64)
        some = low > first
        found[some] = self.upto[low[some] - 1]
        return found

    def pictures(
        self, truth: int, predicted: int, threshold: float | None, chosen: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The pictures of a cell of the confusion matrix, worst first.

        Args:
            truth: row: 0 background, k + 1 class k.
            predicted: column, in the same numbers.
            threshold: background threshold 0..1, or None.
            chosen: N bools, to look at some of the pictures only.

        Returns:
            positions: int64 positions in ``ids``; equal ones in the order of the data set.
            pixels: int64 pixels of the cell in each, all above 0.

        Raises:
            UserError: no such class, or the threshold is not within 0..1.
        """
        self._check(truth, predicted)
        if predicted:
            groups = self.groups_of_cell(truth, predicted)
            return self._ranked(groups, self.above(threshold, groups), chosen)
        groups = self.groups_of_truth(truth)
        return self._ranked(groups, self._given_to_background(groups, threshold), chosen)

    def false_positives(
        self, k: int, threshold: float | None, chosen: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The pictures in which most pixels are claimed for a class that they are not; as :meth:`pictures`.

        Args:
            k: the class, from 0; -1 for the background.
        """
        value = k + 1
        self._check(value, value)
        if value:
            groups = self.groups_of_argmax(value)
            groups = groups[self.truth[groups] != value]
            return self._ranked(groups, self.above(threshold, groups), chosen)
        others = slice(self.groups_of_truth(0).stop, len(self.truth))
        return self._ranked(others, self._given_to_background(others, threshold), chosen)

    def false_negatives(
        self, k: int, threshold: float | None, chosen: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The pictures in which most pixels of a class are given to anything else; as :meth:`pictures`.

        Args:
            k: the class, from 0; -1 for the background.
        """
        value = k + 1
        self._check(value, value)
        groups = self.groups_of_truth(value)
        if value:
            right = np.where(self.argmax[groups] == value, self.above(threshold, groups), 0)
        else:
            right = self._given_to_background(groups, threshold)
        return self._ranked(groups, self.pixels[groups].astype(np.int64) - right, chosen)

    @cached_property
    def present(self) -> np.ndarray:
        """N x (K+1) bool (read-only): which values the ground truth of each picture has."""
        there = np.zeros((len(self), self.values), dtype=bool)
        there[self.image, self.truth] = True
        there.flags.writeable = False
        return there

    @cached_property
    def truth_entries(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What each picture's ground truth has, as T entries in ascending order of (truth, image).

        Returns:
            truth: T, uint8; the value.
            image: T, int32; the picture.
            entry: G, int32; the entry that each group belongs to.
        """
        truths, images, entry, entries = [], [], np.empty(len(self.image), dtype=np.int32), 0
        # One value at a time: marks of all values at once are too large for the processor's cache.
        for truth in range(self.values):
            groups = self.groups_of_truth(truth)
            there = np.zeros(len(self), dtype=bool)
            there[self.image[groups]] = True
            entry[groups] = (np.cumsum(there, dtype=np.int32) + (entries - 1))[self.image[groups]]
            images.append(np.flatnonzero(there).astype(np.int32))
            truths.append(np.full(len(images[-1]), truth, dtype=np.uint8))
            entries += len(images[-1])
        return np.concatenate(truths), np.concatenate(images), entry

    @cached_property
    def object_share(self) -> np.ndarray:
        """N x K, float32 (read-only): of the scored pixels of each picture, the share of each class, 0..1."""
        truth, image, entry = self.truth_entries
        pixels = np.bincount(entry, weights=self.pixels, minlength=len(truth))
        whole = np.bincount(image, weights=pixels, minlength=len(self))
        share = np.zeros((len(self), self.values - 1), dtype=np.float32)
        some = truth > 0
        share[image[some], truth[some] - 1] = pixels[some] / whole[image[some]]
        share.flags.writeable = False
        return share

    def _column(self, argmax: int) -> range:
        return range(argmax, self.values**2, self.values)

    def _given_to_background(self, groups: slice | np.ndarray, threshold: float | None) -> np.ndarray:
        everything = self.pixels[groups].astype(np.int64)
        return np.where(self.argmax[groups] == 0, everything, everything - self.above(threshold, groups))

    def _ranked(
        self, groups: slice | np.ndarray, pixels: np.ndarray, chosen: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        # Sums are exact: float64 holds whole numbers up to 2^53.
        by_picture = np.bincount(self.image[groups], weights=pixels, minlength=len(self)).astype(np.int64)
        if chosen is not None:
            by_picture = np.where(chosen, by_picture, 0)
        positions = np.flatnonzero(by_picture)
        found = by_picture[positions]
        order = np.argsort(-found, kind="stable")
        return positions[order], found[order]

    def _check(self, *values: int) -> None:
        for value in values:
            if not 0 <= value < self.values:
                raise UserError(
                    f"There is no class number {value}; the data set has the values 0 to {self.values - 1}."
                )


def _file(folder: Path, array: str) -> Path:
    return folder / f"{name_in_files(array)}.npy"


def _fits(index: CellIndex) -> bool:
    """Whether sizes and types belong together; rows are not read, so that opening stays quick."""
    groups, rows = len(index.truth), len(index.activation)
    values = index.values
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(GROUP_ARRAYS, (groups,))
    shapes |= {"start": (groups + 1,), "activation": (rows,), "upto": (rows,), "histogram": (values, values, LEVELS)}
    if any(getattr(index, name).shape != shape for name, shape in shapes.items()):
        return False
    if any(getattr(index, name).dtype != kind for name, kind in ARRAYS.items()):
        return False
    if index.start[0] != 0 or index.start[-1] != rows or np.any(np.diff(index.start) < 1):
        return False
    if not groups:
        return True
    cell = index.truth.astype(np.int32) * values + index.argmax
    return bool(
        max(index.truth.max(), index.argmax.max()) < values
        and np.all(np.diff(cell) >= 0)
        and index.image.min() >= 0
        and index.image.max() < len(index.ids)
    )
