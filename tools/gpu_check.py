"""What a GPU does with the lab: its tests, and a table of figures for docs/results.md. ``make gpu-check`` runs it.

Without a CUDA GPU it says so and ends with status 3. With one it runs the tests marked ``cuda`` and the benchmarks,
prints one table, and writes it between the two marks of docs/results.md, unless a test failed.

    PYTHONPATH=. python tools/gpu_check.py [--device cuda:1] [--no-tests] [--out FILE]
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import torch

from recam_core.atomic_write import replacing_file
from recam_core.checkpoint.run_folder import Run, load_run
from recam_core.data.spec import open_dataset
from recam_core.device import half_type, make_current, pick_device
from recam_core.errors import UserError
from recam_core.folders import shipped_folder
from recam_core.maps.dataset_maps import MapSettings, maps_of_dataset
from recam_core.maps.inference import picture_features
from recam_core.memory import memory_told
from recam_core.method.masks import parse_mask
from recam_core.method.step import batch_pairs, bce_batch, recam_batch
from recam_core.model.network import CamNetwork
from recam_core.retrain.features import FeatureBlock, FeatureCache
from recam_core.retrain.head_recipe import HeadRecipe
from recam_core.retrain.heads import retrain_heads
from recam_core.scores.evaluate import Tally

ROOT = Path(__file__).resolve().parent.parent
#: Exit status where there is no GPU, so that it is not taken for a failed check (1) or bad input (2).
NO_GPU = 3
#: Between these lines of the file the table stands.
BEGIN, END = "<!-- gpu-check: what `make gpu-check` writes -->", "<!-- /gpu-check -->"


@dataclass(frozen=True)
class Sizes:
    """How much is measured; the defaults are what the table says."""

    crop: int = 512
    batch: int = 16
    classes: int = 20
    steps: int = 12
    cached: int = 10_000
    pictures: int = 200
    shapes: int = 12
    backbone: str = "resnet50"
    data: str = "scenes@val"
    #: C, h, w of the cached features: EfficientNet-Lite0's of a picture of 256 x 256.
    features: tuple[int, int, int] = (1280, 16, 16)


def main() -> int:
    """Check and measure; 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", help="cuda or, of several, cuda:1 and so on (default: cuda)")
    parser.add_argument("--no-tests", action="store_true", help="measure only")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results.md", help="the file that holds the table")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("There is no CUDA GPU here that torch can use, so nothing was checked and nothing was measured.")
        return NO_GPU
    try:
        device = pick_device(arguments.device)
        if device.type != "cuda":
            raise UserError(f"{device} is no CUDA GPU: name one of those, such as cuda:0.")
        failed = False if arguments.no_tests else run_tests() != 0
        make_current(device)
        with memory_told("There is not enough memory on the GPU for the benchmarks; stop what else uses it."):
            table = report(device, rows(device, Sizes()))
        print(f"\n{table}")
        if failed:
            print("Some tests failed, so the table was not written.")
            return 1
        write_table(arguments.out, table)
        print(f"Written to {arguments.out}.")
        return 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def run_tests() -> int:
    """The tests marked ``cuda``; pytest's exit status."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "cuda", "tests"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def rows(device: torch.device, sizes: Sizes) -> Iterator[tuple[str, str]]:
    """Each line of the table: what was measured, and the figure."""
    precision = str(half_type(device) or torch.float32).removeprefix("torch.")
    where = f"{sizes.backbone}, {sizes.crop} px, batch {sizes.batch}"
    bce, recam = (step_seconds(device, sizes, method) for method in ("bce", "recam"))
    yield f"BCE step ({where}, {precision})", f"{1000 * bce:.0f} ms, {sizes.batch / bce:.0f} pictures/s"
    yield f"ReCAM step ({where}, {precision})", f"{1000 * recam:.0f} ms, {recam / bce:.2f} of a BCE step"
    maps, evaluated = map_seconds(device, sizes)
    yield f"Maps of {sizes.data} (scales 1 and 2, mirrored; {sizes.pictures} pictures)", f"{1 / maps:.1f} pictures/s"
    yield "Evaluation of the same (maps and counts of all pixels)", f"{1 / evaluated:.1f} pictures/s"
    yield (
        f"Features of pictures of {sizes.shapes} sizes, seen first",
        f"{1 / new_size_seconds(device, sizes):.1f} pictures/s",
    )
    seconds = head_seconds(device, sizes)
    shape = " x ".join(map(str, sizes.features))
    yield f"FC2 from a cache of {sizes.cached:,} pictures ({shape}, 200 epochs)", f"{seconds:.2f} s"
    if device.type == "cuda":
        yield "Most memory of it all", f"{torch.cuda.max_memory_allocated(device) / 1e9:.1f} GB"


def step_seconds(device: torch.device, sizes: Sizes, method: str) -> float:
    """The median time of a training step, pictures and pairs copied to the device in it."""
    torch.manual_seed(0)
    network = CamNetwork(sizes.backbone, sizes.classes, with_fc2=True).to(device).to(memory_format=torch.channels_last)
    network.train()
    network.freeze_norm()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9)
    images = torch.randint(0, 256, (sizes.batch, sizes.crop, sizes.crop, 3), dtype=torch.uint8)
    labels = torch.zeros(sizes.batch, sizes.classes)
    labels[torch.arange(sizes.batch), torch.arange(sizes.batch) % sizes.classes] = 1
    labels[:, 3] = 1
    pairs, mask, half = batch_pairs(labels, with_row=False), parse_mask("soft"), half_type(device)
    scaler = torch.amp.GradScaler(device.type, enabled=half == torch.float16)
    if device.type == "cuda":
        images, labels = images.pin_memory(), labels.pin_memory()

    def step() -> None:
        x = network.preprocess(images.to(device, non_blocking=True))
        y = labels.to(device, non_blocking=True)
        with torch.autocast(device.type, dtype=half or torch.bfloat16, enabled=half is not None):
            features = network.features(x)
        features = features.float()
        logits = features.mean(dim=(2, 3)) @ network.fc1.T
        if method == "bce":
            loss = bce_batch(logits, y).total
        else:
            assert network.fc2 is not None
            loss = recam_batch(features, logits, y, network.fc1, network.fc2, mask, 1.0, pairs=pairs.to(device)).total
        optimizer.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    for _ in range(3):
        step()
    return statistics.median(seconds_of(step, device) for _ in range(sizes.steps))


def map_seconds(device: torch.device, sizes: Sizes) -> tuple[float, float]:
    """Seconds a picture of making maps, and of making and scoring them."""
    run = load_run(shipped_folder() / "scenes" / "bce", device)
    dataset = open_dataset(sizes.data)

    def make(score: bool) -> None:
        tally = Tally(dataset.classes)
        for sample, maps in maps_of_dataset(run.network, dataset, ["fc1"], MapSettings(), sizes.pictures):
            if score:
                tally.add(maps["fc1"], sample.mask)
        if score:
            tally.evaluation("fc1")

    for _ in maps_of_dataset(run.network, dataset, ["fc1"], MapSettings(), 2):
        pass
    maps, scored = (seconds_of(partial(make, score), device) for score in (False, True))
    return maps / sizes.pictures, scored / sizes.pictures


def new_size_seconds(device: torch.device, sizes: Sizes) -> float:
    """Seconds a picture where none has the size of another: whatever a GPU prepares for a size counts."""
    network = load_run(shipped_folder() / "scenes" / "bce", device).network
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (320 + 16 * n, 480, 3), dtype=np.uint8) for n in range(-1, sizes.shapes)]

    def see(some: list[np.ndarray]) -> None:
        for image in some:
            picture_features(network, image)

    see(images[:1])
    return seconds_of(lambda: see(images[1:]), device) / sizes.shapes


def head_seconds(device: torch.device, sizes: Sizes) -> float:
    """The time that FC2 takes to train on cached features, which are random here: their values cost nothing."""
    run = load_run(shipped_folder() / "scenes" / "bce", device)
    classes = len(run.info.classes)
    channels, height, width = sizes.features
    generator = torch.Generator().manual_seed(0)
    block = torch.rand((256, channels, height, width), generator=generator).half()
    features = torch.cat([block[: min(256, sizes.cached - first)] for first in range(0, sizes.cached, 256)])
    labels = torch.zeros(sizes.cached, classes, dtype=torch.bool)
    labels[torch.arange(sizes.cached), torch.arange(sizes.cached) % classes] = True
    labels[torch.arange(sizes.cached), torch.arange(sizes.cached) * 7 % classes] = True
    cache = FeatureCache(
        (FeatureBlock(torch.arange(sizes.cached), features, labels, None),), "made", run.info.weights_sha256
    )
    return seconds_of(lambda: retrain_heads(cache, _of_channels(run, channels), HeadRecipe(update="fc2")), device)


def _of_channels(run: Run, channels: int) -> Run:
    if run.network.fc1.shape[1] != channels:
        rng = np.random.default_rng(0)
        fresh = torch.from_numpy(rng.normal(size=(len(run.network.fc1), channels)).astype(np.float32))
        run.network.fc1 = torch.nn.Parameter(fresh.to(run.network.device))
    return run


def seconds_of(work: Callable[[], object], device: torch.device) -> float:
    """How long a piece of work takes, to the end of what it gave the device."""
    begin = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - begin


def report(device: torch.device, lines: Iterator[tuple[str, str]]) -> str:
    """The table in Markdown, with the name of the card."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "no GPU"
    head = [f"{name}, torch {torch.__version__}, {date.today():%Y-%m-%d}:", "", f"| | {name} |", "| --- | --- |"]
    return "\n".join([*head, *(f"| {what} | {figure} |" for what, figure in lines)])


def write_table(file: Path, table: str) -> None:
    """Put the table between the marks of a file, in place of what stands there.

    Raises:
        UserError: the file has no marks, or cannot be written.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"Cannot read {file}: {error.strerror or error}.") from error
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UserError(f"{file} has no lines '{BEGIN}' and '{END}' between which the table could stand.")
    with replacing_file(file) as temporary:
        temporary.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
