"""What the generator knows about one class."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recam_core.scenes.geometry import Figure

#: ``draw(rng, alike)`` builds a figure of the class. ``alike`` (0..1) is the dial ``shared_parts``: at 1 everything
#: that the members of a family have in common has the same form and colours, and only the telling details differ.
DrawFn = Callable[[np.random.Generator, float], Figure]


@dataclass(frozen=True)
class Kind:
    """One class.

    Attributes:
        name: the class name.
        family: classes of one family share parts.
        context: the surroundings it is usually met in (a key of ``contexts.CONTEXTS``, or "sky").
        companion: the class that it is usually met with.
        length: its usual length as a share of the picture's width (for a figure 1 unit long).
        draw: builds its figure.
        flies: whether it floats above the ground rather than standing on it.
        tilt: greatest rotation in radians.
    """

    name: str
    family: str
    context: str
    companion: str
    length: float
    draw: DrawFn
    flies: bool = False
    tilt: float = 0.0


def between(own: float, shared: float, alike: float) -> float:
    """A measure of the body between the class's own value and the family's common one."""
    return own + (shared - own) * alike
