"""A ReCAM training step against a BCE step of the same network, interleaved in one run.

python benchmarks/recam_step.py [--device cuda] [--backbone resnet50 --crop 512]
"""

import argparse
import time

import torch

from recam_core.device import describe_device, pick_device
from recam_core.method.masks import parse_mask
from recam_core.method.step import bce_batch, recam_batch
from recam_core.model.network import CamNetwork


def main() -> None:
    """Print the median seconds of both steps and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--crop", type=int, default=224)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    device = pick_device(arguments.device)
    torch.manual_seed(0)
    network = CamNetwork(arguments.backbone, 20, with_fc2=True).to(device, memory_format=torch.channels_last)
    network.train()
    network.freeze_norm()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-5)
    images = torch.randint(0, 256, (arguments.batch, arguments.crop, arguments.crop, 3), dtype=torch.uint8)
    labels = torch.zeros(arguments.batch, 20)
    labels[torch.arange(arguments.batch), torch.arange(arguments.batch) % 20] = 1
    labels[:, 3] = 1
    labels, mask = labels.to(device), parse_mask("soft")

    def step(recam: bool) -> float:
        started = time.perf_counter()
        features, logits = network(network.preprocess(images))
        if recam:
            loss = recam_batch(features, logits, labels, network.fc1, network.fc2, mask, 1.0).total
        else:
            loss = bce_batch(logits, labels).total
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    step(False), step(True)
    pairs = [(step(False), step(True)) for _ in range(arguments.repeats)]
    bce, recam = (sorted(column)[len(pairs) // 2] for column in zip(*pairs, strict=True))
    print(f"{arguments.backbone}, {arguments.batch} x {arguments.crop} px, {describe_device(device)}")
    print(f"bce step {bce:.3f} s, recam step {recam:.3f} s, ratio {recam / bce:.3f} (aim: 1.15 or less)")


if __name__ == "__main__":
    main()
