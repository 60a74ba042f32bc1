"""The one rule for pictures that cannot be read: they are found first, left out, and told at the end.

A picture that is damaged in the middle of a data set would otherwise stop hours of work where it is met. Each is read
once before the work begins, which takes milliseconds a picture; of many, what was found is kept in the cache until one
of their files changes.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from recam_core.atomic_write import write_json
from recam_core.cache import cache_folder, drop_oldest
from recam_core.data.sample import BrokenItem, Dataset, Fault
from recam_core.data.subset import Subset
from recam_core.errors import UserError
from recam_core.guest import is_own
from recam_core.progress import ProgressFn, silent
from recam_core.records import RecordError, opened_record

#: What was found of fewer pictures is found again.
FEW = 500
#: How much room what is kept may take together.
MOST_BYTES = 16 << 20


def readable(dataset: Dataset, limit: int | None = None, progress: ProgressFn = silent) -> tuple[Dataset, list[Fault]]:
    """The pictures of a data set that can be used, and what is wrong with the others.

    Args:
        dataset: any; one whose pictures are no files is taken as it is.
        limit: so many pictures are enough, from the first on; None for all.
        progress: called after each picture that is read; may raise Cancelled.

    Returns:
        The data set itself where nothing is wrong, else the rest of it.

    Raises:
        UserError: more than half of the pictures cannot be used: something else is wrong.
    """
    count = len(dataset) if limit is None else min(limit, len(dataset))
    if getattr(dataset, "photo_path", None) is None:
        return dataset, []
    kept = None if count < FEW else _file(dataset, count)
    broken = None if kept is None else _read(kept)
    if broken is None:
        broken = {}
        for index in range(len(dataset)):
            if index - len(broken) == count:
                break
            try:
                dataset.load(index)
            except BrokenItem as error:
                broken[index] = error.fault
            progress(index + 1 - len(broken), count, "reading pictures")
        if kept is not None:
            _keep(kept, broken)
    if not broken:
        return dataset, []
    faults = list(broken.values())
    if 2 * len(faults) > count:
        raise UserError(
            f"{dataset.spec}: {len(faults)} of {count} pictures cannot be used. The first: {faults[0]}. "
            f"`data check {dataset.spec}` lists all."
        )
    return Subset(dataset, [index for index in range(len(dataset)) if index not in broken], dataset.spec), faults


def _file(dataset: Dataset, count: int) -> Path | None:
    """Where it is kept what was found of these very files; None where they have no stamp."""
    stamp = getattr(dataset, "picture_stamp", None)
    if stamp is None:
        return None
    found = hashlib.sha256(f"{dataset.spec}\0{dataset.classes}\0".encode())
    for index, id in enumerate(dataset.ids[:count]):
        try:
            text = stamp(index)
        except UserError as error:  # of a file that is damaged already where its size stands
            text = str(error)
        found.update(f"{id}\0{text}\0".encode())
    return cache_folder(is_own(dataset.spec)) / f"readable-{found.hexdigest()[:32]}.json"


def _read(file: Path) -> dict[int, Fault] | None:
    try:
        with opened_record(file) as values:
            return {int(index): Fault(**fault) for index, fault in values["broken"].items()}
    except RecordError:
        return None


def _keep(file: Path, broken: dict[int, Fault]) -> None:
    with suppress(UserError):  # it saves time, no more
        write_json(file, {"broken": {str(index): asdict(fault) for index, fault in broken.items()}})
        drop_oldest(file.parent.glob("readable-*"), keep=file, most=MOST_BYTES)


def told(faults: Sequence[Fault], shown: int = 10) -> str:
    """What was left out, in words, one a line."""
    lines = [f"Left out, since they cannot be read ({len(faults)}):", *(f"  {fault}" for fault in faults[:shown])]
    if len(faults) > shown:
        lines.append(f"  and {len(faults) - shown} more; `data check` lists all")
    return "\n".join(lines)
