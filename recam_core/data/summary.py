"""``data info``: what a data set holds, in numbers."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from recam_core.data.check import notes_of
from recam_core.data.sample import BrokenItem, Dataset
from recam_core.progress import ProgressFn, silent

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
    """Count labels, companions and sizes. Pictures that cannot be read are counted as broken and passed over."""
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
        pairs=_companions(rows, per_class, names, pairs),
        sizes=_sizes(dataset),
        notes=notes_of(dataset),
    )


def _companions(
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
