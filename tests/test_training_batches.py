"""The order of the batches and the losses of the steps: the same whoever loads, and however late they are read."""

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.utils.data import DataLoader

from recam_core.progress import Moment
from recam_core.train.loop import LossReader, train
from recam_core.train.recipe import preset
from recam_core.train.views import EpochOrder, epoch_seed
from tiny_data import TinyDataset

SMALL = dataclasses.replace(
    preset("bce", "small"),
    backbone="timm:test_resnet",
    weights="none",
    epochs=2,
    batch_size=4,
    crop=48,
    resize_long=(40, 56),
)


@pytest.mark.parametrize(("count", "batch_size"), [(13, 4), (16, 4), (3, 8)])
def test_the_order_is_that_of_torchs_own_shuffling(count: int, batch_size: int) -> None:
    order = EpochOrder(count, batch_size, seed=2)
    for epoch in (0, 3):
        usual = DataLoader(
            list(range(count)),
            batch_size=batch_size,
            shuffle=True,
            generator=torch.Generator().manual_seed(epoch_seed(2, epoch)),
            drop_last=count >= batch_size,
        )
        order.epoch = epoch
        assert [[index for _, index in batch] for batch in order] == [batch.tolist() for batch in usual]
        assert all(batch_epoch == epoch for batch in order for batch_epoch, _ in batch)
        assert len(order) == len(usual)


def test_loader_processes_change_nothing(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        steps: dict[int, list[tuple[int, float]]] = {0: [], 2: []}
        for workers, seen in steps.items():

            def watch(moment: Moment, seen: list = seen) -> None:
                seen.append((moment.done, moment.losses["loss"]))

            train(SMALL, TinyDataset(), tmp_path / str(workers), workers=workers, watch=watch)
    finally:
        torch.set_num_threads(threads)
    assert steps[0] == steps[2]
    assert [step for step, _ in steps[0]] == [1, 2, 3, 4]
    alone, helped = (load_file(tmp_path / str(workers) / "model.safetensors") for workers in steps)
    assert all(torch.equal(alone[name], helped[name]) for name in alone)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_losses_come_in_order_and_all_of_them(device: str) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    reader, found = LossReader(), []
    for step in range(5):
        value = torch.tensor(float(step), device=device)
        found += reader.put(step, {"loss": value, "bce": value / 2})
    found += reader.rest()
    assert found == [(step, {"loss": float(step), "bce": step / 2}) for step in range(5)]
    assert list(reader.rest()) == []
