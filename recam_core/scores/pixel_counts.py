"""What a scoring pass keeps of the pixels: sparse counts, from which every threshold can be scored later.

A pixel's outcome depends only on its ground truth, its arg-max class and its maximum activation, so counting pixels
by [ground truth, arg-max class, activation] holds the confusion matrix of every background threshold at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recam_core.atomic_write import replacing_file
from recam_core.data.sample import MAX_CLASSES, VOID, ClassList
from recam_core.errors import UserError
from recam_core.file_reader import DAMAGED_ARRAYS, opened_file
from recam_core.maps.activation_maps import FULL

LEVELS = FULL + 1
#: Up to so many values the histogram of a picture has room for every class; beyond, only for those that win a pixel.
#: With 21 values the larger histogram costs less than the search for winners; with 81, it cost 30 times the rest.
FEW_VALUES = 24
FORMAT_VERSION = 1
#: The columns, and the type each has here and in a saved file.
COLUMNS = {"image": np.int32, "truth": np.uint8, "argmax": np.uint8, "activation": np.uint8, "count": np.uint32}
#: What columns are called in files, where that is another name.
_IN_FILES = {"argmax": "winner", "activation": "level"}


def name_in_files(column: str) -> str:
    """What a column is called on the disk."""
    return _IN_FILES.get(column, column)


@dataclass(frozen=True)
class PictureCounts:
    """The counts of one picture: R rows of equal length, only combinations that occur.

    Attributes:
        truth: R, uint8; ground truth: 0 background, k + 1 class k.
        argmax: R, uint8; arg-max class in the same numbering, 0 where the picture has no class.
        activation: R, uint8; of that class.
        count: R, uint32; pixels.
    """

    truth: np.ndarray
    argmax: np.ndarray
    activation: np.ndarray
    count: np.ndarray


@dataclass(frozen=True)
class PixelCounts:
    """The counts of many pictures, as columns of R rows, picture after picture.

    Attributes:
        ids: N picture ids.
        classes: the classes that truth and argmax number.
        image: R, int32, ascending; position of the picture in ``ids``.
        truth, argmax, activation, count: as in :class:`PictureCounts`.
    """

    ids: tuple[str, ...]
    classes: ClassList
    image: np.ndarray
    truth: np.ndarray
    argmax: np.ndarray
    activation: np.ndarray
    count: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def total(self) -> np.ndarray:
        """The histogram of all pictures: (K+1 truth) x (K+1 argmax) x 256 levels, int64."""
        values = len(self.classes) + 1
        cell = (self.truth.astype(np.int64) * values + self.argmax) * LEVELS + self.activation
        # Counts are summed as float64, which is exact up to 2^53 pixels.
        sums = np.bincount(cell, weights=self.count, minlength=values * values * LEVELS)
        return sums.astype(np.int64).reshape(values, values, LEVELS)

    def save(self, path: str | Path) -> None:
        """Write an ``.npz`` file, whole or not at all.

        Raises:
            UserError: the file cannot be written.
        """
        with replacing_file(path) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(
                stream,
                format_version=np.int64(FORMAT_VERSION),
                ids=np.array(self.ids, dtype=np.str_),
                class_names=np.array(self.classes.names, dtype=np.str_),
                has_background=np.bool_(self.classes.has_background),
                **{name_in_files(name): getattr(self, name) for name in COLUMNS},
            )


def count_pixels(argmax: np.ndarray, activation: np.ndarray, mask: np.ndarray, classes: ClassList) -> PictureCounts:
    """Count the pixels of one picture by ground truth, arg-max class and activation.

    Args:
        argmax: H x W, uint8, and
        activation: H x W, uint8, both from :func:`recam_core.maps.activation_maps.argmax_and_activation`.
        mask: H x W, uint8 ground truth: 0 background, k + 1 class k, 255 void. Void is left out, and so is 0 in a
            data set without a background class.
        classes: the classes of the data set.

    Raises:
        UserError: maps and mask differ in size, or one of them has a class beyond K.
    """
    if mask.shape != argmax.shape:
        raise UserError(
            f"the activation maps are of a picture of {argmax.shape[1]}x{argmax.shape[0]} pixels, but the ground "
            f"truth has {mask.shape[1]}x{mask.shape[0]}; make the maps again from this data"
        )
    values = len(classes) + 1
    if argmax.max() >= values or np.any((mask >= values) & (mask != VOID)):
        highest = max(int(argmax.max()), int(mask[mask != VOID].max(initial=0)))
        raise UserError(f"there is the class id {highest}, but the data set has only {len(classes)} classes")
    occurring = np.arange(values) if values <= FEW_VALUES else np.flatnonzero(np.bincount(argmax.ravel()))
    cell = np.minimum(mask, values).astype(np.int32)  # void comes behind the last class
    cell *= len(occurring)
    if len(occurring) == values:
        cell += argmax
    else:
        places = np.zeros(values, dtype=np.int32)
        places[occurring] = np.arange(len(occurring))
        cell += places.take(argmax)
    cell *= LEVELS
    cell += activation
    width = len(occurring) * LEVELS
    histogram = np.bincount(cell.ravel(), minlength=(values + 1) * width)
    if not classes.has_background:
        histogram[:width] = 0
    filled = np.flatnonzero(histogram[: values * width])
    pair = filled // LEVELS
    return PictureCounts(
        (pair // len(occurring)).astype(np.uint8),
        occurring[pair % len(occurring)].astype(np.uint8),
        (filled % LEVELS).astype(np.uint8),
        histogram[filled].astype(np.uint32),
    )


def join(ids: Sequence[str], pictures: Sequence[PictureCounts], classes: ClassList) -> PixelCounts:
    """The counts of all pictures in one set of columns."""
    rows = [len(picture.count) for picture in pictures]
    columns = {
        name: np.concatenate([np.zeros(0, dtype=kind), *(getattr(picture, name) for picture in pictures)])
        for name, kind in COLUMNS.items()
        if name != "image"
    }
    image = np.repeat(np.arange(len(pictures), dtype=np.int32), rows)
    return PixelCounts(tuple(ids), classes, image, **columns)


def load_counts(path: str | Path) -> PixelCounts:
    """Read what :meth:`PixelCounts.save` wrote.

    Raises:
        UserError: the file is missing, truncated, or something else.
    """
    wrong = f"{path} is not a whole file of pixel counts, as `evaluate --parts` writes it"
    try:
        with opened_file(path) as (stream, _), np.load(stream, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
        names, ids = arrays["class_names"].tolist(), tuple(arrays["ids"].tolist())
        columns = {name: arrays[name_in_files(name)] for name in COLUMNS}
        version, has_background = arrays["format_version"].item(), bool(arrays["has_background"].item())
    except (*DAMAGED_ARRAYS, AttributeError) as error:
        raise UserError(f"{wrong}: it is truncated or of another kind.") from error
    if version != FORMAT_VERSION:
        raise UserError(f"{wrong}: it has format version {version}, this program reads {FORMAT_VERSION}.")
    columns_fit = all(columns[name].dtype == kind and columns[name].ndim == 1 for name, kind in COLUMNS.items())
    if not columns_fit or len({len(column) for column in columns.values()}) != 1:
        raise UserError(f"{wrong}: its columns do not belong together.")
    image = columns["image"]
    values_fit = not len(image) or (
        image[0] >= 0
        and image[-1] < len(ids)
        and np.all(np.diff(image) >= 0)
        and max(columns["truth"].max(), columns["argmax"].max()) <= len(names)
    )
    if not isinstance(names, list) or not 0 < len(names) <= MAX_CLASSES or not values_fit:
        raise UserError(f"{wrong}: its numbers are out of range.")
    return PixelCounts(ids, ClassList(tuple(names), has_background), **columns)
