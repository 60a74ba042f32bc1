"""The training images of an epoch as a torch data set: the same views for the same seed, whoever loads them."""

import numpy as np
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import default_collate

from recam_core.data.sample import Dataset, Sample
from recam_core.method.step import batch_pairs
from recam_core.train.augment import augment
from recam_core.train.recipe import Recipe

#: Decoded pictures are kept in memory while they fit: drawing or decoding them each epoch costs more than it saves.
CACHE_BYTES = 1 << 30


class AugmentedViews(TorchDataset):
    """Random views of a data set's pictures.

    Each view's randomness comes from (seed, epoch, index) alone, so it depends neither on the number of loader
    processes nor on what was trained before a restart.
    """

    def __init__(self, dataset: Dataset, recipe: Recipe, fill: tuple[int, int, int], with_masks: bool) -> None:
        self.dataset = dataset
        self.recipe = recipe
        self.fill = fill
        self.with_masks = with_masks
        self._kept: dict[int, Sample] = {}
        self._bytes = 0
        self._most_bytes = CACHE_BYTES

    def share_memory(self, processes: int) -> None:
        """Let each of so many processes keep its part of what may be kept."""
        self._most_bytes = CACHE_BYTES // processes

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """crop x crop x 3 uint8 view, K float32 labels, crop x crop uint8 mask (0 x 0 where none is needed).

        Args:
            key: (epoch, index of the picture).
        """
        epoch, index = key
        sample = self._sample(index)
        rng = np.random.default_rng((self.recipe.seed, epoch, index))
        mask = sample.mask if self.with_masks else None
        view, truth = augment(sample.image, mask, self.recipe, self.fill, rng)
        empty = np.zeros((0, 0), dtype=np.uint8)
        return view, sample.labels.astype(np.float32), empty if truth is None else truth

    def _sample(self, index: int) -> Sample:
        if index in self._kept:
            return self._kept[index]
        sample = self.dataset.load(index)
        size = sample.image.nbytes * 4 // 3
        if self._bytes + size <= self._most_bytes:
            self._kept[index] = sample
            self._bytes += size
        return sample


def collate(items: list[tuple[np.ndarray, np.ndarray, np.ndarray]], with_row: bool = False) -> list:
    """Stack views, labels and masks, and count out the pairs; PIL's arrays are read-only, so each is copied on the way.

    Args:
        items: of :class:`AugmentedViews`.
        with_row: whether FC2 has a background row.

    Returns:
        B x crop x crop x 3, B x K, B x crop x crop (or B x 0 x 0), and the :class:`~recam_core.method.step.BatchPairs`.
    """
    images, labels, truth = default_collate([tuple(np.array(part) for part in item) for item in items])
    return [images, labels, truth, batch_pairs(labels, with_row)]
