"""The batches of all epochs from one loader, so that its processes keep what they have read."""

import os
from collections.abc import Iterator
from functools import partial

import torch
from torch.utils.data import DataLoader, Sampler

from recam_core.train.views import AugmentedViews, collate


class EpochOrder(Sampler[list[tuple[int, int]]]):
    """Batches of (epoch, index) in an order that follows from (seed, epoch) alone; set ``epoch`` before iterating.

    The last, incomplete batch is left out unless it is the only one.
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
            yield [(self.epoch, index) for index in indices]


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
