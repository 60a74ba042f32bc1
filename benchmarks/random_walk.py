"""IRN's walk as 256 steps of sums over neighbours, against the published way: a dense matrix, squared eight times.

    PYTHONPATH=. python benchmarks/random_walk.py [--large]

``--large`` does the dense way at the size of a VOC picture as well, which takes minutes and gigabytes.
"""

import argparse
import time

import numpy as np
import torch

from recam_core.refine.pairs import offsets, way
from recam_core.refine.random_walk import BETA, RADIUS, random_walk

#: Grids of stride 4 of pictures of 96 x 128, 188 x 252 and 375 x 500 pixels.
SIZES = ((24, 32), (47, 63), (94, 125))


def main() -> None:
    """Print the seconds of each way, their ratio, and how far apart they are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--large", action="store_true", help="the dense way at 375 x 500, too")
    large = parser.parse_args().large
    rng = np.random.default_rng(0)
    for height, width in SIZES:
        boundary = (rng.random((height, width)) ** 3).astype(np.float32)
        maps = rng.random((2, height, width), dtype=np.float32)
        begin = time.perf_counter()
        mine = random_walk(maps, boundary)
        seconds = time.perf_counter() - begin
        said = f"{4 * height} x {4 * width}, 2 classes: {seconds:.3f} s"
        if (height, width) != SIZES[-1] or large:
            begin = time.perf_counter()
            theirs = dense_walk(maps, boundary)
            dense = time.perf_counter() - begin
            said += f"; dense {dense:.2f} s, ratio {dense / seconds:.1f}; apart by {np.abs(mine - theirs).max():.1e}"
        print(said)


def dense_walk(maps: np.ndarray, boundary: np.ndarray) -> np.ndarray:
    """The same numbers by the (h w) x (h w) matrix of chances."""
    height, width = boundary.shape
    cells = np.arange(height * width).reshape(height, width)
    edge = torch.from_numpy(boundary)
    affinity = torch.eye(height * width)
    for y, x in offsets(RADIUS):
        left, right = max(-x, 0), width - max(x, 0)
        if y >= height or left >= right:
            continue
        on_the_way = [edge[r : r + height - y, left + c : right + c] for r, c in way((y, x))]
        found = (1 - torch.stack(on_the_way).amax(dim=0)).flatten() ** BETA
        here, there = cells[: height - y, left:right].ravel(), cells[y:, left + x : right + x].ravel()
        affinity[here, there] = found
        affinity[there, here] = found
    chances = affinity / affinity.sum(dim=0)
    for _ in range(8):
        chances = chances @ chances
    flat = torch.from_numpy((maps * (1 - boundary)).reshape(len(maps), -1))
    return (flat @ chances).numpy().reshape(maps.shape)


if __name__ == "__main__":
    main()
