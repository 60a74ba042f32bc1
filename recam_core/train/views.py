"""The training images of an epoch: random views, the same for the same seed, whoever loads them, and their batches."""

import os
from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from PIL import Image, ImageOps
from torch.utils.data import DataLoader, Sampler, default_collate
from torch.utils.data import Dataset as TorchDataset
from torchvision.transforms.v2 import functional as TF

from recam_core import ranks
from recam_core.data.sample import VOID, Dataset, Sample
from recam_core.method.step import batch_pairs
from recam_core.train.recipe import Recipe


def augment(
    image: np.ndarray, mask: np.ndarray | None, recipe: Recipe, fill: tuple[int, int, int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray | None]:
    """One random view of an image, as the published experiments take it.

    Args:
        image: H x W x 3 uint8.
        mask: H x W uint8 or None.
        recipe: gives the range of sizes, the jitter and the crop.
        fill: colour of the padding; the mean that the network subtracts, so that it becomes zero.
        rng: the only source of randomness.

    Returns:
        crop x crop x 3 uint8, and crop x crop uint8 (padding is void) or None.
    """
    low, high = recipe.resize_long
    height, width = image.shape[:2]
    factor = rng.integers(low, high + 1) / max(height, width)
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    photo = Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)
    truth = None if mask is None else Image.fromarray(mask).resize(size, Image.Resampling.NEAREST)
    if rng.random() < 0.5:
        photo = ImageOps.mirror(photo)
        truth = None if truth is None else ImageOps.mirror(truth)
    # Crop before the colours change: what is cut away needs none.
    left, top = (_offset(length, recipe.crop, rng) for length in size)
    box = (left, top, left + recipe.crop, top + recipe.crop)
    inside = (max(left, 0), max(top, 0), min(box[2], size[0]), min(box[3], size[1]))
    corner = (inside[0] - left, inside[1] - top)
    canvas = Image.new("RGB", (recipe.crop, recipe.crop), fill)
    canvas.paste(_jitter(photo.crop(inside), recipe.jitter, rng), corner)
    if truth is None:
        return np.asarray(canvas), None
    labels = Image.new("L", (recipe.crop, recipe.crop), VOID)
    labels.paste(truth.crop(inside), corner)
    return np.asarray(canvas), np.asarray(labels)


def _offset(length: int, crop: int, rng: np.random.Generator) -> int:
    """Where the crop begins: inside a longer image, before a shorter one."""
    slack = length - crop
    return int(rng.integers(min(slack, 0), max(slack, 0) + 1))


def _jitter(photo: Image.Image, strengths: tuple[float, ...], rng: np.random.Generator) -> Image.Image:
    """Brightness, contrast, saturation and hue, each by a random amount and in random order."""
    brightness, contrast, saturation, hue = strengths
    change = [
        (TF.adjust_brightness, 1 + brightness * rng.uniform(-1, 1), brightness),
        (TF.adjust_contrast, 1 + contrast * rng.uniform(-1, 1), contrast),
        (TF.adjust_saturation, 1 + saturation * rng.uniform(-1, 1), saturation),
        (TF.adjust_hue, hue * rng.uniform(-1, 1), hue),
    ]
    for number in rng.permutation(len(change)):
        function, amount, strength = change[number]
        if strength > 0:
            photo = function(photo, amount)
    return photo


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


class EpochOrder(Sampler[list[tuple[int, int]]]):
    """Batches of (epoch, index) in an order that follows from (seed, epoch) alone; set ``epoch`` before iterating.

    The last, incomplete batch is left out unless it is the only one. Under ``torchrun`` each rank gets its part of
    every batch.
    """

    def __init__(self, count: int, batch_size: int, seed: int) -> None:
        self.count = count
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return max(self.count // self.batch_size, 1)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        generator = torch.Generator().manual_seed(epoch_seed(self.seed, self.epoch))
        # torch's own loader takes one number before the order. Taking it, too, keeps the order, and with it the
        # weights, of runs that were trained when torch shuffled.
        torch.empty((), dtype=torch.int64).random_(generator=generator)
        order = torch.randperm(self.count, generator=generator).tolist()
        for batch in range(len(self)):
            indices = order[batch * self.batch_size : (batch + 1) * self.batch_size]
            yield [(self.epoch, index) for index in ranks.share(indices)]


def epoch_seed(seed: int, epoch: int) -> int:
    """The seed of one epoch's randomness: a resumed run equals an unbroken one."""
    return seed * 100_003 + epoch


def loader_of(views: AugmentedViews, order: EpochOrder, device: torch.device, workers: int | None) -> DataLoader:
    """The loader of a whole training.

    Args:
        views: of (epoch, index).
        order: which batches.
        device: where they go.
        workers: processes; by default none on a CPU, which trains with all cores, else up to 8.
    """
    if workers is None:
        workers = 0 if device.type == "cpu" else min(8, os.cpu_count() or 1)
    views.share_memory(max(workers, 1))
    return DataLoader(
        views,
        batch_sampler=order,
        num_workers=workers,
        collate_fn=partial(collate, with_row=views.recipe.background > 0),
        pin_memory=device.type == "cuda",
        persistent_workers=workers > 0,
        # Of its own, so that torch's shared generator belongs to the network alone.
        generator=torch.Generator(),
    )
