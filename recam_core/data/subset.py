"""A part of a data set, and the fixed partition by which settings are chosen on a part of train."""

import hashlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from recam_core.data.sample import BrokenItem, Dataset, Fault, Sample
from recam_core.errors import UserError
from recam_core.progress import ProgressFn, silent

#: ``@SPLIT.fit`` and ``@SPLIT.select``.
PARTS = ("fit", "select")
#: One picture in so many belongs to ``select``.
SELECT_ONE_IN = 5
_GOLDEN = (1 + 5**0.5) / 2


class Subset:
    """Some pictures of a data set, in the given order, as a data set of its own.

    Args:
        dataset: where the pictures come from.
        indices: which ones, as indices into ``dataset``.
        spec: the specification that opens this subset again.
    """

    def __init__(self, dataset: Dataset, indices: Sequence[int], spec: str):
        self.dataset = dataset
        self.indices = [int(index) for index in indices]
        self.spec = spec
        self.classes = dataset.classes
        self.ids = [dataset.ids[index] for index in self.indices]
        self.has_masks = dataset.has_masks
        self.notes: tuple[str, ...] = tuple(getattr(dataset, "notes", ()))

    def __len__(self) -> int:
        return len(self.indices)

    def labels(self, index: int) -> np.ndarray:
        return self.dataset.labels(self.indices[index])

    @property
    def photo_path(self) -> Callable[[int], str] | None:
        """See :meth:`recam_core.data.photo_dataset.PhotoDataset.photo_path`; None where pictures are no files."""
        path_of = getattr(self.dataset, "photo_path", None)
        return None if path_of is None else lambda index: path_of(self.indices[index])

    def label_stamp(self) -> str | None:
        """See :meth:`recam_core.data.photo_dataset.PhotoDataset.label_stamp`."""
        stamp = getattr(self.dataset, "label_stamp", None)
        return None if stamp is None else stamp()

    def mask_stamp(self) -> str:
        """See :meth:`recam_core.data.photo_dataset.PhotoDataset.mask_stamp`: of the whole data set."""
        stamp = getattr(self.dataset, "mask_stamp", None)
        return "" if stamp is None else stamp()

    def picture_stamp(self, index: int) -> str:
        """See :meth:`recam_core.data.photo_dataset.PhotoDataset.picture_stamp`; "" for pictures that are no files."""
        stamp = getattr(self.dataset, "picture_stamp", None)
        return "" if stamp is None else stamp(self.indices[index])

    def background_notes(self) -> list[str]:
        """See :meth:`recam_core.data.photo_dataset.PhotoDataset.background_notes`."""
        notes = getattr(self.dataset, "background_notes", None)
        return [] if notes is None else notes()

    def mask(self, index: int) -> np.ndarray | None:
        return self.dataset.mask(self.indices[index])

    def load(self, index: int) -> Sample:
        return self.dataset.load(self.indices[index])

    def size(self, index: int) -> tuple[int, int]:
        """(height, width), from the header where the data set can tell without decoding."""
        size = getattr(self.dataset, "size", None)
        if size is None:
            return self.load(index).image.shape[:2]
        return size(self.indices[index])

    def listing_faults(self, index: int) -> list[Fault]:
        """What the data set can tell about an item without decoding its picture."""
        listing = getattr(self.dataset, "listing_faults", None)
        return [] if listing is None else listing(self.indices[index])

    def item_faults(self, index: int) -> list[Fault]:
        """Everything that is wrong with an item."""
        whole = getattr(self.dataset, "item_faults", None)
        if whole is not None:
            return whole(self.indices[index])
        try:
            self.load(index)
        except BrokenItem as error:
            return [error.fault]
        return []

    def turn_note(self, index: int) -> str:
        """See :meth:`recam_core.data.photo_dataset.PhotoDataset.turn_note`."""
        note = getattr(self.dataset, "turn_note", None)
        return "" if note is None else note(self.indices[index])

    def mask_notes(self, *most: int) -> list[str]:
        """See :meth:`recam_core.data.photo_dataset.PhotoDataset.mask_notes`: of the whole data set."""
        notes = getattr(self.dataset, "mask_notes", None)
        return [] if notes is None else notes(*most)

    @property
    def mask_reading(self) -> str:
        """See :meth:`recam_core.data.photo_dataset.PhotoDataset.mask_reading`."""
        return getattr(self.dataset, "mask_reading", "")

    def faults(self, progress: ProgressFn = silent) -> Iterator[Fault]:
        of_some = getattr(self.dataset, "faults_of", None)
        if of_some is not None:
            yield from of_some(self.indices, progress)
            return
        for index in range(len(self)):
            yield from self.item_faults(index)
            progress(index + 1, len(self), "reading pictures")


def part_of(identifier: str) -> str:
    """``select`` for about one id in five, else ``fit``: by a hash of the id, so the same on every machine.

    A picture stays in its part when others are added or removed, unlike in a shuffled cut.
    """
    number = int.from_bytes(hashlib.sha256(identifier.encode("utf-8")).digest()[:8], "big")
    return "select" if number % SELECT_ONE_IN == 0 else "fit"


def take_part(dataset: Dataset, part: str, spec: str) -> Subset:
    """The ``fit`` or ``select`` part of a data set.

    Raises:
        UserError: unknown part, or no picture falls into it.
    """
    if part not in PARTS:
        raise UserError(f"There is no part '{part}'; a split divides into {' and '.join(PARTS)}.")
    indices = [index for index, identifier in enumerate(dataset.ids) if part_of(identifier) == part]
    if not indices:
        raise UserError(f"{spec}: the split is so small ({len(dataset)} pictures) that its part '{part}' is empty.")
    return Subset(dataset, indices, spec)


def spread(dataset: Dataset, count: int) -> Dataset:
    """So many pictures of a data set, evenly spread over it; all where there are no more.

    Those of a smaller number are among those of a larger one, so that maps of the larger serve both: the pictures
    whose place has the least fractional part once it is multiplied by the golden ratio. By the theorem of three gaps
    these lie evenly, and in step with no period of the data.

    Raises:
        UserError: fewer than 1.
    """
    if count < 1:
        raise UserError(f"{count} is no number of pictures; take 1 or more.")
    if count >= len(dataset):
        return dataset
    order = np.argsort(np.arange(len(dataset)) * _GOLDEN % 1, kind="stable")
    return Subset(dataset, np.sort(order[:count]).tolist(), dataset.spec)
