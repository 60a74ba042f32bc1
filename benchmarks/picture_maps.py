"""Maps of a picture against the bare forward passes of the backbone for the same scales, interleaved in one run.

python benchmarks/picture_maps.py [--scales 0.5 1.0 1.5 2.0]
"""

import argparse
import time

import torch

from recam_core.checkpoint.run_folder import load_run
from recam_core.data.spec import open_dataset
from recam_core.device import describe_device, pick_device
from recam_core.folders import shipped_folder
from recam_core.maps.inference import QUICK_SCALES, activation_maps


def main() -> None:
    """Print the median milliseconds of both and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scales", nargs="+", type=float, default=list(QUICK_SCALES))
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    device = pick_device(arguments.device)
    network = load_run(shipped_folder() / "scenes" / "bce", device).network
    image = open_dataset("scenes@val").load(0).image
    inputs = [
        torch.randn(2, 3, round(256 * scale), round(256 * scale), device=device).to(memory_format=torch.channels_last)
        for scale in arguments.scales
    ]

    def seconds(work) -> float:
        started = time.perf_counter()
        with torch.inference_mode():
            work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    def bare() -> None:
        for x in inputs:
            network.backbone(x)

    def maps() -> None:
        activation_maps(network, image, network.fc1, [0, 3, 7], scales=arguments.scales)

    seconds(bare), seconds(maps)
    pairs = [(seconds(bare), seconds(maps)) for _ in range(arguments.repeats)]
    forward, whole = (sorted(column)[len(pairs) // 2] for column in zip(*pairs, strict=True))
    print(f"256 x 256, scales {arguments.scales} with mirror images, {describe_device(device)}")
    print(f"backbone {forward * 1e3:.0f} ms, maps {whole * 1e3:.0f} ms, ratio {whole / forward:.2f} (aim: 1.2 or less)")


if __name__ == "__main__":
    main()
