"""Scoring every background threshold against scoring one: ``python benchmarks/evaluation.py``.

Both read the same synthetic maps at the size of PASCAL VOC. The one-threshold side is written as plainly as a good
implementation would be: seed mask, then one bincount of ground truth and prediction a picture.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from recam_core.data.sample import VOID, ClassList
from recam_core.maps.activation_maps import ActivationMaps, argmax_and_activation, grid_size, seed_mask
from recam_core.scores.evaluate import evaluate_maps
from recam_core.scores.scores import Scores

CLASSES = ClassList(tuple(f"class{k}" for k in range(20)))
SIZE = (375, 500)
THRESHOLD = 0.21
#: How many classes VOC's pictures have, roughly.
CLASSES_PRESENT = (1, 1, 1, 2, 2, 3)


def synthetic_pictures(count: int, seed: int = 0) -> list[tuple[ActivationMaps, np.ndarray]]:
    """Maps of blurred blobs, and masks of ellipses that the blobs lie on, with a void rim."""
    rng = np.random.default_rng(seed)
    height, width = SIZE
    rows, columns = np.mgrid[0:height, 0:width]
    grid_height, grid_width = grid_size(SIZE)
    pictures = []
    for number in range(count):
        n = CLASSES_PRESENT[number % len(CLASSES_PRESENT)]
        classes = np.sort(rng.choice(len(CLASSES), n, replace=False))
        mask = np.zeros(SIZE, dtype=np.uint8)
        grids = np.zeros((n, grid_height, grid_width), dtype=np.uint8)
        for order, k in enumerate(classes):
            y, x = rng.uniform(0.2, 0.8, 2) * SIZE
            a, b = rng.uniform(40, 150, 2)
            distance = ((rows - y) / a) ** 2 + ((columns - x) / b) ** 2
            mask[(distance >= 1) & (distance < 1.08)] = VOID
            mask[distance < 1] = k + 1
            blob = np.exp(-distance[::4, ::4] * 1.5) + rng.normal(0, 0.02, (grid_height, grid_width))
            grids[order] = (np.clip(blob / blob.max(), 0, 1) * 255).round()
        pictures.append((ActivationMaps(str(number), SIZE, classes, grids), mask))
    return pictures


def score_one_threshold(pictures: list[tuple[ActivationMaps, np.ndarray]]) -> float:
    """mIoU at one threshold, by counting ground truth against the seed mask."""
    values = len(CLASSES) + 1
    confusion = np.zeros(values * values, dtype=np.int64)
    for maps, mask in pictures:
        seeds = seed_mask(*argmax_and_activation(maps), THRESHOLD)
        scored = mask != VOID
        cells = mask[scored].astype(np.int32) * values + seeds[scored]
        confusion += np.bincount(cells, minlength=values * values)
    return Scores(THRESHOLD, confusion.reshape(values, values)).miou


def score_all_thresholds(pictures: list[tuple[ActivationMaps, np.ndarray]], thresholds: int) -> float:
    """mIoU at the same threshold, with the whole curve beside it."""
    maps, masks = zip(*pictures, strict=True)
    return evaluate_maps(maps, masks, CLASSES, thresholds=thresholds, threshold=THRESHOLD).fixed.miou


def seconds(function: Callable[[], float]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--thresholds", type=int, default=101)
    arguments = parser.parse_args()
    pictures = synthetic_pictures(arguments.pictures)

    def one() -> float:
        return score_one_threshold(pictures)

    def every() -> float:
        return score_all_thresholds(pictures, arguments.thresholds)

    print(f"mIoU at {THRESHOLD}: {one():.6f} alone, {every():.6f} from the pass over all thresholds")
    # Interleaved, so that whatever else the machine does falls on both.
    times = [(seconds(one), seconds(every)) for _ in range(arguments.repeats)]
    one_time, every_time = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(every_time / one_time for one_time, every_time in times)
    each = 1000 / arguments.pictures
    print(f"{arguments.pictures} pictures of {SIZE[1]}x{SIZE[0]}, median of {arguments.repeats}, ms a picture:")
    print(f"  one threshold        {one_time * each:8.2f}")
    print(f"  {arguments.thresholds:>3} thresholds       {every_time * each:8.2f}")
    print(f"  ratio                {ratio:8.2f}   (target: at most 1.3)")


if __name__ == "__main__":
    main()
