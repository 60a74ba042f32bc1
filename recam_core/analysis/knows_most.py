"""Which of several networks knows most about a photo that nobody has labelled."""

from collections.abc import Mapping

import numpy as np

#: A class counts as seen from this probability on, as in ``maps.inference.predicted_classes``.
SEEN = 0.5


def seen_classes(probabilities: np.ndarray) -> np.ndarray:
    """The indices of the classes that a network sees, by its K probabilities; none where it is sure of none."""
    return np.flatnonzero(np.asarray(probabilities) > SEEN)


def knowledge(probabilities: np.ndarray, has_background: bool) -> float:
    """How many classes a network is likely right to see: the sum of the probabilities of those that it sees.

    Args:
        probabilities: K, of the classes, each by itself (a sigmoid).
        has_background: whether its classes leave a background. If not, a single class is no knowledge: it gets
            every pixel of the photo, whatever the method.
    """
    seen = seen_classes(probabilities)
    if len(seen) < 2 and not has_background:
        return 0.0
    return float(np.asarray(probabilities, dtype=np.float64)[seen].sum())


def knows_most(probabilities: Mapping[str, np.ndarray], has_background: Mapping[str, bool]) -> str:
    """The network that knows most; where none knows anything, the one with the highest single probability.

    Probabilities mean something on pictures like those that a network was trained on: networks that were trained on
    drawings see much in photographs that is not there, and do not belong among those that are asked.

    Args:
        probabilities: by the name of the network, K of its classes; at least one network.
        has_background: by the name, whether its classes leave a background.

    Returns:
        The name; of equals, the first.
    """

    def worth(name: str) -> tuple[float, float]:
        return knowledge(probabilities[name], has_background[name]), float(np.max(probabilities[name], initial=0))

    return max(probabilities, key=worth)
