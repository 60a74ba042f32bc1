"""What keeping the memory of large tensors saves: maps of pictures and steps of training on the CPU.

Each way runs in processes of its own, by turns, because memory that is kept once stays kept.

    python benchmarks/large_blocks.py [--rounds 3] [--threads N]
"""

import argparse
import resource
import subprocess
import sys
import time

WAYS = ("given back", "kept")


def measure(kept: bool, threads: int) -> None:
    """Print seconds a picture, seconds a step and the peak of memory in MB."""
    import torch

    from recam_core.checkpoint.run_folder import load_run
    from recam_core.data.spec import open_dataset
    from recam_core.folders import shipped_folder
    from recam_core.maps.inference import picture_features
    from recam_core.memory import keep_large_blocks

    if kept and not keep_large_blocks():
        raise SystemExit("This system's memory has no such settings.")
    torch.set_num_threads(threads)
    network = load_run(shipped_folder() / "scenes" / "bce", torch.device("cpu")).network
    dataset = open_dataset("scenes@val")
    images = [dataset.load(index).image for index in range(9)]
    picture_features(network, images[0])
    began = time.perf_counter()
    for image in images[1:]:
        picture_features(network, image)
    picture = (time.perf_counter() - began) / (len(images) - 1)
    network.train()
    network.freeze_norm()
    x = torch.randn(16, 3, 224, 224).contiguous(memory_format=torch.channels_last)

    def step() -> None:
        network(x)[1].sum().backward()
        network.zero_grad()

    step()
    began = time.perf_counter()
    for _ in range(3):
        step()
    seconds = (time.perf_counter() - began) / 3
    print(picture, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="each way so many times; the best counts")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--measure", choices=WAYS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure == "kept", arguments.threads)
        return
    found: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    for _ in range(arguments.rounds):
        for way in WAYS:
            command = [sys.executable, __file__, "--measure", way, "--threads", str(arguments.threads)]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            found[way].append([float(value) for value in printed.split()])
    best = {way: [min(column) for column in zip(*rows, strict=True)] for way, rows in found.items()}
    for place, what in enumerate(("maps of a picture, features", "forward and backward, batch of 16")):
        before, after = (best[way][place] for way in WAYS)
        print(f"{what}: {before:.3f} s given back, {after:.3f} s kept: {before / after:.2f}x as fast")
    print(f"peak of memory: {best['given back'][2]:.0f} MB, {best['kept'][2]:.0f} MB")


if __name__ == "__main__":
    main()
