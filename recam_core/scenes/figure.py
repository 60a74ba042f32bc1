"""A figure: what an object consists of, as a list of outlines, before it is placed in a picture."""

from dataclasses import dataclass, field

import numpy as np

from recam_core.scenes.colour import Colour
from recam_core.scenes.geometry import Points


@dataclass(frozen=True)
class Shape:
    """One outline of a figure.

    Attributes:
        points: N x 2, in the figure's own units.
        colour: its colour in white light.
        alpha: 0..255, how opaque it is.
        solid: whether it belongs to the silhouette (a part) or is only painted on it (a mark).
    """

    points: Points
    colour: Colour
    alpha: int
    solid: bool


@dataclass
class Figure:
    """Outlines in painting order; x to the right, y up from the ground at 0, about 1 unit long, facing right."""

    shapes: list[Shape] = field(default_factory=list)

    def part(self, points: Points, colour: Colour, alpha: int = 255) -> None:
        """Add an outline that the mask covers; a pane of glass has an ``alpha`` below 255 and is covered too."""
        self.shapes.append(Shape(points, colour, alpha, True))

    def mark(self, points: Points, colour: Colour, alpha: int = 255) -> None:
        """Add an outline that shows only where a part lies under it: a window, a patch, a shadow."""
        self.shapes.append(Shape(points, colour, alpha, False))

    def bounds(self) -> tuple[float, float, float, float]:
        """Left, bottom, right and top of all parts, in the figure's units."""
        points = np.concatenate([shape.points for shape in self.shapes if shape.solid])
        (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
        return float(x0), float(y0), float(x1), float(y1)
