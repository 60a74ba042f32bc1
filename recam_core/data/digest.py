"""What stands for a whole data set: the labels of all its pictures, kept on disk, and a digest.

Reading the labels off 80,000 masks takes minutes, and is done once.
"""

import hashlib
import os
from pathlib import Path

import numpy as np

from recam_core.atomic_write import replacing_file
from recam_core.cache import cache_folder, drop_oldest
from recam_core.data.sample import Dataset, label_matrix
from recam_core.errors import UserError
from recam_core.file_reader import DAMAGED_ARRAYS
from recam_core.guest import is_own
from recam_core.progress import ProgressFn, silent

#: Bump when what is kept changes.
FORMAT = 1
#: Labels of fewer pictures are read each time.
FEW = 500
#: How much room kept labels may take together; those of 80,000 pictures and 80 classes have less than 1 MB.
MOST_BYTES = 64 << 20
#: How many pictures enter a digest.
PROBES = 8


def all_labels(dataset: Dataset, progress: ProgressFn = silent) -> np.ndarray:
    """N x K bool: the image-level labels of the whole data set; kept ones, or else read now and kept.

    Args:
        dataset: the pictures.
        progress: called after each picture that is read; may raise Cancelled.

    Raises:
        BrokenItem: (a UserError) of a picture whose label cannot be read.
    """
    path = _path(dataset)
    labels = None if path is None else _read(path, dataset)
    if labels is None:
        labels = label_matrix(dataset, progress)
        if path is not None:
            _keep(path, labels)
    return labels


def kept_labels(dataset: Dataset) -> np.ndarray | None:
    """N x K bool: what :func:`all_labels` gives, if that needs no reading of pictures' files; None otherwise."""
    path = _path(dataset)
    return None if path is None else _read(path, dataset)


def _path(dataset: Dataset) -> Path | None:
    """The file for the labels of this data set as it is now; None where they are not kept."""
    stamp = getattr(dataset, "label_stamp", None)
    if stamp is None or len(dataset) < FEW or (text := stamp()) is None:
        return None
    key = hashlib.sha256(f"{FORMAT}\0{dataset.spec}\0{text}\0{dataset.classes}\0".encode())
    key.update("\n".join(dataset.ids).encode())
    return cache_folder(is_own(dataset.spec)) / f"labels-{key.hexdigest()[:32]}.npz"


def _read(path: Path, dataset: Dataset) -> np.ndarray | None:
    try:
        with np.load(path, allow_pickle=False) as content:
            bits = content["bits"]
        os.utime(path)
    except DAMAGED_ARRAYS:
        return None  # not there, or not whole: then they are read again
    shape = (len(dataset), len(dataset.classes))
    if bits.dtype != np.uint8 or bits.shape != (shape[0], -(-shape[1] // 8)):
        return None
    return np.unpackbits(bits, axis=1, count=shape[1]).astype(bool)


def _keep(path: Path, labels: np.ndarray) -> None:
    try:
        with replacing_file(path) as temporary, temporary.open("wb") as stream:
            np.savez_compressed(stream, bits=np.packbits(labels, axis=1))
    except UserError:
        return  # no room or no right to write: nothing is lost but the time of reading them again
    drop_oldest(path.parent.glob("labels-*"), keep=path, most=MOST_BYTES)


def dataset_digest(dataset: Dataset, labels: np.ndarray | None = None) -> str:
    """64 hexadecimal digits that change with the specification, ids, labels, pictures, or how masks are read.

    The pixels of a few pictures enter, so that another picture under an old name is noticed in all but contrived
    cases without reading the whole data set.

    Args:
        dataset: the pictures.
        labels: N x K bool, what :func:`~recam_core.data.digest.all_labels` gives, if it is at hand.

    Raises:
        UserError: one of the pictures that are read is broken.
    """
    digest = hashlib.sha256(f"{dataset.spec}\0".encode())
    digest.update("\n".join(dataset.ids).encode())
    digest.update(getattr(dataset, "mask_reading", "").encode())
    digest.update(np.packbits(all_labels(dataset) if labels is None else labels).tobytes())
    if len(dataset):
        for index in np.unique(np.linspace(0, len(dataset) - 1, PROBES).round().astype(int)).tolist():
            digest.update(np.ascontiguousarray(dataset.load(index).image).tobytes())
    return digest.hexdigest()


def mask_stamp(dataset: Dataset) -> str:
    """A text that changes when a mask of the ground truth may have changed; "" where masks are no files."""
    stamp = getattr(dataset, "mask_stamp", None)
    return "" if stamp is None else stamp()
