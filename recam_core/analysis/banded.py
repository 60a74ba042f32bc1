"""A method on a data set again, with only those pixels counted that lie near a contour of the ground truth.

Its maps are there; the counts are made of them once and kept beside them in the cache, a folder for each band.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from recam_core.analysis.analysed import Analysed, keep_counts, kept_counts
from recam_core.analysis.cell_index import CellIndex
from recam_core.analysis.counts_on_disk import open_counts, writing_counts
from recam_core.atomic_write import replacing_folder
from recam_core.cache import cache_folder, drop_oldest
from recam_core.data.match_classes import match_classes
from recam_core.data.sample import Dataset
from recam_core.errors import UserError
from recam_core.guest import is_own
from recam_core.progress import ProgressFn, silent
from recam_core.scores.band import check_band, within_band
from recam_core.scores.evaluate import count_maps
from recam_core.scores.pixel_counts import PixelCounts

#: Bump when what is kept, or what lies in a band, changes, so that old folders are not read.
FORMAT = 1


def kept_band(method: Analysed, band: int) -> Analysed | None:
    """What was kept of a method within a band; None where there is nothing (whole). Computes nothing.

    Raises:
        UserError: see :func:`~recam_core.scores.band.check_band`.
    """
    check_band(band)
    folder = _place(method, band)
    try:
        counts = kept_counts(folder)
    except UserError:
        return None
    if counts.ids != method.counts.ids or counts.classes != method.counts.classes:
        return None
    os.utime(folder)
    return _within(method, band, counts)


def analyse_band(method: Analysed, dataset: Dataset, band: int, progress: ProgressFn = silent) -> Analysed:
    """A method with the pixels of a band counted alone: what is kept in the cache, or else counted now and kept.

    Args:
        method: with all pixels counted.
        dataset: with its pictures, for their ground truth.
        band: the pixels that count lie within so many of a contour.
        progress: called after each picture; may raise Cancelled, which leaves nothing behind.

    Returns:
        the same maps; its title says that the band is meant, and its ``whole`` is the method that was given.

    Raises:
        UserError: no pixel lies in the band, a picture that is gone or broken, no room on the disk.
    """
    if (kept := kept_band(method, band)) is not None:
        progress(len(kept.counts), len(kept.counts), "counts from the cache")
        return kept
    target, ids = _place(method, band), method.counts.ids
    with replacing_folder(target) as temporary:
        rows = temporary / "rows"
        with writing_counts(rows, method.counts.classes) as writer:
            masks = scored_masks(replace(method, band=band), dataset)
            for done, (id, mask) in enumerate(masks, start=1):
                writer.add(id, count_maps(method.store[id], mask, method.counts.classes))
                progress(done, len(ids), f"contours of {method.title}")
        counts = open_counts(rows)
        if not len(counts.count):
            raise UserError(f"No picture of {dataset.spec} has a contour: each mask has one value alone.")
        keep_counts(counts, temporary)
        shutil.rmtree(rows)
    drop_oldest(target.parent.glob("band-*"), keep=target)
    return _within(method, band, kept_counts(target))


def scored_masks(method: Analysed, dataset: Dataset) -> Iterator[tuple[str, np.ndarray]]:
    """Id and ground truth (H x W uint8) of each picture that a method was counted on, with void beyond its band.

    Raises:
        UserError: a picture that is gone or broken.
    """
    match = match_classes(dataset.classes, method.counts.classes)
    places = {id: place for place, id in enumerate(dataset.ids)}
    for id in method.counts.ids:
        mask = dataset.mask(places[id]) if id in places else None
        if mask is None:
            raise UserError(f"{dataset.spec} has no picture {id!r} with ground truth any more; make the maps again.")
        yield id, within_band(match.mask(mask), method.band)


def _within(method: Analysed, band: int, counts: PixelCounts | CellIndex) -> Analysed:
    return replace(method, title=f"{method.title}, within {band} px", counts=counts, band=band, whole=method)


def _place(method: Analysed, band: int) -> Path:
    # The folder of the maps stands for weights, rule, data and settings.
    parts = (FORMAT, method.store.path.parent.name, band)
    name = f"band-{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"
    return cache_folder(is_own(method.store.info.data)) / name
