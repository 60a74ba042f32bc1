"""A data set of a few small pictures in memory, for tests that train."""

from collections.abc import Iterator

import numpy as np

from recam_core.data.sample import ClassList, Fault, Sample
from recam_core.progress import ProgressFn, silent


class TinyDataset:
    """Coloured squares on grey: class k is a square of its own colour; each picture has one or two classes."""

    has_masks = True
    colours = ((220, 40, 40), (40, 200, 60), (50, 60, 220))

    def __init__(self, count: int = 8, size: int = 48, spec: str = "tiny") -> None:
        self.spec = spec
        self.classes = ClassList(("red", "green", "blue"))
        self.ids = [f"{spec}_{index}" for index in range(count)]
        self.size = size

    def __len__(self) -> int:
        return len(self.ids)

    def labels(self, index: int) -> np.ndarray:
        return self.load(index).labels

    def mask(self, index: int) -> np.ndarray:
        return self.load(index).mask

    def load(self, index: int) -> Sample:
        rng = np.random.default_rng(index)
        image = np.full((self.size, self.size, 3), 128, dtype=np.uint8)
        mask = np.zeros((self.size, self.size), dtype=np.uint8)
        half = self.size // 2
        for corner, k in enumerate(rng.choice(3, size=1 + index % 2, replace=False)):
            top, left = int(rng.integers(0, half - 8)), corner * half + int(rng.integers(0, 6))
            image[top : top + 18, left : left + 18] = self.colours[k]
            mask[top : top + 18, left : left + 18] = k + 1
        labels = np.array([(mask == k + 1).any() for k in range(3)])
        return Sample(self.ids[index], image, labels, mask)

    def faults(self, progress: ProgressFn = silent) -> Iterator[Fault]:
        yield from ()
