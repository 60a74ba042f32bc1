"""What two methods say of the same pixels, counted so that any pair of thresholds can be asked for.

The counts of one method (:mod:`recam_core.scores.pixel_counts`) say how many pixels it has wrong, not which; whether
another method has *these* right needs both maps read together. Rows are grouped by (picture, ground truth, arg-max
class of the first, of the second), and hold both activations. A pair of thresholds splits each group into four by one
pass over its rows, without the pictures.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recam_core.analysis.analysed import MANY, Analysed
from recam_core.analysis.banded import scored_masks
from recam_core.analysis.counts_on_disk import open_mapped, release
from recam_core.analysis.outcomes import check_same_pictures
from recam_core.atomic_write import replacing_folder, write_json
from recam_core.cache import cache_folder, drop_oldest
from recam_core.data.sample import ClassList, Dataset
from recam_core.errors import UserError
from recam_core.file_reader import DAMAGED_ARRAYS
from recam_core.guest import is_own
from recam_core.maps.activation_maps import argmax_and_activation, lowest_kept
from recam_core.progress import ProgressFn, silent
from recam_core.records import RecordError, read_record
from recam_core.scores.metrics import scored_pixels

#: Bump when what is kept changes, so that old folders are not read.
FORMAT = 1
#: Rows that a threshold splits at once.
ROWS_AT_ONCE = 2_000_000
_ROWS = {"levels": np.dtype((np.uint8, 2)), "count": np.dtype(np.uint32)}
_GROUPS = {"image": np.int32, "truth": np.uint8, "first": np.uint8, "second": np.uint8, "start": np.int64}
_HEAD = "joint.json"


@dataclass(frozen=True, eq=False)
class Joint:
    """Where the pixels of each picture go under two methods, each at its threshold; E entries with pixels.

    Attributes:
        ids: N picture ids.
        classes: the K classes.
        image: E, int32, ascending; position of the picture in ``ids``.
        truth: E, uint8; ground truth: 0 background, k + 1 class k.
        before: E, uint8; what the first method gives the pixels to, in the same numbers.
        after: E, uint8; what the second gives them to.
        pixels: E, int64, all above 0.
    """

    ids: tuple[str, ...]
    classes: ClassList
    image: np.ndarray
    truth: np.ndarray
    before: np.ndarray
    after: np.ndarray
    pixels: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class JointCounts:
    """The counts of two methods together, of N pictures and K classes: G groups of rows, R rows in all.

    Attributes:
        ids: N picture ids.
        classes: the K classes.
        image: G, int32, ascending; position of the picture in ``ids``.
        truth: G, uint8; ground truth: 0 background, k + 1 class k.
        first: G, uint8; arg-max class of the first method in the same numbers, 0 where a picture has no class.
        second: G, uint8; of the second.
        start: G + 1, int64; rows of group g are ``start[g]`` to ``start[g + 1]``.
        activations: R x 2, uint8; activation of both arg-max classes.
        count: R, uint32; pixels.
    """

    ids: tuple[str, ...]
    classes: ClassList
    image: np.ndarray
    truth: np.ndarray
    first: np.ndarray
    second: np.ndarray
    start: np.ndarray
    activations: np.ndarray
    count: np.ndarray

    def at(self, before: float | None, after: float | None) -> Joint:
        """Where the pixels go when each method is cut at its threshold.

        Args:
            before: background threshold of the first method, 0..1; None gives every pixel to its arg-max class.
            after: of the second.

        Raises:
            UserError: a threshold is not within 0..1.
        """
        lowest = [lowest_kept(threshold) for threshold in (before, after)]
        split = np.zeros((len(self.image), 4), dtype=np.int64)
        for groups in _blocks(self.start):
            rows = slice(int(self.start[groups.start]), int(self.start[groups.stop]))
            above = self.activations[rows] >= np.array(lowest)
            quarter = above[:, 0] * 2 + above[:, 1]
            begins = self.start[groups] - rows.start
            for part in range(4):
                kept = np.where(quarter == part, self.count[rows], 0)
                split[groups, part] = np.add.reduceat(kept, begins, dtype=np.int64)
            release(self.activations, self.count)
        pieces = []
        for part in range(4):
            some = np.flatnonzero(split[:, part])
            first = self.first[some] if part & 2 else np.zeros(len(some), np.uint8)
            second = self.second[some] if part & 1 else np.zeros(len(some), np.uint8)
            pieces.append((self.image[some], self.truth[some], first, second, split[some, part]))
        return _merged(self.ids, self.classes, *(np.concatenate(column) for column in zip(*pieces, strict=True)))


def joint_counts(first: Analysed, second: Analysed, dataset: Dataset, progress: ProgressFn = silent) -> JointCounts:
    """The counts of two methods together: what is kept in the cache, or else made now and kept.

    Args:
        first, second: on the same pictures.
        dataset: with these pictures, for their ground truth.
        progress: called after each picture; may raise Cancelled, which leaves nothing behind.

    Raises:
        UserError: methods of other pictures or classes, a picture that is gone or broken, no room on the disk.
    """
    if (kept := kept_joint_counts(first, second)) is not None:
        progress(len(kept.ids), len(kept.ids), "counts from the cache")
        return kept
    check_same_pictures({first.key: first.counts, second.key: second.counts})
    ids, classes = first.counts.ids, first.counts.classes
    target = _place(first, second)
    groups: dict[str, list[np.ndarray]] = {name: [] for name in _GROUPS}
    rows = 0
    with replacing_folder(target) as folder:
        with ExitStack() as stack:
            streams = {name: stack.enter_context((folder / f"{name}.bin").open("wb")) for name in _ROWS}
            for place, (truth, argmaxes, activations) in enumerate(_readings(first, second, dataset)):
                key = np.zeros(len(truth), dtype=np.int64)
                for part in (truth, *argmaxes, *activations):
                    key = (key << 8) | part
                key, count = np.unique(key, return_counts=True)
                begins = np.flatnonzero(np.diff(key >> 16, prepend=-1))
                cell = key[begins] >> 16
                groups["image"].append(np.full(len(begins), place, dtype=np.int32))
                for shift, name in ((16, "truth"), (8, "first"), (0, "second")):
                    groups[name].append(((cell >> shift) & 255).astype(np.uint8))
                groups["start"].append(begins + rows)
                rows += len(key)
                streams["levels"].write(np.stack([(key >> 8) & 255, key & 255], axis=1).astype(np.uint8).tobytes())
                streams["count"].write(count.astype(np.uint32).tobytes())
                progress(place + 1, len(ids), f"{first.title} and {second.title}, pixel by pixel")
        groups["start"].append(np.array([rows], dtype=np.int64))
        for name, parts in groups.items():
            np.save(folder / f"{name}.npy", np.concatenate([np.zeros(0, _GROUPS[name]), *parts]).astype(_GROUPS[name]))
        write_json(folder / _HEAD, {"format": FORMAT, "rows": rows, "pictures": len(ids)})
    drop_oldest(target.parent.glob("joint-*"), keep=target)
    made = _read(target, ids, classes)
    if made is None:
        raise UserError(f"The counts that were just written to {target} cannot be read again; is the disk sound?")
    return made


def kept_joint_counts(first: Analysed, second: Analysed) -> JointCounts | None:
    """What was kept of two methods; None where there is nothing (whole). Computes nothing."""
    folder = _place(first, second)
    found = _read(folder, first.counts.ids, first.counts.classes)
    if found is not None:
        os.utime(folder)
    return found


def joint_at(
    first: Analysed,
    second: Analysed,
    before: float | None,
    after: float | None,
    dataset: Dataset,
    progress: ProgressFn = silent,
) -> Joint:
    """Where the pixels of each picture go under two methods, whatever the size of the data set.

    Of fewer than :data:`~recam_core.analysis.analysed.MANY` pictures, counts for all thresholds are kept (about three
    bytes a pixel); of more, they would fill the disk, and one pass is made for this pair of thresholds.

    Args:
        first, second: on the same pictures.
        before, after: their background thresholds, 0..1, or None.
        dataset: with these pictures.
        progress: called after each picture; may raise Cancelled.

    Raises:
        UserError: as :func:`joint_counts` and :meth:`JointCounts.at`.
    """
    if len(first.counts.ids) < MANY:
        return joint_counts(first, second, dataset, progress).at(before, after)
    check_same_pictures({first.key: first.counts, second.key: second.counts})
    lowest = [lowest_kept(threshold) for threshold in (before, after)]
    ids, classes = first.counts.ids, first.counts.classes
    pieces = []
    for place, (truth, argmaxes, activations) in enumerate(_readings(first, second, dataset)):
        key = truth.astype(np.int32)
        for argmax, activation, least in zip(argmaxes, activations, lowest, strict=True):
            key = (key << 8) | np.where(activation >= least, argmax, 0)
        cell, count = np.unique(key, return_counts=True)
        parts = ((cell >> shift & 255).astype(np.uint8) for shift in (16, 8, 0))
        pieces.append((np.full(len(cell), place, dtype=np.int32), *parts, count.astype(np.int64)))
        progress(place + 1, len(ids), f"{first.title} and {second.title}, pixel by pixel")
    return Joint(ids, classes, *(np.concatenate(column) for column in zip(*pieces, strict=True)))


def _readings(
    first: Analysed, second: Analysed, dataset: Dataset
) -> Iterator[tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]]:
    """(truth, both arg-max classes, both activations) of the scored pixels of each picture, flat."""
    if first.band != second.band:
        raise UserError(f"{first.title} and {second.title} were counted on other pixels; count both within one band.")
    for id, mask in scored_masks(first, dataset):
        read = [argmax_and_activation(method.store[id]) for method in (first, second)]
        if any(argmax.shape != mask.shape for argmax, _ in read):
            raise UserError(f"{id} has another size than its maps; make them again.")
        scored = scored_pixels(mask, first.counts.classes.has_background)
        yield mask[scored], [argmax[scored] for argmax, _ in read], [activation[scored] for _, activation in read]


def _merged(
    ids: tuple[str, ...],
    classes: ClassList,
    image: np.ndarray,
    truth: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    pixels: np.ndarray,
) -> Joint:
    """Equal entries put together: pixels that a method leaves to the background had different arg-max classes."""
    key = ((image.astype(np.int64) << 8 | truth) << 8 | before) << 8 | after
    key, inverse = np.unique(key, return_inverse=True)
    # Sums are exact: float64 holds whole numbers up to 2^53.
    sums = np.bincount(inverse.ravel(), weights=pixels, minlength=len(key)).astype(np.int64)
    truth, before, after = ((key >> shift & 255).astype(np.uint8) for shift in (16, 8, 0))
    return Joint(ids, classes, (key >> 24).astype(np.int32), truth, before, after, sums)


def _blocks(start: np.ndarray) -> Iterator[slice]:
    """Slices of groups with about :data:`ROWS_AT_ONCE` rows each."""
    at, groups = 0, len(start) - 1
    while at < groups:
        stop = int(np.searchsorted(start, start[at] + ROWS_AT_ONCE, "right")) - 1
        stop = min(max(stop, at + 1), groups)
        yield slice(at, stop)
        at = stop


def _place(first: Analysed, second: Analysed) -> Path:
    return cache_folder(is_own(first.store.info.data)) / _name(first, second)


def _name(first: Analysed, second: Analysed) -> str:
    # The folder of the maps stands for weights, rule, data and settings.
    names = (one.store.path.parent.name + ("" if one.band is None else f"|{one.band}") for one in (first, second))
    return f"joint-{hashlib.sha256(repr((FORMAT, *names)).encode()).hexdigest()[:32]}"


def _read(folder: Path, ids: tuple[str, ...], classes: ClassList) -> JointCounts | None:
    """What a folder holds, or None where it is not there or not whole: it costs nothing but time to make again."""
    try:
        head: Any = read_record(folder / _HEAD)
        groups = {name: open_mapped(folder / f"{name}.npy") for name in _GROUPS}
        rows = {
            name: (
                np.memmap(folder / f"{name}.bin", kind.base, "r").view(np.ndarray).reshape(-1, *kind.shape)
                if (folder / f"{name}.bin").stat().st_size
                else np.zeros((0, *kind.shape), kind.base)
            )
            for name, kind in _ROWS.items()
        }
    except (RecordError, *DAMAGED_ARRAYS):
        return None
    if not isinstance(head, dict) or head.get("format") != FORMAT or head.get("pictures") != len(ids):
        return None
    count, whole = len(groups["image"]), len(rows["count"])
    lengths = {name: count + (name == "start") for name in _GROUPS}
    if any(groups[name].shape != (lengths[name],) or groups[name].dtype != kind for name, kind in _GROUPS.items()):
        return None
    start = groups["start"]
    if head.get("rows") != whole or len(rows["levels"]) != whole or start[-1] != whole:
        return None
    if count and not (
        start[0] == 0
        and np.all(np.diff(start) > 0)
        and groups["image"][0] >= 0
        and np.all(np.diff(groups["image"]) >= 0)
        and groups["image"][-1] < len(ids)
        and max(groups[name].max() for name in ("truth", "first", "second")) <= len(classes)
    ):
        return None
    return JointCounts(ids, classes, **groups, activations=rows["levels"], count=rows["count"])
