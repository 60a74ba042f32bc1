"""``data check``: what is wrong with a data set, what is noted of it, and what its files leave open.

The cheap part of it is what training asks first.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from recam_core.atomic_write import replacing_file
from recam_core.data.class_file import MASKS_LOOKED_AT
from recam_core.data.mask_turns import Drawn, say_drawn
from recam_core.data.sample import VOID, BrokenItem, Dataset, Fault, FaultKind
from recam_core.data.subset import Subset
from recam_core.errors import UserError
from recam_core.guest import refuse_writing
from recam_core.progress import ProgressFn, silent

#: How many faults of a kind are listed where not all are asked for.
SHOWN = 3
#: What may be open: whether there is a background, and what masks were drawn on.
Choice = Literal["background", "masks drawn on"]
#: Of a picture whose mask holds no class; what is scored of it is the background, or nothing.
NO_CLASS = "Its ground truth holds no class (0 is background, 255 void), so that scores of it say nothing of any."


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
        choices: what was decided of the set by little or nothing; it can be settled below.
    """

    spec: str
    pictures: int
    has_masks: bool
    pictures_per_class: dict[str, int]
    faults: list[Fault] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()

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
        choices=open_choices(dataset),
    )


def refuse_unscorable(dataset: Dataset) -> None:
    """See to it that there is something of a class to score: 64 masks are looked at, until one of them has some.

    Without it, the mIoU would be of the background alone, which every method gets right.

    Raises:
        UserError: none of these masks holds a pixel of a class.
    """
    values, looked = np.zeros(256, dtype=bool), 0
    for index in np.unique(np.linspace(0, len(dataset) - 1, min(len(dataset), MASKS_LOOKED_AT)).round().astype(int)):
        try:
            mask = dataset.mask(int(index))
        except BrokenItem:
            continue  # whoever reads them all says what is wrong
        if mask is not None:
            values |= np.bincount(mask.ravel(), minlength=256) > 0
            looked += 1
            if values[1 : len(dataset.classes) + 1].any():
                return
    if looked:
        void = (
            f" {VOID} means void, which no score counts: write the number of its class instead." if values[VOID] else ""
        )
        raise UserError(
            f"{dataset.spec}: there is nothing of a class to score, since the {looked} masks looked at hold only "
            f"{' and '.join(str(value) for value in np.flatnonzero(values).tolist())}.{void}"
        )


def refuse_faults(faults: Sequence[Fault], spec: str) -> None:
    """Raise what is wrong with a data set, if anything is: a single fault in its own words, more of them summed up.

    Raises:
        UserError: there are faults.
    """
    if len(faults) == 1:
        raise BrokenItem(faults[0])
    if faults:
        lines = summed_up(faults)
        raise UserError(
            "\n".join(
                [f"{spec} cannot be used: {len(faults)} faults.", *lines, f"'data check {spec}' reads everything."]
            )
        )


def summed_up(faults: Iterable[Fault], hint: str = "") -> list[str]:
    """Lines for people: each kind of fault with its count and the first three; ``hint`` stands behind "and 7 more"."""
    lines = []
    for group in by_kind(faults):
        lines.append(f"{group.kind}: {len(group.faults)}")
        lines += [f"  {fault}" for fault in group.faults[:SHOWN]]
        if len(group.faults) > SHOWN:
            lines.append(f"  and {len(group.faults) - SHOWN} more{hint}")
    return lines


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


# Sentences that are no faults -----------------------------------------------------------------------------------------


def notes_of(dataset: Dataset, most: int | None = None) -> tuple[str, ...]:
    """What opening noted, and then what takes reading masks to tell.

    Args:
        dataset: the pictures.
        most: so many masks are looked at for how they lie; None for as many as the data set itself sees fit.
    """
    background, masks = (getattr(dataset, name, None) for name in ("background_notes", "mask_notes"))
    found = [*getattr(dataset, "notes", ()), *(background() if background is not None else ())]
    if masks is not None:
        found += masks() if most is None else masks(most)
    return tuple(found)


def picture_notes(dataset: Dataset, index: int, mask: np.ndarray | None) -> tuple[str, ...]:
    """Sentences on one picture that was read: how its mask lies on it, and whether that shows anything.

    Args:
        dataset: of the picture.
        index: of the picture in it.
        mask: H x W uint8 of it in the classes of the data set, or None.
    """
    turn_note = getattr(dataset, "turn_note", None)
    notes = [] if turn_note is None else [turn_note(index)]
    if mask is not None and not np.bincount(mask.ravel(), minlength=256)[1 : len(dataset.classes) + 1].any():
        notes.append(NO_CLASS)
    return tuple(filter(None, notes))


# What files leave open, settled by a choice that is written beside them -----------------------------------------------


def open_choices(dataset: Dataset) -> tuple[Choice, ...]:
    """What was decided of a data set by little or nothing, after its masks were read."""
    found: list[Choice] = []
    if getattr(dataset, "background_notes", list)():
        found.append("background")
    whole = dataset.dataset if isinstance(dataset, Subset) else dataset
    turns = getattr(whole, "turns", None)
    if turns is not None and any(how in ("unclear", "others") for _, how in turns.met.values()):
        found.append("masks drawn on")
    return tuple(found)


def settle_background(dataset: Dataset, has_background: bool) -> None:
    """Write as the first line of classes.txt whether mask value 0 is background, or void.

    Raises:
        UserError: the set states it already, is of no folder, or its list is not a plain one; or no right to write.
    """
    whole = dataset.dataset if isinstance(dataset, Subset) else dataset
    home, listed = getattr(whole, "home", None), getattr(whole, "listed", None)
    if home is None or getattr(whole, "undeclared", None) is None:
        raise UserError(f"{dataset.spec}: whether there is a background is stated, so there is nothing to settle.")
    if listed is not None and (listed.values is not None or listed.notes):
        raise UserError(f"{dataset.spec}: the list of classes holds more than names; change it by hand.")
    refuse_writing(home)
    lines = ["background" if has_background else "void", *dataset.classes.names]
    with replacing_file(home / "classes.txt") as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def settle_drawn(dataset: Dataset, drawn: Drawn) -> None:
    """Write down what the masks of a data set were drawn on, photographs as stored or upright.

    Raises:
        UserError: the set is of no folder, or no right to write.
    """
    whole = dataset.dataset if isinstance(dataset, Subset) else dataset
    home = getattr(whole, "home", None)
    if home is None:
        raise UserError(f"{dataset.spec} is no set of photographs with masks in files, so there is nothing to settle.")
    refuse_writing(home)
    say_drawn(home, drawn)


# What a data set holds, in numbers ------------------------------------------------------------------------------------


#: Sizes are taken from so many pictures, spread evenly; reading 80,000 headers would take minutes.
SIZES_LOOKED_AT = 200
#: The same for data sets that have no headers to read, where each picture has to be made.
PICTURES_LOOKED_AT = 20


@dataclass(frozen=True)
class Summary:
    """Counts of a data set.

    Attributes:
        spec: the data set.
        pictures: how many it lists.
        broken: how many of them have no readable label.
        classes: class names.
        has_background: whether mask value 0 is a background class.
        has_masks: whether any picture has a mask.
        pictures_per_class: class name -> number of pictures with that label.
        classes_per_picture: mean number of labels.
        pairs: the classes that occur together most often: (class, other class, pictures with both, share of the
            pictures of the rarer one).
        sizes: (height, width) of the smallest, the median and the largest side, over a sample of the pictures.
        notes: sentences about what was left out.
    """

    spec: str
    pictures: int
    broken: int
    classes: tuple[str, ...]
    has_background: bool
    has_masks: bool
    pictures_per_class: dict[str, int]
    classes_per_picture: float
    pairs: list[tuple[str, str, int, float]]
    sizes: dict[str, tuple[int, int]]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def summarise(dataset: Dataset, progress: ProgressFn = silent, pairs: int = 10) -> Summary:
    """Count labels, classes that occur together, and sizes; pictures that cannot be read are counted as broken."""
    rows = np.zeros((len(dataset), len(dataset.classes)), dtype=np.int64)
    broken = 0
    for index in range(len(dataset)):
        try:
            rows[index] = dataset.labels(index)
        except BrokenItem:
            broken += 1
        progress(index + 1, len(dataset), "reading labels")
    per_class = rows.sum(axis=0)
    names = dataset.classes.names
    return Summary(
        spec=dataset.spec,
        pictures=len(dataset),
        broken=broken,
        classes=names,
        has_background=dataset.classes.has_background,
        has_masks=dataset.has_masks,
        pictures_per_class=dict(zip(names, per_class.tolist(), strict=True)),
        classes_per_picture=float(rows.sum() / max(1, len(dataset) - broken)),
        pairs=_co_occurrences(rows, per_class, names, pairs),
        sizes=_sizes(dataset),
        notes=notes_of(dataset),
    )


def _co_occurrences(
    rows: np.ndarray, per_class: np.ndarray, names: tuple[str, ...], limit: int
) -> list[tuple[str, str, int, float]]:
    together = np.triu(rows.T @ rows, k=1)
    first, second = np.nonzero(together)
    counts = together[first, second]
    order = np.argsort(-counts, kind="stable")[:limit]
    return [
        (names[a], names[b], int(together[a, b]), float(together[a, b] / min(per_class[a], per_class[b])))
        for a, b in zip(first[order], second[order], strict=True)
    ]


def _sizes(dataset: Dataset) -> dict[str, tuple[int, int]]:
    from_header = getattr(dataset, "size", None)
    count = min(SIZES_LOOKED_AT if from_header else PICTURES_LOOKED_AT, len(dataset))
    chosen = np.unique(np.linspace(0, len(dataset) - 1, count).round().astype(int))
    sizes = []
    for index in chosen:
        try:
            sizes.append(from_header(index) if from_header else dataset.load(int(index)).image.shape[:2])
        except BrokenItem:
            continue
    if not sizes:
        return {}
    table = np.array(sizes)
    return {
        name: (int(height), int(width))
        for name, (height, width) in (
            ("smallest", table.min(axis=0)),
            ("median", np.median(table, axis=0)),
            ("largest", table.max(axis=0)),
        )
    }
