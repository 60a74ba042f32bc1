"""Mean average precision of image-level predictions."""

import numpy as np


def mean_average_precision(scores: np.ndarray, labels: np.ndarray) -> float:
    """The mean over the classes of the area under each precision-recall curve.

    Args:
        scores: N x K.
        labels: N x K bool; a class that no image has is left out.

    Returns:
        In 0..1; nan when no class has an image.
    """
    from sklearn.metrics import average_precision_score

    present = labels.any(axis=0)
    if not present.any():
        return float("nan")
    return float(average_precision_score(labels[:, present], scores[:, present], average="macro"))
