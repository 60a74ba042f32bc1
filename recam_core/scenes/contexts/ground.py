"""What every strip of ground is given to draw itself."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recam_core.scenes.stage import Stage


@dataclass(frozen=True)
class Strip:
    """A strip of ground across the picture, from ``top`` (far) to ``bottom`` (near), shares of the height.

    ``at_horizon`` is true of the farthest one: tall scenery along its edge hides no figure.
    """

    top: float
    bottom: float
    at_horizon: bool = True

    def at(self, depth: float) -> float:
        """The height in the picture of a depth between 0 (far edge) and 1 (near edge)."""
        return self.top + (self.bottom - self.top) * depth

    def slab(self, start: float, end: float) -> np.ndarray:
        """The outline of the part of the strip between two depths."""
        y0, y1 = self.at(start), self.at(end)
        return np.array([(-0.01, y0), (1.01, y0), (1.01, y1), (-0.01, y1)])


#: Draws the strip itself: stage, random numbers, strip.
GroundFn = Callable[[Stage, np.random.Generator, Strip], None]


@dataclass(frozen=True)
class Context:
    """A surrounding: ``ground`` is the strip, ``behind`` is what stands along its far edge and belongs to nothing.

    ``stuff`` is the class that the strip shows where contexts are classes.
    """

    stuff: str
    ground: GroundFn
    behind: GroundFn


def nothing(stage: Stage, rng: np.random.Generator, strip: Strip) -> None:
    """No scenery."""


def wavy(rng: np.random.Generator, strip: Strip, height: float = 0.008) -> np.ndarray:
    """The outline of the strip, down to the bottom of the picture, with a softly waving far edge."""
    x = np.linspace(-0.02, 1.02, 24)
    y = strip.top + height * (np.sin(x * rng.uniform(5, 9) + rng.uniform(0, 6)) + 0.5 * np.sin(x * rng.uniform(14, 20)))
    return np.concatenate([np.stack([x, y], axis=1), [(1.02, 1.02), (-0.02, 1.02)]])
