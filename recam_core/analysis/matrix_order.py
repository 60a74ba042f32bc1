"""An order of the classes in which those that are taken for each other stand side by side."""

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform


def order(confusion: np.ndarray) -> np.ndarray:
    """Sort classes by hierarchical clustering (average linkage) with the optimal order of leaves.

    Two classes are near when much of either goes to the other: the similarity is the mean of both shares. For a
    difference matrix or several methods, give the sum of their confusion matrices, so that all share one order.

    Args:
        confusion: (K+1) x (K+1) pixels, rows ground truth, index 0 the background.

    Returns:
        K + 1, int64: a permutation of 0..K; the background stays first, and classes that do not occur come last.
    """
    values = len(confusion)
    pixels = confusion.astype(np.float64)
    occurs = (pixels.sum(axis=1) + pixels.sum(axis=0)) > 0
    classes = 1 + np.flatnonzero(occurs[1:])
    absent = 1 + np.flatnonzero(~occurs[1:])
    if len(classes) > 2:
        rows = pixels[classes]
        whole = rows.sum(axis=1, keepdims=True)
        share = np.divide(rows[:, classes], whole, out=np.zeros((len(classes),) * 2), where=whole > 0)
        near = (share + share.T) / 2
        np.fill_diagonal(near, 0)
        most = near.max()
        # Shares are tiny and uneven: the root keeps weak ties from drowning beside one strong pair.
        distance = 1 - np.sqrt(near / most) if most > 0 else np.ones_like(near)
        np.fill_diagonal(distance, 0)
        tree = linkage(squareform(distance, checks=False), "average", optimal_ordering=True)
        classes = classes[leaves_list(tree)]
    result = np.concatenate([[0], classes, absent]).astype(np.int64)
    assert len(result) == values
    return result
