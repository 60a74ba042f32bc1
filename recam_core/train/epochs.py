"""A loop over epochs for whatever has one loss: goes on after a kill, with poly decay and a device's gate.

:mod:`recam_core.train.loop` trains classifiers, with curves, validation and negatives besides; boundaries and
segmentation networks need no more than this.
"""

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from recam_core import ranks
from recam_core.device import half_type, make_current, repeatable
from recam_core.errors import UserError
from recam_core.gate import device_gate
from recam_core.progress import ProgressFn, silent
from recam_core.train.loop import LossReader, lr_factor
from recam_core.train.state import save_state
from recam_core.train.together import check_batch, together
from recam_core.train.views import EpochOrder, epoch_seed


@dataclass(frozen=True)
class Epochs:
    """What a loop needs to know.

    Attributes:
        count, batch_size: as the names say.
        seed: of the order and of all that is random in a step.
        warmup: share of the steps in which the learning rates rise.
        accumulated: batches whose gradients make one step.
    """

    count: int
    batch_size: int
    seed: int
    warmup: float = 0.0
    accumulated: int = 1


def train_epochs(
    module: nn.Module,
    loss_of: Callable[..., Tensor],
    views: TorchDataset,
    groups: list[dict[str, Any]],
    optimizer: torch.optim.Optimizer,
    plan: Epochs,
    out: Path,
    identity: str,
    state: dict[str, Any] | None,
    *,
    device: torch.device,
    workers: int | None = None,
    ready: Callable[[], None] = lambda: None,
    progress: ProgressFn = silent,
) -> list[dict[str, Any]]:
    """Train a module; after each epoch the state is written whole, so that the same call goes on there after a kill.

    Args:
        module: its state is kept and taken up again.
        loss_of: from what the loader gives of a batch to a scalar; within mixed precision where the device has it. Of
            several ranks, the mean must be that of the whole batch (:mod:`recam_core.train.together`).
        views: by (epoch, index), as :class:`recam_core.train.views.EpochOrder` asks for them.
        groups: the optimizer's, with their learning rates at the start.
        optimizer: over these groups.
        plan: how long, and in which order.
        out: the folder of the state.
        identity: see :meth:`recam_core.train.trained_folder.TrainedFolder.cut_off`.
        state: what that gave.
        device: where to train.
        workers: loader processes; none on a CPU, else up to 8, unless given.
        ready: called at the start of each epoch, after ``train()``.
        progress: called after each batch; may raise Cancelled.

    Returns:
        One entry an epoch: its number and mean loss.

    Raises:
        UserError: a loss that is no number, or a full disk.
    """
    history: list[dict[str, Any]] = []
    if state is not None:
        module.load_state_dict(state["module"])
        optimizer.load_state_dict(state["optimizer"])
        history = state["history"]
    make_current(device)
    check_batch(min(plan.batch_size, len(views)))  # type: ignore[arg-type]  # torch's Dataset has no len
    rates = [float(group["lr"]) for group in groups]
    order = EpochOrder(len(views), plan.batch_size, plan.seed)  # type: ignore[arg-type]  # torch's Dataset has no len
    if workers is None:
        workers = 0 if device.type == "cpu" else 8
    loader = DataLoader(
        views,
        batch_sampler=order,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        persistent_workers=workers > 0,
        # Of its own, so that torch's shared generator belongs to the network alone.
        generator=torch.Generator(),
    )
    steps, half = len(order) * plan.count, half_type(device)
    # float16 would need its losses scaled; single precision is what older cards take then.
    mixed = torch.autocast(device.type, dtype=half) if half == torch.bfloat16 else nullcontext()
    of_batch = together(module, loss_of)
    for epoch in range(len(history), plan.count):
        torch.manual_seed(epoch_seed(plan.seed, epoch))
        order.epoch = epoch
        module.train()
        ready()
        losses_of, total = LossReader(), 0.0

        def account(step: int, losses: dict[str, float], epoch: int = epoch) -> float:
            if not math.isfinite(losses["loss"]):
                raise UserError(
                    f"The loss is no number any more in epoch {epoch + 1}: lower the learning rate. "
                    "The last finished epoch is kept."
                )
            done = epoch * len(order) + step + 1
            progress(done, steps, f"epoch {epoch + 1}/{plan.count} loss {losses['loss']:.4f}")
            return losses["loss"]

        with repeatable(device), device_gate(device) as gate:
            optimizer.zero_grad(set_to_none=True)
            for step, batch in enumerate(ranks.in_step(loader)):
                factor = lr_factor(epoch * len(order) + step, steps, plan.warmup, 0.9)
                for group, rate in zip(optimizer.param_groups, rates, strict=True):
                    group["lr"] = rate * factor
                there = [part.to(device, non_blocking=True) for part in batch]
                with mixed:
                    loss = of_batch(*there)
                (loss / plan.accumulated).backward()
                if (step + 1) % plan.accumulated == 0 or step + 1 == len(order):
                    optimizer.step()
                    optimizer.zero_grad(set_to_none=True)
                if gate is not None:
                    gate.give_way()
                total += sum(account(*read) for read in losses_of.put(step, {"loss": loss}))
            total += sum(account(*read) for read in losses_of.rest())
        history.append({"epoch": epoch + 1, "loss": total / len(order)})
        state = {
            "identity": identity,
            "module": module.state_dict(),
            "optimizer": optimizer.state_dict(),
            "history": history,
        }
        ranks.on_first(partial(save_state, out, state))
    return history
