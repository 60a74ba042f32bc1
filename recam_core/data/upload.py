"""A photograph that somebody hands in, optionally with a mask, as a :class:`Sample`."""

import numpy as np

from recam_core.data.decode_apart import read_photo_apart
from recam_core.data.image_io import UPRIGHT, PhotoLimits, read_photo, stored_form, turned
from recam_core.data.mask_io import MaskError, read_mask
from recam_core.data.notes import NO_CLASS
from recam_core.data.sample import BACKGROUND, VOID, ClassList, Sample


def read_upload(
    photo: bytes,
    name: str,
    classes: ClassList,
    limits: PhotoLimits,
    mask: bytes | None = None,
    mask_name: str = "the mask",
    *,
    apart: bool = False,
) -> tuple[Sample, tuple[str, ...]]:
    """Decode an upload and check that its mask belongs to it.

    Args:
        photo: the bytes of the photograph's file.
        name: its name, for messages and as the id.
        classes: what the mask's values mean.
        limits: what is too small or too large.
        mask: the bytes of an indexed or grey PNG: 0 background, k + 1 class k, 255 void.
        mask_name: its name, for messages.
        apart: decode a photograph that may take long in a process of its own; for what strangers bring. (A mask is a
            PNG, and within the limits cheap.)

    Returns:
        The sample, and a sentence for each thing that was changed on the way. The labels are those of the mask;
        without one, none is set. For classes without a background, background pixels of the mask become void.

    Raises:
        UserError: either file cannot be used, they differ in size, or the mask holds a value that is no class.
    """
    read = (read_photo_apart if apart else read_photo)(photo, limits=limits, name=name)
    labels = np.zeros(len(classes), dtype=bool)
    if mask is None:
        return Sample(name, read.image, labels, None), read.notes
    truth, notes = _turned(read_mask(mask, limits=limits, name=mask_name), photo, read.image.shape[:2], read.notes)
    (height, width), (mask_height, mask_width) = read.image.shape[:2], truth.shape
    if (height, width) != (mask_height, mask_width):
        raise MaskError(
            mask_name,
            f"the mask is {mask_width} x {mask_height} pixels, the photo (upright) {width} x {height}; "
            "they must have the same size.",
        )
    present = np.bincount(truth.ravel(), minlength=256) > 0
    labels[:] = present[1 : len(classes) + 1]
    strange = np.flatnonzero(present[len(classes) + 1 : VOID]) + len(classes) + 1
    if len(strange):
        raise MaskError(
            mask_name,
            f"the mask holds the value {strange[0]}, but there are {len(classes)} classes: 1 to {len(classes)}, "
            "0 for background, 255 for pixels that no score counts.",
        )
    if not labels.any():
        notes = (*notes, NO_CLASS)
    if not classes.has_background:
        truth = np.where(truth == BACKGROUND, np.uint8(VOID), truth)
    return Sample(name, read.image, labels, truth), notes


def _turned(
    mask: np.ndarray, photo: bytes, upright: tuple[int, int], notes: tuple[str, ...]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The mask turned with its photograph, where its size says that it was drawn on that as stored; and the notes."""
    orientation, stored = stored_form(photo)
    if orientation == UPRIGHT:
        return mask, notes
    if upright != mask.shape == stored:
        return turned(mask, orientation), (*notes, "So was the mask, which was drawn on the picture as it is stored.")
    if upright == mask.shape == stored:
        notes = (*notes, "The mask would fit either way, and is taken as drawn on the upright picture.")
    return mask, notes
