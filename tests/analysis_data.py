"""Pictures as arg-max, activation and mask of each pixel, their counts, and confusion matrices by loops over pixels."""

import numpy as np

from recam_core.data.sample import VOID, ClassList
from recam_core.scores.pixel_counts import PixelCounts, count_pixels, join

NAMES = ("cat", "dog", "cow", "boat")
K = len(NAMES)


def random_pictures(seed, count=12, has_background=True, k=K):
    """(winner, level, mask) of small pictures; some without a class, some all void, few levels for many ties."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        size = (int(rng.integers(1, 12)), int(rng.integers(1, 12)))
        shown = np.flatnonzero(rng.random(k) < 0.6) + 1 if number != 1 else np.zeros(0, dtype=int)
        if len(shown):
            winner = rng.choice(shown, size).astype(np.uint8)
            level = (rng.integers(0, 11, size) * 25.5).astype(np.uint8)
        else:
            winner, level = np.zeros(size, np.uint8), rng.integers(0, 256, size).astype(np.uint8)
        truths = [*range(0 if has_background else 1, k + 1), VOID]
        mask = rng.choice(truths, size).astype(np.uint8) if number != 2 else np.full(size, VOID, np.uint8)
        made.append((winner, level, mask))
    return made


def counts_of(pictures, has_background=True, names=NAMES, ids=None) -> PixelCounts:
    classes = ClassList(tuple(names), has_background)
    ids = [f"p{number}" for number in range(len(pictures))] if ids is None else ids
    return join(ids, [count_pixels(*picture, classes) for picture in pictures], classes)


def naive_confusions(pictures, threshold, k=K):
    """One (K+1) x (K+1) matrix a picture, by loops over pixels."""
    matrices = np.zeros((len(pictures), k + 1, k + 1), dtype=np.int64)
    for number, (winner, level, mask) in enumerate(pictures):
        for y in range(mask.shape[0]):
            for x in range(mask.shape[1]):
                if mask[y, x] != VOID:
                    above = threshold is None or int(level[y, x]) > round(threshold * 255)
                    matrices[number, mask[y, x], winner[y, x] if above else 0] += 1
    return matrices
