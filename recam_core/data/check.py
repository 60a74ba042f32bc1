"""``data check``: everything that is wrong with a data set, and the cheap part of it that training asks first."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from recam_core.data.notes import notes_of
from recam_core.data.sample import BrokenItem, Dataset, Fault, FaultKind
from recam_core.progress import ProgressFn, silent


@dataclass(frozen=True)
class CheckReport:
    """What reading a whole data set showed.

    Attributes:
        spec: the data set.
        pictures: how many it lists.
        has_masks: whether any has a mask.
        pictures_per_class: class name -> how many readable pictures carry it as a label.
        faults: everything wrong, in order.
        notes: sentences that are no faults.
    """

    spec: str
    pictures: int
    has_masks: bool
    pictures_per_class: dict[str, int]
    faults: list[Fault] = field(default_factory=list)
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class FaultGroup:
    """All faults of one kind.

    Attributes:
        kind: what they have in common.
        faults: in the order in which they were found.
    """

    kind: FaultKind
    faults: tuple[Fault, ...]


def by_kind(faults: Iterable[Fault]) -> list[FaultGroup]:
    """The faults by kind, the most frequent first; of equally frequent ones the one that was found first."""
    found: dict[FaultKind, list[Fault]] = {}
    for fault in faults:
        found.setdefault(fault.kind, []).append(fault)
    groups = [FaultGroup(kind, tuple(of_kind)) for kind, of_kind in found.items()]
    return sorted(groups, key=lambda group: -len(group.faults))


def check_dataset(
    dataset: Dataset, progress: ProgressFn = silent, on_fault: Callable[[Fault], None] | None = None
) -> CheckReport:
    """Read everything; ``on_fault`` hears of each fault as soon as it is found."""
    faults = []
    for fault in dataset.faults(progress):
        faults.append(fault)
        if on_fault is not None:
            on_fault(fault)
    counts = np.zeros(len(dataset.classes), dtype=np.int64)
    for index in range(len(dataset)):
        try:
            counts += dataset.labels(index)
        except BrokenItem:
            continue  # listed above
    return CheckReport(
        spec=dataset.spec,
        pictures=len(dataset),
        has_masks=dataset.has_masks,
        pictures_per_class=dict(zip(dataset.classes.names, counts.tolist(), strict=True)),
        faults=faults,
        notes=notes_of(dataset),
    )


def listing_faults(dataset: Dataset, progress: ProgressFn = silent) -> list[Fault]:
    """What can be told without decoding a photograph: missing files, duplicate and unknown ids, missing labels.

    Training calls this before its first epoch. Masks are read only where image-level labels have to come from
    them; those labels are kept, so that asking for them again costs nothing. A data set without files (scenes)
    has none of these faults.
    """
    item_listing = getattr(dataset, "listing_faults", None)
    if item_listing is None:
        return []
    found: list[Fault] = []
    for index in range(len(dataset)):
        found += item_listing(index)
        progress(index + 1, len(dataset), "looking through the lists")
    return found
