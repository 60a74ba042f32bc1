"""Telling whether a data set is still the one that something was computed from."""

import hashlib

import numpy as np

from recam_core.data.kept_labels import all_labels
from recam_core.data.sample import Dataset

#: How many pictures are read.
PROBES = 8


def dataset_digest(dataset: Dataset, labels: np.ndarray | None = None) -> str:
    """64 hexadecimal digits that change with the specification, ids, labels, pictures, or how masks are read.

    The pixels of a few pictures enter, so that another picture under an old name is noticed in all but contrived
    cases without reading the whole data set.

    Args:
        dataset: the pictures.
        labels: N x K bool, what :func:`~recam_core.data.kept_labels.all_labels` gives, if it is at hand.

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
