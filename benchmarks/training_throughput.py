"""Throughput of full training against a bare loop that only runs the network, and what loading the data takes.

The bare loop sees one batch again and again: no pictures are read, nothing is scored, saved or said. Both run by turns,
so that a busy machine slows both down. The first epoch, in which pictures are read or drawn, is not counted.

    python benchmarks/training_throughput.py [--data scenes@train] [--preset small] [--method bce] [--workers N]
"""

import argparse
import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from recam_core.data.spec import open_dataset
from recam_core.data.subset import Subset
from recam_core.device import describe_device, pick_device
from recam_core.method.step import bce_batch
from recam_core.model.network import CamNetwork
from recam_core.progress import Moment
from recam_core.train.loop import train
from recam_core.train.recipe import Recipe, preset
from recam_core.train.views import AugmentedViews, collate

Clock = Callable[[], float]


def bare_stepper(recipe: Recipe, batch: list, device: torch.device) -> Callable[[], None]:
    """One step of the bare loop."""
    images, labels, *_ = batch
    torch.manual_seed(0)
    network = CamNetwork(recipe.backbone, labels.shape[1], recipe.output_stride)
    network.to(device=device, memory_format=torch.channels_last).train()
    network.freeze_norm()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-6)
    x, y = network.preprocess(images.to(device)), labels.to(device)
    half = torch.autocast("cuda", dtype=torch.bfloat16, enabled=recipe.amp and device.type == "cuda")

    def step() -> None:
        with half:
            features = network.features(x)
        logits = features.float().mean(dim=(2, 3)) @ network.fc1.T
        optimizer.zero_grad(set_to_none=True)
        bce_batch(logits, y).total.backward()
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    step(), step()  # the first ones choose their algorithms
    return step


def timed(step: Callable[[], None], clock: Clock) -> float:
    """Seconds of one step."""
    began = clock()
    step()
    return clock() - began


def loop_steps(
    recipe: Recipe,
    dataset: Subset,
    device: torch.device,
    workers: int | None,
    clock: Clock,
    between: Callable[[], None],
) -> tuple[list[float], float]:
    """Seconds of each step of all epochs but the first, and a step's share of them with saving and loading.

    ``between`` is called after each step and not counted.
    """
    spans: list[float] = []
    left = clock()

    def watch(moment: Moment) -> None:
        nonlocal left
        spans.append(clock() - left)
        between()
        left = clock()

    with tempfile.TemporaryDirectory() as folder:
        train(recipe, dataset, Path(folder) / "run", device=device, workers=workers, watch=watch)
    per_epoch = len(spans) // recipe.epochs
    later = spans[per_epoch:]
    # The first step of an epoch carries what happens between epochs.
    return [span for index, span in enumerate(later) if index % per_epoch], sum(later) / len(later)


def loading(views: AugmentedViews, count: int, clock: Clock) -> float:
    """Seconds that one process takes to make the views of a batch, once the pictures are in memory."""
    for index in range(count):
        views[0, index]
    began = clock()
    collate([views[0, index] for index in range(count)])
    return clock() - began


def main() -> None:
    """Print both throughputs and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="scenes@train")
    parser.add_argument("--preset", default="small")
    parser.add_argument("--method", default="bce", choices=("bce", "sce"))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--steps", type=int, default=20, help="steps an epoch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--cpu-time",
        action="store_true",
        help="count seconds of the CPU rather than of the clock, for a busy machine; only without GPU and workers",
    )
    arguments = parser.parse_args()
    clock = time.process_time if arguments.cpu_time else time.perf_counter
    device = pick_device(arguments.device)
    recipe = dataclasses.replace(preset(arguments.method, arguments.preset), epochs=2, weights="none")
    if arguments.batch_size:
        recipe = dataclasses.replace(recipe, batch_size=arguments.batch_size)
    whole = open_dataset(arguments.data)
    dataset = Subset(whole, np.arange(min(len(whole), arguments.steps * recipe.batch_size)), whole.spec)
    views = AugmentedViews(dataset, recipe, (124, 116, 104), with_masks=False)
    batch = collate([views[0, index] for index in range(recipe.batch_size)])
    print(f"{recipe.backbone}, {recipe.batch_size} crops of {recipe.crop} pixels, {describe_device(device)}")
    bare: list[float] = []
    steps, wholes = [], []
    stepper = bare_stepper(recipe, batch, device)
    # Where the data are loaded by the same process, the two take turns step by step; processes that load beside it
    # would use the pause to get ahead.
    in_turns = device.type == "cpu" and not arguments.workers
    between = (lambda: bare.append(timed(stepper, clock))) if in_turns else (lambda: None)
    for _ in range(arguments.rounds):
        if not in_turns:
            bare += [timed(stepper, clock) for _ in range(arguments.steps)]
        of_steps, whole_epoch = loop_steps(recipe, dataset, device, arguments.workers, clock, between)
        steps += of_steps
        wholes.append(whole_epoch)
    alone, step, epoch = statistics.median(bare), statistics.median(steps), statistics.median(wholes)
    print(f"bare loop: {recipe.batch_size / alone:.1f} images/s ({1000 * alone:.0f} ms a step)")
    print(f"training, its steps: {recipe.batch_size / step:.1f} images/s; {alone / step:.3f} of the bare loop")
    print(
        f"training, whole epochs of {arguments.steps} steps with saving and starting the loader: "
        f"{recipe.batch_size / epoch:.1f} images/s; {alone / epoch:.3f} of the bare loop (aim: 0.95)"
    )
    load = loading(views, recipe.batch_size, clock)
    print(f"making a batch in one process: {1000 * load:.0f} ms, {load / alone:.3f} of a bare step")


if __name__ == "__main__":
    main()
