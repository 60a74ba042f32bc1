"""The borders between areas."""

import numpy as np


def outline(codes: np.ndarray, width: int = 1) -> np.ndarray:
    """H x W bool: pixels that have a pixel of another value within ``width`` steps above, below, left or right."""
    edge = np.zeros(codes.shape, dtype=bool)
    for step in range(1, width + 1):
        down = codes[step:] != codes[:-step]
        edge[step:] |= down
        edge[:-step] |= down
        across = codes[:, step:] != codes[:, :-step]
        edge[:, step:] |= across
        edge[:, :-step] |= across
    return edge
