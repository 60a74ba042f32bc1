"""IRN's random walk: maps spread over a picture, but not across its boundaries.

Ahn, Cho and Kwak, "Weakly Supervised Learning of Instance Segmentation with Inter-pixel Relations", CVPR 2019, section
4.2. The affinity of two cells within a radius is 1 - the strongest boundary on the way between them; to the power beta
and normalised, it is the chance of a step. The published code squares the dense (h w) x (h w) matrix of these chances
eight times and multiplies the maps with it, which is 256 steps; here each step is a sum over the some 70 neighbours of
a cell, and no matrix is made.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recam_core.refine.pairs import offsets, way

RADIUS = 5
BETA = 10.0
#: 2^8.
STEPS = 256
#: Where the walk is looked at on its way: before its first step, and at every power of two.
STAGES = (0, *(1 << power for power in range(STEPS.bit_length())))


def random_walk(
    maps: np.ndarray, boundary: np.ndarray, radius: int = RADIUS, beta: float = BETA, steps: int = STEPS
) -> np.ndarray:
    """Let maps walk.

    With a_ij = (1 - max of the boundary along the way from i to j)^beta, a_ii = 1, and the columns of a normalised to
    T, the result is (m * (1 - boundary)) T^steps.

    Args:
        maps: n x h x w, float32, 0 or more.
        boundary: h x w, float32, 0 (none) to 1.
        radius: cells nearer than this are neighbours.
        beta: the power of the affinity.
        steps: of the walk; the published number is 2^8.

    Returns:
        n x h x w, float32. Divide by the maximum of all maps together before a published threshold is used.
    """
    return walk_stages(maps, boundary, (steps,), radius, beta)[0]


def walk_stages(
    maps: np.ndarray,
    boundary: np.ndarray,
    stages: Sequence[int] = STAGES,
    radius: int = RADIUS,
    beta: float = BETA,
) -> np.ndarray:
    """One walk, looked at on its way.

    Args:
        maps, boundary, radius, beta: see :func:`random_walk`.
        stages: s numbers of steps, ascending.

    Returns:
        s x n x h x w, float32: what :func:`random_walk` gives after so many steps.
    """
    height, width = boundary.shape
    chances = _chances(torch.from_numpy(np.asarray(boundary, dtype=np.float32)), radius, beta)
    # Rows one after the other with `gap` cells of nothing between them: a neighbour is a fixed distance away, and all
    # cells of a picture take one step by one product of two contiguous rows of numbers a neighbour.
    gap = radius
    pitch = width + gap
    flat = F.pad(chances, (0, gap)).reshape(len(chances), height * pitch)
    current = F.pad(torch.from_numpy(maps * (1 - boundary)).float(), (0, gap)).reshape(len(maps), height * pitch)
    reach = radius * pitch + radius
    wide = torch.zeros(len(maps), height * pitch + 2 * reach)
    inner = wide[:, reach : reach + height * pitch]
    seen = [wide[:, reach + y * pitch + x :][:, : height * pitch] for y, x in _neighbours(radius)]
    found = np.empty((len(stages), *maps.shape), dtype=np.float32)
    gone = 0
    for place, stage in enumerate(stages):
        for _ in range(stage - gone):
            inner.copy_(current)
            current.zero_()
            for chance, neighbour in zip(flat, seen, strict=True):
                current.addcmul_(chance, neighbour)
        gone = stage
        found[place] = current.reshape(len(maps), height, pitch)[..., :width].numpy()
    return found


def _chances(boundary: Tensor, radius: int, beta: float) -> Tensor:
    """N x h x w: how much of each neighbour's value a cell takes; in the order of :func:`_neighbours`.

    The matrix of affinities is symmetric, so that a column normalised is a row normalised.
    """
    height, width = boundary.shape
    reach = radius - 1
    # Outside the picture everything is boundary.
    padded = F.pad(boundary, (reach,) * 4, value=1.0)

    def at(y: int, x: int) -> Tensor:
        return padded[reach + y : reach + y + height, reach + x : reach + x + width]

    affinities = []
    for offset in _neighbours(radius)[:-1]:
        strongest = torch.stack([at(y, x) for y, x in way(offset)]).amax(dim=0)
        affinities.append((1 - strongest).clamp(min=0) ** beta)
    found = torch.stack([*affinities, torch.ones_like(boundary)]).double()
    found = (found / found.sum(dim=0)).float()
    # The sum of rounded chances is not 1, and 256 steps would raise that to the power of 256.
    found[-1] = 1 - found[:-1].double().sum(dim=0)
    return found


def _neighbours(radius: int) -> list[tuple[int, int]]:
    """(y, x) of all cells nearer than ``radius``, and of the cell itself.

    It comes last: its share is the largest, and what is added to a large number is rounded most.
    """
    half = offsets(radius)
    return [*half, *((-y, -x) for y, x in half), (0, 0)]
