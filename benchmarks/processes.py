"""Two processes against one, in training steps and in making maps; and maps with processes that read against without.

Each case is started by torchrun, which is how commands share their work; its start does not count. On a CPU two
processes of one thread compete with one process of two.

    PYTHONPATH=. python benchmarks/processes.py [--pictures N] [--steps N]
"""

import argparse
import dataclasses
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from recam_core import ranks
from recam_core.data.spec import open_dataset
from recam_core.data.subset import Subset
from recam_core.maps.dataset_maps import MapSettings, each_picture, maps_of_dataset
from recam_core.model.network import CamNetwork
from recam_core.progress import STEP, Moment
from recam_core.train.loop import train
from recam_core.train.recipe import preset
from recam_core.words import counted

#: Processes, and threads of each.
CASES = ((1, 1), (1, 2), (2, 1))


def seconds_a_step(steps: int) -> float:
    """Of BCE by the small preset, between the steps of the second epoch."""
    recipe = dataclasses.replace(preset("bce", "small"), epochs=2, weights="none", batch_size=8)
    dataset = Subset(open_dataset("scenes@train"), range(8 * steps), "scenes@train")
    at: list[float] = []

    def watch(moment: Moment) -> None:
        if moment.kind == STEP:
            at.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        train(recipe, dataset, Path(folder) / "run", device="cpu", watch=watch)
    late = at[steps:]
    return statistics.median(after - before for before, after in itertools.pairwise(late))


def seconds_a_picture(pictures: int) -> float:
    """Of maps at the usual scales, until they are all with the first process."""
    network, dataset = CamNetwork("tf_efficientnet_lite0", 20).eval(), open_dataset("scenes@val")
    for count in (ranks.world(), pictures):  # the first ones are to warm up
        begin = time.perf_counter()
        made = (maps for _, maps in maps_of_dataset(network, dataset, ["fc1"], MapSettings(), count))
        for _ in ranks.in_order(made, count):
            pass
    return (time.perf_counter() - begin) / pictures


def with_readers(pictures: int) -> list[float]:
    """Seconds a picture with 0, 1 and 2 processes that read; by turns, so that a busy machine slows all down."""
    network, dataset, found = CamNetwork("tf_efficientnet_lite0", 20).eval(), open_dataset("scenes@val"), [0.0] * 3
    for turn in range(2):
        indices = range(turn * pictures // 2, (turn + 1) * pictures // 2)
        for workers in range(3):
            begin = time.perf_counter()
            for _ in each_picture(network, dataset, lambda *_: None, indices=indices, workers=workers):
                pass
            found[workers] += (time.perf_counter() - begin) / pictures
    return found


def main() -> None:
    """Print the seconds of each case, and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--steps", type=int, default=5, help="an epoch, of which two are trained")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.into is not None:  # one of the processes
        with ranks.joined():
            found = {"maps": seconds_a_picture(arguments.pictures), "training": seconds_a_step(arguments.steps)}
            if ranks.is_first():
                arguments.into.write_text(json.dumps(found))
        return
    seconds = {}
    for processes, threads in CASES:
        with tempfile.TemporaryDirectory() as folder:
            into = Path(folder) / "seconds.json"
            launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
            words = ["--into", str(into), "--pictures", str(arguments.pictures), "--steps", str(arguments.steps)]
            # torchrun gives each process one thread unless told otherwise.
            environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
            environment["GLOO_SOCKET_IFNAME"] = "lo"
            subprocess.run([*launch, __file__, *words], env=environment, check=True)
            seconds[processes, threads] = json.loads(into.read_text())
    for what, unit in (("training", "step of 8 pictures"), ("maps", "picture")):
        alone, wide, two = (seconds[case][what] for case in CASES)
        print(
            f"{what}: {alone:.3f} s a {unit} with one process of one thread, {wide:.3f} s with one of two threads, "
            f"{two:.3f} s with two of one; two processes are {alone / two:.2f} times as fast as one of one thread, "
            f"{wide / two:.2f} times as one of two"
        )
    torch.set_num_threads(1)
    without, *others = with_readers(arguments.pictures)
    print(f"maps in one process of one thread: {without:.3f} s a picture, read by a thread beside it")
    for count, spent in enumerate(others, start=1):
        print(f"    with {counted(count, 'worker')} to read: {spent:.3f} s, {without / spent:.2f} times as fast")


if __name__ == "__main__":
    main()
