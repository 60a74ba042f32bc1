"""The arrays of an index of confusions, made by a counting sort in two passes over blocks of whole pictures."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from recam_core.analysis.counts_on_disk import release
from recam_core.errors import UserError
from recam_core.progress import ProgressFn
from recam_core.scores.pixel_counts import LEVELS, PixelCounts

#: Rows that are in memory at once while an index is built: 4 million need about 200 MB.
ROWS_AT_ONCE = 4_000_000
#: Arrays of an index, and the type each has on disk and in memory.
ARRAYS = {
    "truth": np.uint8,
    "argmax": np.uint8,
    "image": np.int32,
    "pixels": np.uint32,
    "start": np.int64,
    "activation": np.uint8,
    "upto": np.uint32,
    "histogram": np.int64,
}
GROUP_ARRAYS = ("truth", "argmax", "image", "pixels")
#: ``make(name, length)`` gives an array of the type in :data:`ARRAYS` to be filled.
Make = Callable[[str, int], np.ndarray]


def build_arrays(counts: PixelCounts, make: Make, progress: ProgressFn) -> dict[str, np.ndarray]:
    """The arrays of the index, by a counting sort in two passes over blocks of whole pictures."""
    values = len(counts.classes) + 1
    cells = values**2
    rows_of_cell = np.zeros(cells, dtype=np.int64)
    groups_of_cell = np.zeros(cells, dtype=np.int64)
    total = np.zeros(cells * LEVELS, dtype=np.int64)
    blocks = _blocks(counts.image)
    steps = 2 * len(blocks)
    for done, block in enumerate(blocks, start=1):
        image, cell, activation, count = _canonical(counts, block, values)
        rows_of_cell += np.bincount(cell, minlength=cells)
        groups_of_cell += np.bincount(cell[_firsts(image, cell)], minlength=cells)
        sums = np.bincount(cell.astype(np.int64) * LEVELS + activation, weights=count, minlength=len(total))
        total += sums.astype(np.int64)
        _release_rows(counts)
        progress(done, steps, "indexing confusions")
    rows, groups = int(rows_of_cell.sum()), int(groups_of_cell.sum())
    arrays = {name: make(name, groups) for name in GROUP_ARRAYS}
    arrays |= {name: make(name, rows) for name in ("activation", "upto")}
    arrays["start"] = start = make("start", groups + 1)
    next_row = np.cumsum(rows_of_cell) - rows_of_cell
    next_group = np.cumsum(groups_of_cell) - groups_of_cell
    for done, block in enumerate(blocks, start=len(blocks) + 1):
        image, cell, activation, count = _canonical(counts, block, values)
        first = _firsts(image, cell)
        lengths = np.diff(first, append=len(cell))
        sums = np.cumsum(count, dtype=np.int64)
        before = sums[first] - count[first]
        pixels = np.diff(before, append=sums[-1:])
        if pixels.max(initial=0) > np.iinfo(np.uint32).max:
            raise UserError("A picture has more than 4 billion pixels of one kind; such counts cannot be indexed.")
        at_row, order = _places(cell, next_row)
        arrays["activation"][at_row] = activation[order]
        arrays["upto"][at_row] = (sums - np.repeat(before, lengths))[order]
        at_group, order = _places(cell[first], next_group)
        arrays["image"][at_group] = image[first][order]
        arrays["pixels"][at_group] = pixels[order]
        start[at_group + 1] = lengths[order]
        _release_rows(counts)
        release(*arrays.values())
        progress(done, steps, "indexing confusions")
    np.cumsum(start, out=start)
    cell_of_group = np.repeat(np.arange(cells), groups_of_cell)
    arrays["truth"][:] = cell_of_group // values
    arrays["argmax"][:] = cell_of_group % values
    arrays["histogram"] = total.reshape(values, values, LEVELS)
    return arrays


def _release_rows(counts: PixelCounts) -> None:
    release(counts.image, counts.truth, counts.argmax, counts.activation, counts.count)


def _blocks(image: np.ndarray) -> list[slice]:
    """Slices of rows, of whole pictures each and about :data:`ROWS_AT_ONCE` long."""
    edges = [0]
    while edges[-1] < len(image):
        stop = edges[-1] + ROWS_AT_ONCE
        edges.append(int(np.searchsorted(image, image[stop], "left")) if stop < len(image) else len(image))
        if edges[-1] == edges[-2]:  # one picture with more rows than that
            edges[-1] = int(np.searchsorted(image, image[edges[-2]], "right"))
    return [slice(*edge) for edge in pairwise(edges)]


def _canonical(counts: PixelCounts, rows: slice, values: int) -> tuple[np.ndarray, ...]:
    """(image, cell, activation, count) of a block, each combination once and in ascending order."""
    image, activation, count = (np.asarray(column[rows]) for column in (counts.image, counts.activation, counts.count))
    truth, argmax = np.asarray(counts.truth[rows]), np.asarray(counts.argmax[rows])
    if max(truth.max(initial=0), argmax.max(initial=0)) >= values or image.max(initial=0) >= len(counts.ids):
        raise UserError("These pixel counts are damaged: they name classes or pictures that they do not list.")
    cell = truth.astype(np.uint16) * np.uint16(values) + argmax
    key = (image.astype(np.int64) << 24) | (cell.astype(np.int64) << 8) | activation
    if np.any(np.diff(key) <= 0):
        key, inverse = np.unique(key, return_inverse=True)
        count = np.bincount(inverse, weights=count).astype(np.int64)
        image, cell, activation = (key >> 24).astype(np.int32), ((key >> 8) & 0xFFFF).astype(np.uint16), key & 0xFF
    return image, cell, activation, count


def _firsts(image: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """The first row of each run of equal (image, cell)."""
    return np.flatnonzero(np.concatenate([[True], (np.diff(image) != 0) | (np.diff(cell) != 0)])[: len(cell)])


def _places(cell: np.ndarray, following: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where items go that are sorted by cell, and the order that sorts them; moves ``following`` on."""
    order = np.argsort(cell, kind="stable")  # 16-bit numbers: a radix sort
    amounts = np.bincount(cell, minlength=len(following))
    begins = np.cumsum(amounts) - amounts
    places = np.arange(len(cell)) + np.repeat(following - begins, amounts)
    following += amounts
    return places, order
