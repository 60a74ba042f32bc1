"""Bicycle and motorbike: two wheels, a frame, a saddle and handlebars."""

import numpy as np

from recam_core.scenes.colour import colour, darker, lighter, mix, pick, vary
from recam_core.scenes.families.kind import Kind, between
from recam_core.scenes.geometry import Figure, blob, curve, ellipse, limb, ring, rounded, stroke

TYRE = colour("3a3442")
STEEL = colour("c9c7cf")
FRAMES = "2f8f8a d8574a e2a03a 4a6fa8 8a5a8c"


def _wheel(figure: Figure, x: float, radius: float, tyre: float, spokes: int) -> None:
    """A wheel one can see through; the mask covers its whole disc."""
    figure.part(ellipse(x, radius, radius, radius), (240.0, 240.0, 245.0), 70)
    for turn in np.arange(spokes) * np.pi / spokes + 0.3:
        dx, dy = np.cos(turn) * radius * 0.9, np.sin(turn) * radius * 0.9
        figure.part(stroke([(x - dx, radius - dy), (x + dx, radius + dy)], 0.006), STEEL)
    figure.part(ring(x, radius, radius, radius - tyre), TYRE)
    figure.part(ring(x, radius, radius - tyre * 0.9, radius - tyre * 1.3), STEEL)
    figure.part(ellipse(x, radius, 0.028, 0.028), STEEL)


def draw_bicycle(rng: np.random.Generator, alike: float) -> Figure:
    """Told by the open diamond of its frame and the pedals."""
    figure = Figure()
    paint = vary(rng, pick(rng, FRAMES), 8)
    radius, tyre = between(0.232, 0.205, alike), between(0.022, 0.045, alike)
    reach = between(0.28, 0.29, alike)
    for x in (-reach, reach):
        _wheel(figure, x, radius, tyre, 5)
    tube = between(0.026, 0.034, alike)
    rear, front, pedal, seat, head = (
        (-reach, radius),
        (reach, radius),
        (-0.03, radius - 0.01),
        (-0.12, 0.45),
        (0.19, 0.46),
    )
    for a, b in ((rear, pedal), (rear, seat), (pedal, seat), (pedal, head), (seat, head)):
        figure.part(limb(a, b, tube, tube), paint)
    figure.part(limb(front, (0.175, 0.52), tube, tube), darker(paint, 0.2))
    figure.part(limb(seat, (-0.135, 0.5), tube * 0.8, tube * 0.8), TYRE)
    figure.part(
        blob([(-0.22, 0.515), (-0.13, 0.53), (-0.04, 0.51), (-0.1, 0.49), (-0.2, 0.485)]), darker(colour("7a4a34"), 0.1)
    )
    figure.part(stroke(curve([(0.175, 0.51), (0.19, 0.58), (0.3, 0.57), (0.28, 0.5)]), 0.024), TYRE)
    figure.part(ring(-0.03, radius - 0.01, 0.062, 0.04), darker(paint, 0.5))
    turn = rng.uniform(0, np.pi)
    dx, dy = 0.1 * np.cos(turn), 0.1 * np.sin(turn)
    figure.part(limb((-0.03 - dx, radius - dy), (-0.03 + dx, radius + dy), 0.02, 0.02), TYRE)
    if rng.random() < 0.4:
        figure.part(rounded([(0.22, 0.4), (0.2, 0.53), (0.37, 0.53), (0.35, 0.4)], 0.02), colour("c8965a"))
        figure.mark(stroke([(0.2, 0.48), (0.4, 0.48)], 0.012), colour("a87840"))
    return figure


def draw_motorbike(rng: np.random.Generator, alike: float) -> Figure:
    """Told by its engine, tank and exhaust between the wheels."""
    figure = Figure()
    paint = vary(rng, pick(rng, FRAMES), 8)
    radius, tyre = between(0.185, 0.205, alike), between(0.058, 0.045, alike)
    reach = between(0.31, 0.29, alike)
    for x in (-reach, reach):
        _wheel(figure, x, radius, tyre, 4)
    dark = darker(paint, 0.35)
    figure.part(limb((reach, radius), (0.17, 0.5), 0.036, 0.036), STEEL)
    figure.part(limb((-reach, radius), (0.0, 0.2), 0.04, 0.04), TYRE)
    figure.part(rounded([(-0.15, 0.11), (-0.14, 0.28), (0.12, 0.3), (0.15, 0.13)], 0.04), mix(STEEL, TYRE, 0.45))
    figure.mark(ellipse(-0.03, 0.19, 0.06, 0.06), STEEL)
    for y in (0.22, 0.245, 0.27):
        figure.mark(stroke([(0.04, y - 0.03), (0.14, y - 0.03)], 0.01), lighter(STEEL, 0.2))
    figure.part(limb((0.06, 0.12), (-0.42, 0.13), 0.03, 0.05), lighter(STEEL, 0.25))
    figure.part(
        blob([(-0.4, 0.4), (-0.34, 0.44), (-0.16, 0.37), (0.0, 0.36), (0.05, 0.3), (-0.14, 0.27), (-0.3, 0.32)]), dark
    )
    figure.part(blob([(-0.08, 0.35), (0.0, 0.43), (0.13, 0.44), (0.2, 0.38), (0.12, 0.29), (0.0, 0.29)]), paint)
    figure.mark(blob([(0.0, 0.4), (0.06, 0.42), (0.14, 0.41), (0.08, 0.38)]), lighter(paint, 0.6), 190)
    figure.part(blob([(-0.38, 0.43), (-0.3, 0.46), (-0.12, 0.41), (-0.06, 0.37), (-0.18, 0.36), (-0.3, 0.4)]), TYRE)
    figure.part(stroke(curve([(0.17, 0.47), (0.15, 0.56), (0.06, 0.55)]), 0.026), TYRE)
    figure.part(ellipse(0.215, 0.44, 0.05, 0.055), dark)
    figure.part(ellipse(0.24, 0.44, 0.03, 0.045), colour("fff0b0"))
    figure.part(stroke(curve([(0.16, 0.38), (0.3, 0.46), (0.42, 0.36), (0.44, 0.3)]), 0.03, 0.02), paint)
    return figure


KINDS = (
    Kind("bicycle", "cycles", "garden", "person", 0.56, draw_bicycle),
    Kind("motorbike", "cycles", "road", "truck", 0.56, draw_motorbike),
)
