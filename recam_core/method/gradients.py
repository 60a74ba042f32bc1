"""Gradients of the two losses on the logits in closed form: why softmax cross-entropy separates what BCE leaves close.

For a multi-hot label y, both have the form (what the classifier believes) - (what is true); they differ in how belief
is formed. Under the sigmoid each class is believed by itself, under the softmax classes share one unit of belief.
"""

import numpy as np


def sigmoid(z: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-z)), for any z without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(z, dtype=np.float64)))


def softmax(z: np.ndarray) -> np.ndarray:
    """exp(z) normalised along the last axis."""
    z = np.asarray(z, dtype=np.float64)
    powers = np.exp(z - z.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def bce_logit_gradient(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """d/dz of the sum over classes of the binary cross-entropies (eq. 1 before its mean): sigmoid(z) - y.

    Args:
        z: ... x K logits.
        y: ... x K labels, 0 or 1.

    Returns:
        ... x K. The mean of eq. 1 divides it by K.
    """
    return sigmoid(z) - y


def sce_logit_gradient(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """d/dz of softmax cross-entropy (eq. 5 for one feature): softmax(z) - y.

    Args:
        z: ... x K logits.
        y: ... x K labels that sum to 1 along the last axis.

    Returns:
        ... x K, summing to 0 along the last axis.
    """
    return softmax(z) - y


def two_class_gradients(
    difference: np.ndarray, total: np.ndarray | float = 0.0
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Both losses' gradients on a present class p and a confusing absent class q.

    Args:
        difference: z_p - z_q, any shape.
        total: z_p + z_q, broadcast against it. SCE does not depend on it: only BCE believes both at once.

    Returns:
        (BCE's on z_p, BCE's on z_q), (SCE's on z_p, SCE's on z_q), each of the shape of the arguments.
    """
    difference, total = np.broadcast_arrays(np.asarray(difference, dtype=np.float64), total)
    z = np.stack([(total + difference) / 2, (total - difference) / 2], axis=-1)
    y = np.array([1.0, 0.0])
    bce, sce = bce_logit_gradient(z, y), sce_logit_gradient(z, y)
    return (bce[..., 0], bce[..., 1]), (sce[..., 0], sce[..., 1])
