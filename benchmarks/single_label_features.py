"""Single-label features: one batched product over the present pairs against the outer product over all classes.

Prints the ratios of time and peak memory for one forward-backward step at B=16, K=20, C=2048, 32x32 (the size of the
published experiments) from one run. Each way runs in a process of its own, so that its peak memory is its own.

    python benchmarks/single_label_features.py [--batch 16]
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import torch

from recam_core.method.cam import cam
from recam_core.method.single_label import pooled_single_label, present_pairs

CLASSES, CHANNELS, SIDE = 20, 2048, 32


def inputs(batch: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Features, FC1 and labels with 1.5 classes an image, as on VOC."""
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(batch, CHANNELS, SIDE, SIDE, generator=generator).requires_grad_()
    weight = torch.randn(CLASSES, CHANNELS, generator=generator).requires_grad_()
    labels = torch.zeros(batch, CLASSES)
    labels[torch.arange(batch), torch.arange(batch) % CLASSES] = 1
    labels[torch.arange(0, batch, 2), (torch.arange(0, batch, 2) + 7) % CLASSES] = 1
    return features, weight, labels


def step(way: str, features: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor) -> None:
    """One forward and backward pass."""
    image, category = present_pairs(labels)
    maps = cam(features, weight)
    if way == "outer product":
        pooled = (maps.unsqueeze(2) * features.unsqueeze(1)).flatten(3).mean(-1)[image, category]
    else:
        pooled = pooled_single_label(features, maps[image, category], image)
    pooled.square().sum().backward()


def measure(way: str, batch: int, repeats: int = 3) -> dict[str, float]:
    """Median seconds of a step, and the peak memory above what the inputs take, in MiB."""
    data = inputs(batch)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        step(way, *data)
        seconds.append(time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": sorted(seconds)[len(seconds) // 2], "mebibytes": (peak - before) / 1024}


def main() -> None:
    """Measure both ways, each in its own process, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        print(json.dumps(measure(arguments.way, arguments.batch)))
        return
    found = {}
    for way in ("outer product", "batched product"):
        command = [sys.executable, __file__, "--batch", str(arguments.batch), "--way", way]
        found[way] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(f"{way:16} {found[way]['seconds']:7.3f} s {found[way]['mebibytes']:8.0f} MiB above the inputs")
    slow, fast = found["outer product"], found["batched product"]
    print(f"ratio: {slow['seconds'] / fast['seconds']:.1f}x faster (aim: 8 or more), "
          f"{slow['mebibytes'] / fast['mebibytes']:.1f}x leaner (aim: 5 or more)")  # fmt: skip


if __name__ == "__main__":
    main()
