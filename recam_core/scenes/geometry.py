"""Outlines of simple shapes as N x 2 arrays of points, and figures made of them.

All in a figure's own units: x to the right, y up.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from recam_core.scenes.colour import Colour

Points = np.ndarray


@lru_cache(maxsize=64)
def _circle(steps: int) -> Points:
    t = np.linspace(0.0, 2.0 * np.pi, steps, endpoint=False)
    return np.stack([np.cos(t), np.sin(t)], axis=1)


def ellipse(cx: float, cy: float, rx: float, ry: float, angle: float = 0.0, steps: int = 28) -> Points:
    """An ellipse around (cx, cy) turned by ``angle`` radians."""
    circle = _circle(steps)
    if angle:
        c, s = np.cos(angle), np.sin(angle)
        return circle @ np.array([(rx * c, rx * s), (-ry * s, ry * c)]) + (cx, cy)
    return circle * (rx, ry) + (cx, cy)


def arch(cx: float, cy: float, rx: float, ry: float, start: float = 0.0, end: float = np.pi, steps: int = 18) -> Points:
    """The part of an ellipse between two angles, closed by its chord."""
    t = np.linspace(start, end, steps)
    return np.stack([cx + rx * np.cos(t), cy + ry * np.sin(t)], axis=1)


def ring(cx: float, cy: float, outer: float, inner: float, steps: int = 30) -> Points:
    """A circle with a hole, as one outline that runs round the rim and back round the hole."""
    t = np.linspace(0.0, 2.0 * np.pi, steps)
    circle = np.stack([np.cos(t), np.sin(t)], axis=1)
    return np.concatenate([circle * outer, circle[::-1] * inner]) + np.array([cx, cy])


def box(x0: float, y0: float, x1: float, y1: float, radius: float = 0.0) -> Points:
    """A rectangle, its corners rounded."""
    if radius <= 0:
        return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    return rounded([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], radius)


def rounded(corners: Sequence[tuple[float, float]] | Points, radius: float, steps: int = 5) -> Points:
    """A polygon whose corners are replaced by quadratic curves that start ``radius`` before each corner."""
    corner = np.asarray(corners, dtype=float)
    to_previous, to_next = np.roll(corner, 1, axis=0) - corner, np.roll(corner, -1, axis=0) - corner
    length_p = np.maximum(np.hypot(*to_previous.T), 1e-9)[:, None]
    length_n = np.maximum(np.hypot(*to_next.T), 1e-9)[:, None]
    start = corner + to_previous / length_p * np.minimum(radius, length_p * 0.48)
    end = corner + to_next / length_n * np.minimum(radius, length_n * 0.48)
    t = np.linspace(0.0, 1.0, steps)[None, :, None]
    curve = start[:, None] * (1 - t) ** 2 + corner[:, None] * 2 * t * (1 - t) + end[:, None] * t**2
    return curve.reshape(-1, 2)


def blob(knots: Sequence[tuple[float, float]] | Points, steps: int = 6) -> Points:
    """A smooth closed outline (Catmull-Rom) through the knots."""
    p1 = np.asarray(knots, dtype=float)
    p0, p2, p3 = np.roll(p1, 1, axis=0), np.roll(p1, -1, axis=0), np.roll(p1, -2, axis=0)
    t = np.linspace(0.0, 1.0, steps, endpoint=False)[None, :, None]
    p0, p1, p2, p3 = (p[:, None] for p in (p0, p1, p2, p3))
    curve = 0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3)
    return curve.reshape(-1, 2)


def limb(start: tuple[float, float], end: tuple[float, float], width0: float, width1: float) -> Points:
    """A tapering stroke with round ends."""
    a, b = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
    angle = np.arctan2(*(b - a)[::-1])
    t = np.linspace(np.pi / 2, 3 * np.pi / 2, 7) + angle
    back = a + np.stack([np.cos(t), np.sin(t)], axis=1) * width0 / 2
    front = b + np.stack([np.cos(t + np.pi), np.sin(t + np.pi)], axis=1) * width1 / 2
    return np.concatenate([back, front])


def stroke(points: Sequence[tuple[float, float]] | Points, width0: float, width1: float | None = None) -> Points:
    """A line of the given width (tapering to ``width1``) along the points."""
    p = np.asarray(points, dtype=float)
    direction = np.gradient(p, axis=0)
    normal = np.stack([-direction[:, 1], direction[:, 0]], axis=1)
    normal /= np.maximum(np.hypot(*normal.T), 1e-9)[:, None]
    half = np.linspace(width0, width0 if width1 is None else width1, len(p))[:, None] / 2
    return np.concatenate([p + normal * half, (p - normal * half)[::-1]])


def curve(knots: Sequence[tuple[float, float]], steps: int = 12) -> Points:
    """A smooth open line: the Bezier curve of the knots (3 or 4 of them)."""
    p = np.asarray(knots, dtype=float)
    t = np.linspace(0.0, 1.0, steps)[:, None, None]
    level = np.broadcast_to(p, (steps, *p.shape))
    while level.shape[1] > 1:
        level = level[:, :-1] * (1 - t) + level[:, 1:] * t
    return level[:, 0]


# Figures --------------------------------------------------------------------------------------------------------------


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
