"""The two losses on the logits in closed form: why softmax cross-entropy separates what BCE leaves close.

For a multi-hot label y, both gradients have the form (what the classifier believes) - (what is true); they differ in
how belief is formed. Under the sigmoid each class is believed by itself, under the softmax classes share one unit of
belief. Equation 1 divides BCE by K; here it is the sum over the classes, as in the paper's argument on gradients.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recam_core.errors import UserError

#: The losses by name, in the order in which they are shown.
LOSSES = ("bce", "sce")
#: Rate and number of the steps of gradient descent on the logits, unless others are asked for.
RATE, STEPS = 0.5, 60


def sigmoid(z: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-z)), for any z without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(z, dtype=np.float64)))


def softmax(z: np.ndarray) -> np.ndarray:
    """exp(z) normalised along the last axis."""
    z = np.asarray(z, dtype=np.float64)
    powers = np.exp(z - z.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def bce_value(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The sum over the classes of the binary cross-entropies, K times equation 1.

    Args:
        z: ... x K logits.
        y: ... x K labels, 0 or 1.

    Returns:
        ..., not negative.
    """
    z = np.asarray(z, dtype=np.float64)
    # log(1 + exp(z)) - y z, in the form that neither overflows nor loses a small loss.
    return (np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))).sum(axis=-1)


def sce_value(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Softmax cross-entropy, the target's mass spread evenly over the present classes (equation 5 for a single one).

    Args:
        z: ... x K logits.
        y: ... x K labels, 0 or 1; without any the loss is 0.

    Returns:
        ..., not negative.
    """
    z = np.asarray(z, dtype=np.float64)
    top = z.max(axis=-1, keepdims=True)
    total = (top + np.log(np.exp(z - top).sum(axis=-1, keepdims=True)))[..., 0]
    target = sce_target(y)
    return total * target.sum(axis=-1) - (target * z).sum(axis=-1)


def sce_target(y: np.ndarray) -> np.ndarray:
    """y divided by the number of present classes, along the last axis; zeros where there is none."""
    y = np.asarray(y, dtype=np.float64)
    return y / np.maximum(y.sum(axis=-1, keepdims=True), 1)


def bce_logit_gradient(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """d/dz of :func:`bce_value`: sigmoid(z) - y, each class by itself.

    Args:
        z: ... x K logits.
        y: ... x K labels, 0 or 1.

    Returns:
        ... x K. The mean of equation 1 divides it by K.
    """
    return sigmoid(z) - y


def sce_logit_gradient(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """d/dz of :func:`sce_value`: softmax(z) - y / (number of present classes).

    Args:
        z: ... x K logits.
        y: ... x K labels, 0 or 1.

    Returns:
        ... x K, summing to 0 along the last axis; all 0 where no class is present.
    """
    target = sce_target(y)
    return softmax(z) * target.sum(axis=-1, keepdims=True) - target


#: By loss: its value and its gradient, as functions of logits and labels.
FUNCTIONS = {"bce": (bce_value, bce_logit_gradient), "sce": (sce_value, sce_logit_gradient)}


def two_logits(difference: np.ndarray, total: np.ndarray | float) -> np.ndarray:
    """... x 2: (z_p, z_q) of z_p - z_q and z_p + z_q."""
    difference, total = np.broadcast_arrays(np.asarray(difference, dtype=np.float64), total)
    return np.stack([(total + difference) / 2, (total - difference) / 2], axis=-1)


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
    z, y = two_logits(difference, total), np.array([1.0, 0.0])
    bce, sce = bce_logit_gradient(z, y), sce_logit_gradient(z, y)
    return (bce[..., 0], bce[..., 1]), (sce[..., 0], sce[..., 1])


@dataclass(frozen=True)
class Surface:
    """Both losses over two logits, of a present class p and an absent class q.

    Attributes:
        difference: D, values of z_p - z_q.
        total: T, values of z_p + z_q.
        loss: by loss, T x D values of the loss.
        on_p, on_q: by loss, T x D gradients on z_p (never positive) and on z_q (never negative).
        careless: T x D bool: BCE has stopped caring about q, and SCE has not, see :func:`careless_region`.
        share: the share that the region was found with.
    """

    difference: np.ndarray
    total: np.ndarray
    loss: dict[str, np.ndarray]
    on_p: dict[str, np.ndarray]
    on_q: dict[str, np.ndarray]
    careless: np.ndarray
    share: float


def surface(reach: float = 8.0, points: int = 81, share: float = 0.1) -> Surface:
    """Losses and gradients over the square of z_p - z_q and z_p + z_q from ``-reach`` to ``reach``.

    Args:
        reach: of both axes, above 0.
        points: on each axis, 2 or more.
        share: see :func:`careless_region`.

    Raises:
        UserError: a number out of range.
    """
    if not (0 < reach <= 50 and 2 <= points <= 1001):
        raise UserError("A surface reaches from above 0 to 50 logits, with 2 to 1001 points on an axis.")
    axis = np.linspace(-reach, reach, points)
    difference, total = np.meshgrid(axis, axis)
    z, y = two_logits(difference, total), np.array([1.0, 0.0])
    gradients = {name: FUNCTIONS[name][1](z, y) for name in LOSSES}
    return Surface(
        axis,
        axis,
        {name: FUNCTIONS[name][0](z, y) for name in LOSSES},
        {name: gradients[name][..., 0] for name in LOSSES},
        {name: gradients[name][..., 1] for name in LOSSES},
        careless_region(difference, total, share),
        share,
    )


def careless_region(difference: np.ndarray, total: np.ndarray | float, share: float = 0.1) -> np.ndarray:
    """Where BCE has stopped caring about the absent class q, and SCE has not.

    BCE has stopped where its gradient on z_q, sigmoid(z_q), is below ``share`` of the greatest that it can be, 1. SCE
    has not where its own, softmax(z)_q, is not. With t = log(share / (1 - share)) that is z_q < t and z_p - z_q <= -t:
    both logits may be low, and q as strong as p.

    Args:
        difference, total: z_p - z_q and z_p + z_q, broadcast against each other.
        share: above 0 and below 0.5.

    Returns:
        Bools of their shape.

    Raises:
        UserError: a share out of range.
    """
    if not 0 < share < 0.5:
        raise UserError("The share below which a gradient counts as gone must be above 0 and below 0.5.")
    (_, bce), (_, sce) = two_class_gradients(difference, total)
    return (bce < share) & (sce >= share)


@dataclass(frozen=True)
class Descent:
    """Gradient descent on the logits themselves.

    Attributes:
        logits: (S + 1) x K, the start first.
        losses: S + 1, the value of the loss at each.
        rate: of the steps.
    """

    logits: np.ndarray
    losses: np.ndarray
    rate: float


def descend(loss: str, z: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray, rate: float = RATE,
            steps: int = STEPS) -> Descent:  # fmt: skip
    """Follow a loss downhill: z <- z - rate * dL/dz, so many times.

    Args:
        loss: ``bce`` or ``sce``.
        z: K logits to start from.
        y: K labels, 0 or 1.
        rate: above 0 and at most 4, where neither loss can climb (their curvature is at most 1/4 and 1/2).
        steps: 1 to 10,000.

    Raises:
        UserError: a number out of range, no logits, or labels that are not theirs.
    """
    if loss not in FUNCTIONS:
        raise UserError(f"There is no loss '{loss}': choose one of {', '.join(FUNCTIONS)}.")
    if not (0 < rate <= 4 and 1 <= steps <= 10_000):
        raise UserError("Descent takes a rate above 0 and at most 4, and 1 to 10000 steps.")
    start, labels = np.asarray(z, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if start.ndim != 1 or not len(start) or labels.shape != start.shape or not np.isfinite(start).all():
        raise UserError("Descent starts from one finite logit a class, with one label each.")
    value, gradient = FUNCTIONS[loss]
    path = [start]
    for _ in range(steps):
        path.append(path[-1] - rate * gradient(path[-1], labels))
    logits = np.stack(path)
    return Descent(logits, value(logits, labels), rate)
