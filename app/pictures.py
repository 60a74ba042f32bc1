"""The picture that is being looked at, wherever it came from."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from app.datasets import sample_of
from app.settings import LONGEST_SIDE, PHOTO_MB, UPLOAD_LIMITS
from app.shared_state import UPLOADED
from recam_core.data.check import picture_notes
from recam_core.data.match_classes import ClassMatch
from recam_core.data.sample import VOID, ClassList, Dataset, Sample
from recam_core.data.upload import fit_mask, fit_photo, read_upload
from recam_core.errors import UserError

#: Where a picture is taken from, in the words of the pages.
FROM_SET, OWN_PHOTO = "Pictures", "Your photo"
#: Uploads that a session keeps decoded: one photo in the classes of each of a few families.
_UPLOADS = 8


@dataclass(frozen=True)
class Picture:
    """One picture, ready to be looked at.

    Attributes:
        title: what the page calls it.
        image: H x W x 3, uint8; no side longer than ``LONGEST_SIDE``.
        mask: H x W uint8 in the classes of the family, or None.
        labels: indices of the classes that are known to be present; empty where nothing is known.
        notes: sentences about what was changed on the way.
        key: stands for the content of ``image`` in caches.
        source: (specification, id) of a picture of a data set in that set's own classes and size; None for others.
    """

    title: str
    image: np.ndarray
    mask: np.ndarray | None
    labels: tuple[int, ...]
    notes: tuple[str, ...]
    key: str
    source: tuple[str, str] | None = None

    @property
    def truth(self) -> np.ndarray | None:
        """The mask, where errors can be told by it: some pixel has a ground truth that counts."""
        return self.mask if self.mask is not None and (self.mask != VOID).any() else None

    @property
    def key_with_mask(self) -> str:
        """Stands for the content of ``image`` and ``mask`` in caches."""
        digest = None if self.mask is None else hashlib.blake2b(self.mask.tobytes(), digest_size=8).hexdigest()
        return f"{self.key}:{digest}"

    @property
    def has_truth(self) -> bool:
        """Whether errors can be told."""
        return self.truth is not None


def picture_of_set(dataset: Dataset, index: int, match: ClassMatch) -> Picture:
    """A picture of a data set, in the classes of the family.

    Raises:
        UserError: the picture is broken.
    """
    sample = sample_of(dataset, index)
    mask = None if sample.mask is None else match.mask(sample.mask)
    notes = picture_notes(dataset, index, sample.mask)
    picture = _picture(Sample(sample.id, sample.image, match.labels(sample.labels), mask), notes)
    as_it_is = match.is_same and picture.image.shape == sample.image.shape
    return replace(picture, source=(dataset.spec, sample.id)) if as_it_is else picture


def photo_uploader(key: str, on_change: Callable[[], None] | None = None) -> UploadedFile | None:
    """The field for a photo of one's own.

    Args:
        key: of the widget.
        on_change: called when a photo is put in or taken away by hand, not where the page is left and opened again.
    """
    return st.file_uploader(
        "Photo",
        max_upload_size=PHOTO_MB,
        key=key,
        on_change=on_change,
        help="JPEG, PNG, WebP, BMP, GIF or TIFF, at least 8 x 8 pixels. It stays in this computer's memory and is not "
        "kept.",
    )


def picture_of_upload(photo: bytes, name: str, mask: bytes | None, mask_name: str, classes: ClassList) -> Picture:
    """An uploaded photograph, optionally with a mask PNG in the classes of the family.

    It is decoded once: every rerun of a page asks for it, and the session keeps the last few, and what was wrong with
    others, by their content.

    Raises:
        UserError: see :func:`recam_core.data.upload.read_upload`.
    """
    contents = (None if one is None else hashlib.blake2b(one, digest_size=16).digest() for one in (photo, mask))
    key = (*contents, name, mask_name, classes)
    kept: dict[tuple, Picture | UserError] = UPLOADED.setdefault({})
    if (found := kept.pop(key, None)) is None:
        try:
            found = _picture(*read_upload(photo, name, classes, UPLOAD_LIMITS, mask, mask_name, apart=True))
        except UserError as error:
            found = error
    kept[key] = found  # the last one asked for is the last one to go
    for old in list(kept)[:-_UPLOADS]:
        del kept[old]
    if isinstance(found, UserError):
        raise found
    return found


def _picture(sample: Sample, notes: tuple[str, ...]) -> Picture:
    image = np.ascontiguousarray(fit_photo(sample.image, LONGEST_SIDE))
    (height, width), (was_height, was_width) = image.shape[:2], sample.image.shape[:2]
    if (height, width) != (was_height, was_width):
        notes = (*notes, f"Shown and computed at {width} x {height} pixels instead of {was_width} x {was_height}.")
    digest = hashlib.blake2b(image.tobytes(), digest_size=16)
    digest.update(repr(image.shape).encode())
    return Picture(
        title=sample.id,
        image=image,
        mask=None if sample.mask is None else fit_mask(sample.mask, LONGEST_SIDE),
        labels=tuple(np.flatnonzero(sample.labels).tolist()),
        notes=notes,
        key=digest.hexdigest(),
    )
