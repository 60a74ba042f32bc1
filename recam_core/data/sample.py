"""The one form in which every data set hands out its pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from recam_core.errors import UserError
from recam_core.progress import ProgressFn, silent

#: Mask value of pixels that no score counts.
VOID = 255
#: Mask value of the background, in data sets that have one. Class k (from 0) has the mask value k + 1.
BACKGROUND = 0
#: Mask values are 8-bit, 0 and 255 are taken.
MAX_CLASSES = 254


@dataclass(frozen=True)
class ClassList:
    """The classes of a data set.

    Attributes:
        names: K names; class k is ``names[k]`` and has the mask value k + 1.
        has_background: whether pixels outside every class are labelled as background (mask value 0). Without
            it (as in MSRC) each pixel belongs to a class or is void, and scores run over the K classes alone.
    """

    names: tuple[str, ...]
    has_background: bool = True

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Sample:
    """One picture.

    Attributes:
        id: unique within its data set.
        image: H x W x 3, uint8, RGB.
        labels: K, bool; which classes the picture contains (the image-level label).
        mask: H x W, uint8 with 0 background, k + 1 class k, 255 void; or None.
    """

    id: str
    image: np.ndarray
    labels: np.ndarray
    mask: np.ndarray | None = None


#: What may be wrong with a data set, for counting: the kinds of faults of docs/data.md.
FaultKind = Literal[
    "missing file",
    "damaged file",
    "size mismatch",
    "unclear rotation",
    "class in no mask",
    "class out of range",
    "no label",
    "duplicate id",
    "unknown id",
    "annotation left out",
    "other",
]


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a data set: the file (or the id) it was found in, a sentence, and its kind."""

    where: str
    message: str
    kind: FaultKind = "other"

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


class BrokenItem(UserError):
    """A picture of a data set cannot be used; the message is the one that ``data check`` prints."""

    def __init__(self, fault: Fault):
        super().__init__(str(fault))
        self.fault = fault


@runtime_checkable
class Dataset(Protocol):
    """What each loader offers. Opening one is cheap: pictures are read only when they are asked for.

    Attributes:
        spec: the specification string that opens this data set again.
        classes: its classes.
        ids: one id a picture, in a fixed order.
        has_masks: whether (at least some) pictures have ground-truth masks.
    """

    @property
    def spec(self) -> str: ...

    @property
    def classes(self) -> ClassList: ...

    @property
    def ids(self) -> Sequence[str]: ...

    @property
    def has_masks(self) -> bool: ...

    def __len__(self) -> int: ...

    def labels(self, index: int) -> np.ndarray:
        """K bools: the image-level label, without decoding the photo. Raises BrokenItem."""

    def mask(self, index: int) -> np.ndarray | None:
        """H x W uint8 ground truth, or None where the picture has none. Raises BrokenItem."""

    def load(self, index: int) -> Sample:
        """The whole picture. Raises BrokenItem."""

    def faults(self, progress: ProgressFn = silent) -> Iterator[Fault]:
        """Read everything and yield each fault: what ``data check`` lists."""


def picture_index(dataset: Dataset, id: str | None = None) -> int:
    """The place of the picture ``id`` in a data set, of the first one where none is named. Raises UserError."""
    if id is None:
        return 0
    if id not in dataset.ids:
        raise UserError(f"{dataset.spec} has no picture {id!r}; its first one is {dataset.ids[0]!r}.")
    return list(dataset.ids).index(id)


def label_matrix(dataset: Dataset, progress: ProgressFn = silent) -> np.ndarray:
    """N x K bool: the image-level labels of the whole data set."""
    rows = np.zeros((len(dataset), len(dataset.classes)), dtype=bool)
    for index in range(len(dataset)):
        rows[index] = dataset.labels(index)
        progress(index + 1, len(dataset), "reading labels")
    return rows
