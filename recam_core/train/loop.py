"""The training loop."""

import hashlib
import math
import shutil
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recam_core import ranks
from recam_core.atomic_write import write_json
from recam_core.checkpoint.run_folder import (
    INFO_FILE,
    METRICS_FILE,
    WEIGHTS_FILE,
    Run,
    RunInfo,
    command_line,
    save_run,
)
from recam_core.data.check import listing_faults, refuse_faults
from recam_core.data.sample import Dataset
from recam_core.device import half_type, make_current, repeatable
from recam_core.errors import UserError
from recam_core.gate import device_gate
from recam_core.guest import refuse_training
from recam_core.memory import keep_large_blocks
from recam_core.method.background import check_background
from recam_core.method.masks import parse_mask
from recam_core.method.step import BatchLoss, BatchPairs, bce_batch, recam_batch, sce_batch
from recam_core.model.backbones import imagenet_source, load_imagenet
from recam_core.model.network import CamNetwork
from recam_core.progress import SCORED, STEP, Moment, WatchFn, unwatched
from recam_core.theory.negatives import PARTS, NegativeCounts, watched, write_negatives
from recam_core.train.recipe import Recipe, check_recipe
from recam_core.train.state import STATE_FILE, load_state, refuse_foreign_weights, save_state, write_curves
from recam_core.train.together import check_batch, together
from recam_core.train.validate import validate
from recam_core.train.views import AugmentedViews, EpochOrder, epoch_seed, loader_of
from recam_core.typed_path import as_typed


def lr_factor(step: int, steps: int, warmup: float, power: float) -> float:
    """What each learning rate is multiplied with: a linear warm-up, then (1 - progress)^power (poly decay).

    Args:
        step: from 0.
        steps: of the whole training.
        warmup: share of the steps that the warm-up takes.
        power: 0.9 in the paper.
    """
    rising = int(steps * warmup)
    if step < rising:
        return (step + 1) / (rising + 1)
    return (1 - (step - rising) / max(steps - rising, 1)) ** power


class LossReader:
    """Hands out each step's losses as numbers: at once on a CPU, and one step late on CUDA.

    Asking a GPU for a number stops it until it has nothing left to do. So the number is copied in the background
    and read when the next step has been handed over.
    """

    def __init__(self) -> None:
        self._pending: tuple[int, list[str], Tensor, torch.cuda.Event] | None = None

    def put(self, step: int, losses: dict[str, Tensor]) -> Iterator[tuple[int, dict[str, float]]]:
        """Take the losses (scalars) of a step; yields those (step, losses) that can be read now (of all ranks)."""
        values = ranks.mean(torch.stack([loss.detach().float() for loss in losses.values()]))
        if not values.is_cuda:
            yield step, dict(zip(losses, values.tolist(), strict=True))
            return
        there = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
        there.copy_(values, non_blocking=True)
        copied = torch.cuda.Event()
        # On the stream that computes the losses: the current device may be another one.
        copied.record(torch.cuda.current_stream(values.device))
        before, self._pending = self._pending, (step, list(losses), there, copied)
        if before is not None:
            yield self._read(*before)

    def rest(self) -> Iterator[tuple[int, dict[str, float]]]:
        """What was not handed out yet, at the end of an epoch."""
        before, self._pending = self._pending, None
        if before is not None:
            yield self._read(*before)

    @staticmethod
    def _read(step: int, names: list[str], there: Tensor, copied: "torch.cuda.Event") -> tuple[int, dict[str, float]]:
        copied.synchronize()
        return step, dict(zip(names, there.tolist(), strict=True))


def train(
    recipe: Recipe,
    dataset: Dataset,
    out: str | Path,
    *,
    val: Dataset | None = None,
    init: Run | None = None,
    device: torch.device | str = "cpu",
    workers: int | None = None,
    watch: WatchFn = unwatched,
    half: bool = False,
    command: str | None = None,
) -> RunInfo:
    """Train a network and leave a run folder; the same call after a kill goes on with the epoch that was cut off.

    On a CPU, with the same versions and number of threads, the same call gives the same weights bit for bit, broken off
    or not. On a GPU kernels are asked for that repeat themselves (:func:`recam_core.device.repeatable`); not every
    operation has one, so that there weights are the same up to rounding. So are they with any number of processes
    (:func:`recam_core.ranks.joined`), between which a run that was cut off may change.

    Args:
        recipe: every setting.
        dataset: training pictures with image-level labels (masks only for the choice ``oracle``).
        out: the run's folder.
        val: pictures to validate on after each epoch, or None.
        init: the run to start from; ``recam`` needs a converged BCE run, as in the paper.
        device: where to train.
        workers: loader processes; by default none on a CPU, which trains with all cores, else up to 8.
        watch: called after each step, and after each picture of ``val`` that was scored; may raise Cancelled, which
            leaves the last finished epoch to go on from. :func:`recam_core.progress.on_bar` makes one of a bar.
        half: store the weights in half precision.
        command: the command line that makes the run again; by default the one that is running.

    Returns:
        The record of the run.

    Raises:
        UserError: settings that cannot work, a broken picture, a folder with another run in it, a loss that is no
            number any more.
    """
    refuse_training()
    out, device = Path(out), torch.device(device)
    check_recipe(recipe)
    _check_data(recipe, dataset, init)
    check_batch(min(recipe.batch_size, len(dataset)))
    identity = _identity(recipe, dataset, init)
    ranks.check_same(identity, "training")
    known = (identity, _identity(recipe, dataset, init, before_row=True))
    resumed = ranks.on_first(partial(_cut_off, out, known))

    keep_large_blocks()
    make_current(device)
    torch.manual_seed(recipe.seed)
    network, weights = _start(recipe, len(dataset.classes), init, pretrained=resumed is None)
    network.to(device).to(memory_format=torch.channels_last)
    optimizer = _optimizer(recipe, network)
    precision = half_type(device) if recipe.amp else None
    scaler = torch.amp.GradScaler(device.type, enabled=precision == torch.float16)
    history: list[dict[str, Any]] = []
    negatives: list[dict[str, Any]] = []
    if resumed is not None:
        network.load_state_dict(resumed["network"])
        optimizer.load_state_dict(resumed["optimizer"])
        _go_on_in(precision, scaler, resumed, out)
        history, weights = resumed["history"], resumed["weights"]
        negatives = resumed.get("negatives", [])

    mask = parse_mask(recipe.mask)
    red, green, blue = (round(value * 255) for value in network.spec.mean)
    with_masks = recipe.method == "recam" and mask.needs_truth
    views = AugmentedViews(dataset, recipe, (red, green, blue), with_masks)
    per_epoch = max(len(views) // recipe.batch_size, 1)
    steps = per_epoch * recipe.epochs
    rates = [group["lr"] for group in _groups(recipe, network)]

    order = EpochOrder(len(views), recipe.batch_size, recipe.seed)
    batches = loader_of(views, order, device, workers)
    losses_of = LossReader()
    confusing = NegativeCounts(min(PARTS, per_epoch), device)

    def keep(new: dict[str, Any]) -> None:
        history[-1].update(new)
        ranks.on_first(partial(write, new))

    def write(new: dict[str, Any]) -> None:
        state = {
            "identity": identity,
            "network": network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "scaler": scaler.state_dict(),
            "precision": _words(precision),
            "history": history,
            "negatives": negatives,
            "weights": weights,
        }
        save_state(out, state)
        write_negatives(out, *watched(recipe.method, recipe.to_json()), negatives)
        write_curves(out, history, new)

    def score() -> None:
        if val is not None and "val_loss" not in history[-1]:
            network.eval()
            scored = partial(validate, network, recipe, val, lambda *at: watch(Moment(SCORED, *at)))
            keep(ranks.on_first(scored))

    losses_of_batch = together(network, partial(_loss, network, recipe, precision, mask))
    if history:
        score()  # what cut the run off may have come between an epoch and its scores
    for epoch in range(len(history), recipe.epochs):
        # The order and all randomness of an epoch follow from (seed, epoch), so a resumed run equals an unbroken one.
        torch.manual_seed(epoch_seed(recipe.seed, epoch))
        order.epoch = epoch
        network.train()
        if recipe.freeze_norm:
            network.freeze_norm()
        started = time.perf_counter()
        sums: dict[str, float] = {}

        def account(step: int, losses: dict[str, float], epoch: int = epoch, sums: dict[str, float] = sums) -> None:
            if not math.isfinite(losses["loss"]):
                raise UserError(
                    f"The loss is no number any more in epoch {epoch + 1}: lower the learning rates. "
                    "The last finished epoch is kept."
                )
            for name, value in losses.items():
                sums[name] = sums.get(name, 0.0) + value
            note = f"epoch {epoch + 1}/{recipe.epochs} loss {sums['loss'] / (step + 1):.4f}"
            watch(Moment(STEP, epoch * per_epoch + step + 1, steps, note, losses))

        with repeatable(device), device_gate(device) as gate:
            for step, (images, labels, truth, pairs) in enumerate(ranks.in_step(batches)):
                factor = lr_factor(epoch * per_epoch + step, steps, recipe.warmup, recipe.poly_power)
                for group, rate in zip(optimizer.param_groups, rates, strict=True):
                    group["lr"] = rate * factor
                part = step * confusing.parts // per_epoch
                loss = losses_of_batch(images, labels, truth, pairs, partial(_count, confusing, part))
                optimizer.zero_grad(set_to_none=True)
                scaler.scale(loss.total).backward()
                # In float16 alone, torch's scaler waits here for the device: it asks whether a gradient overflowed.
                scaler.step(optimizer)
                scaler.update()
                if gate is not None:
                    gate.give_way()
                for read in losses_of.put(step, {"loss": loss.total, **loss.parts}):
                    account(*read)
            for read in losses_of.rest():
                account(*read)
        seconds = time.perf_counter() - started
        history.append({"epoch": epoch + 1})
        negatives += [point.to_json() for point in confusing.read(epoch + 1)]
        keep({**{name: value / per_epoch for name, value in sums.items()}, "seconds": seconds})
        score()

    def finish() -> RunInfo:
        # Once more: a kill between the last state and its curves must not leave a run without them.
        write_json(out / METRICS_FILE, history)
        write_negatives(out, *watched(recipe.method, recipe.to_json()), negatives)
        record = _record(recipe, dataset, out, val, init, weights, command or command_line())
        info = save_run(out, network.eval(), record, half=half)
        # A finished run needs no state to go on from; it is as large as three copies of the weights.
        shutil.rmtree((out / STATE_FILE).parent, ignore_errors=True)
        return info

    return ranks.on_first(finish)


def _cut_off(out: Path, known: tuple[str, str]) -> dict[str, Any] | None:
    """The state of the same training that was cut off in this folder, or None.

    Args:
        out: the folder.
        known: what the training is called in its state, by this version and by older ones.

    Raises:
        UserError: there is another one, or a finished run.
    """
    resumed = load_state(out)
    if resumed is None and (out / INFO_FILE).exists():
        raise UserError(f"{out} holds a finished run already; choose another folder or delete it.")
    if resumed is not None and resumed["identity"] not in known:
        raise UserError(
            f"{out} holds a run with other settings, data or start that was cut off; choose another folder, or delete "
            f"{out / STATE_FILE} to start afresh."
        )
    if resumed is None:
        refuse_foreign_weights(out / WEIGHTS_FILE)
    return resumed


def _check_data(recipe: Recipe, dataset: Dataset, init: Run | None) -> None:
    """Refuse what would fail deep inside the loop."""
    refuse_faults(listing_faults(dataset), dataset.spec)
    if len(dataset) == 0:
        raise UserError(f"{dataset.spec} has no pictures to train on.")
    if ranks.world() > 1 and not recipe.freeze_norm:
        raise UserError("Batch norm can be trained by one process only: leave --train-norm out, or torchrun.")
    if recipe.method == "recam":
        if init is None:
            raise UserError("ReCAM starts from a converged BCE run: train bce first and give its folder with --init.")
        if parse_mask(recipe.mask).needs_truth and not dataset.has_masks:
            raise UserError(f"The mask 'oracle' needs ground-truth masks, and {dataset.spec} has none.")
        check_background(recipe, dataset.classes.has_background, dataset.spec)
    if init is not None and tuple(init.info.classes) != tuple(dataset.classes.names):
        raise UserError(f"The classes of {dataset.spec} are not those of the run {init.path}.")


def _identity(recipe: Recipe, dataset: Dataset, init: Run | None, before_row: bool = False) -> str:
    """A digest of all that decides the result, to tell whether an unfinished run may go on.

    With ``before_row`` it is what versions before the background row made of a recipe without one.
    """
    said = repr(recipe)
    if before_row and recipe.background == 0:
        said = said.replace(f", background={recipe.background!r}, background_power={recipe.background_power!r}", "")
    parts = [said, "\n".join(dataset.ids), repr(dataset.classes), init.info.weights_sha256 if init else ""]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _start(recipe: Recipe, classes: int, init: Run | None, pretrained: bool) -> tuple[CamNetwork, str]:
    """The network before its first step, and a word on where its weights come from."""
    with_fc2 = recipe.method == "recam"
    row = recipe.background > 0
    if init is None:
        network = CamNetwork(recipe.backbone, classes, recipe.output_stride, with_fc2, row)
        source = load_imagenet(network.backbone, recipe.backbone, recipe.weights) if pretrained else ""
        return network, source
    network = CamNetwork(init.info.network["backbone"], classes, init.info.network["output_stride"], with_fc2, row)
    state = init.network.state_dict()
    if network.fc2 is not None and init.network.fc2 is not None and init.network.fc2.shape != network.fc2.shape:
        del state["fc2"]  # one of the two has a background row: FC2 begins anew
    network.load_state_dict(state, strict=False)
    return network, f"run {init.info.name}"


def _groups(recipe: Recipe, network: CamNetwork) -> list[dict[str, Any]]:
    groups = [
        {"params": [p for p in network.backbone.parameters() if p.requires_grad], "lr": recipe.lr_backbone},
        {"params": [network.fc1], "lr": recipe.lr_fc1},
    ]
    if network.fc2 is not None:
        groups.append({"params": [network.fc2], "lr": recipe.lr_fc2})
    return groups


def _optimizer(recipe: Recipe, network: CamNetwork) -> torch.optim.Optimizer:
    groups = _groups(recipe, network)
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)
    return torch.optim.SGD(groups, momentum=0.9, weight_decay=recipe.weight_decay)


def _count(counts: NegativeCounts, part: int, features: Tensor, labels: Tensor, fc1: Tensor, loss: BatchLoss) -> None:
    """See what the confusing negatives of a batch receive; nothing of the training hangs on it."""
    if loss.single is None:
        counts.add_pictures(part, features, labels, fc1)
    else:
        logits, category, image = loss.single
        counts.add_pairs(part, logits, category, labels[image])


def _loss(
    network: CamNetwork,
    recipe: Recipe,
    precision: torch.dtype | None,
    mask: Any,
    images: Tensor,
    labels: Tensor,
    truth: Tensor,
    pairs: BatchPairs,
    watch: Callable[[Tensor, Tensor, Tensor, BatchLoss], None],
) -> BatchLoss:
    """Forward pass and loss; mixed precision covers the backbone, the losses stay in single precision.

    ``watch`` is shown the features, the labels, FC1 and the loss. Of several ranks, the mean of their losses is that of
    the whole batch.
    """
    device = network.device
    if ranks.world() > 1:  # before the labels are sent: a GPU that is asked for a number stops
        shown = torch.stack([torch.tensor(len(labels)), (labels.sum(dim=1) > 0).sum()]).float()
        every_picture, with_class = ranks.weight(shown).to(device)
    x = network.preprocess(images.to(device, non_blocking=True))
    labels = labels.to(device, non_blocking=True)
    with _mixed_precision(device, precision):
        features = network.features(x)
    features = features.float()
    logits = features.mean(dim=(2, 3)) @ network.fc1.T
    if recipe.method == "bce":
        loss = bce_batch(logits, labels)
    elif recipe.method == "sce":
        loss = sce_batch(logits, labels)
    else:
        assert network.fc2 is not None  # of a network that is trained by recam
        loss = recam_batch(
            features,
            logits,
            labels,
            network.fc1,
            network.fc2,
            mask,
            recipe.weight,
            truth.to(device, non_blocking=True) if truth.numel() else None,
            recipe.fc2_loss,
            recipe.background,
            recipe.background_power,
            pairs.to(device),
        )
    if ranks.world() > 1:
        # Equation 1 is a mean over the pictures; all others are over those that show a class.
        parts = {name: part * (every_picture if name == "bce" else with_class) for name, part in loss.parts.items()}
        first, *second = parts.values()
        loss = replace(loss, total=first + recipe.weight * second[0] if second else first, parts=parts)
    watch(features, labels, network.fc1, loss)
    return loss


def _mixed_precision(device: torch.device, precision: torch.dtype | None) -> AbstractContextManager:
    return nullcontext() if precision is None else torch.autocast(device.type, dtype=precision)


def _words(precision: torch.dtype | None) -> str:
    return str(precision or torch.float32).removeprefix("torch.")


def _go_on_in(precision: torch.dtype | None, scaler: torch.amp.GradScaler, resumed: dict[str, Any], out: Path) -> None:
    """Take up the scale of the losses, or begin it anew where the state comes from a device of another precision."""
    kept, now = resumed["scaler"], _words(precision)
    if kept and scaler.is_enabled():
        scaler.load_state_dict(kept)
    # States of older versions do not say; only float16 has a scale.
    before = resumed.get("precision") or ("float16" if kept else now)
    if before != now:
        warnings.warn(
            f"{out.name} was begun in {before} on another device and goes on in {now}: it works, and its weights will "
            "differ from those of an unbroken run by rounding.",
            stacklevel=3,
        )


def _record(
    recipe: Recipe, dataset: Dataset, out: Path, val: Dataset | None, init: Run | None, weights: str, command: str
) -> RunInfo:
    return RunInfo(
        name=out.name,
        method=recipe.method,
        rule=recipe.rule,
        network={},
        classes=list(dataset.classes.names),
        has_background=dataset.classes.has_background,
        data=dataset.spec,
        recipe={**recipe.to_json(), "weights": weights},
        seed=recipe.seed,
        parent=init.info.name if init else None,
        parent_sha256=init.info.weights_sha256 if init else None,
        val=val.spec if val is not None else "",
        init=str(as_typed(init.path)) if init else "",
        imagenet="" if init else imagenet_source(recipe.backbone, recipe.weights),
        command=command,
    )
