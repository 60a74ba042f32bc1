"""Telling whether a data set is still the one that something was computed from."""

import hashlib

import numpy as np

from recam_core.data.sample import Dataset, label_matrix

#: How many pictures are read.
PROBES = 8


def dataset_digest(dataset: Dataset) -> str:
    """64 hexadecimal digits that change with the specification, the ids, the labels or the pictures.

    The pixels of a few pictures enter, so that another picture under an old name is noticed in all but contrived
    cases without reading the whole data set.

    Raises:
        UserError: one of the pictures that are read is broken.
    """
    digest = hashlib.sha256(f"{dataset.spec}\0".encode())
    digest.update("\n".join(dataset.ids).encode())
    digest.update(np.packbits(label_matrix(dataset)).tobytes())
    if len(dataset):
        for index in np.unique(np.linspace(0, len(dataset) - 1, PROBES).round().astype(int)).tolist():
            digest.update(np.ascontiguousarray(dataset.load(index).image).tobytes())
    return digest.hexdigest()
