"""What to show first: the pictures on which a second method gains most over a first, and whose classes a photo shows.

The rule: of each picture, the pixels that the second method has right and the first wrong, less those that it has
wrong and the first right, as a share of the pixels that count. That is the difference of their right pixels, so the
kept counts of both suffice, and neither maps nor pictures are read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recam_core.analysis.analysed import Analysed
from recam_core.analysis.outcomes import Outcomes, outcomes_of_all
from recam_core.maps.inference import SEEN
from recam_core.scores.metrics import ratio


@dataclass(frozen=True, eq=False)
class Standing:
    """How two methods stand to each other on N pictures.

    Attributes:
        ids: N picture ids, in the order of the data set.
        gain: N, float64, -1..1; pixels taken back less pixels lost, as a share of the pixels that count; nan where
            none does.
    """

    ids: tuple[str, ...]
    gain: np.ndarray

    @property
    def mean(self) -> float:
        """The mean gain of the pictures that have one; nan without any."""
        known = self.gain[~np.isnan(self.gain)]
        return float(known.mean()) if len(known) else float("nan")

    @cached_property
    def striking(self) -> tuple[str, ...]:
        """Ids of the pictures with a gain above 0, largest first; equal ones in the order of the data set."""
        order = np.argsort(-np.nan_to_num(self.gain), kind="stable")
        return tuple(self.ids[place] for place in order.tolist() if self.gain[place] > 0)

    @property
    def best(self) -> str | None:
        """The picture with the largest gain; None where there is no gain on any."""
        return self.striking[0] if self.striking else None

    @property
    def worst(self) -> str | None:
        """The picture with the largest loss; None where there is no loss on any."""
        gain = np.nan_to_num(self.gain)
        return self.ids[int(gain.argmin())] if len(gain) and gain.min() < 0 else None

    @property
    def first(self) -> str | None:
        """The picture to begin with: the best where the second method gains on the mean, else the worst."""
        return (self.best if self.mean > 0 else self.worst) or self.best

    def after(self, id: str) -> str | None:
        """The next striking picture: the one with the next smaller gain, or the best after the last, and after others.

        Args:
            id: the picture that is looked at.

        Returns:
            None where there is no other.
        """
        place = self.striking.index(id) + 1 if id in self.striking else 0
        following = self.striking[place % len(self.striking)] if self.striking else None
        return None if following == id else following


def standing(first: Analysed, second: Analysed) -> Standing:
    """How two methods stand to each other, each at its own threshold.

    Args:
        first, second: on the same pictures.

    Raises:
        UserError: their pictures or classes differ.
    """
    # Both may have the same key, and keys are not of interest here.
    counts = {"first": first.counts, "second": second.counts}
    found = outcomes_of_all(counts, {"first": first.threshold, "second": second.threshold})
    before, after = _right(found["first"]), _right(found["second"])
    whole = np.bincount(found["first"].image, weights=found["first"].pixels, minlength=len(before))
    return Standing(tuple(first.counts.ids), ratio(after - before, whole))


def opens_with(standings: Mapping[str, Standing]) -> str | None:
    """Where to begin: the set whose best picture has the largest gain, among those with a gain on the mean.

    One lucky picture of a set on which the second method loses proves nothing; only where all lose is it taken.

    Args:
        standings: by the name of the set; the first of equals is taken.

    Returns:
        The name; None where no picture of any set has a gain.
    """
    with_gain = {name: one for name, one in standings.items() if one.best is not None}
    fair = {name: one for name, one in with_gain.items() if one.mean > 0} or with_gain
    return max(fair, key=lambda name: float(np.nanmax(fair[name].gain)), default=None)


def _right(outcomes: Outcomes) -> np.ndarray:
    """N, float64: right pixels of each picture. Sums are exact: float64 holds whole numbers up to 2^53."""
    right = outcomes.truth == outcomes.predicted
    return np.bincount(outcomes.image[right], weights=outcomes.pixels[right], minlength=outcomes.pictures)


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
