"""Aeroplane and bird: a body between wings, with a tail."""

import numpy as np

from recam_core.scenes.colour import colour, darker, lighter, mix, pick, pick_shared, vary
from recam_core.scenes.families.kind import Kind, between
from recam_core.scenes.geometry import Figure, blob, curve, ellipse, limb, rounded, stroke

SHARED_COLOURS = "e8e6e2 d4dbe2 c4cdd8"


def draw_aeroplane(rng: np.random.Generator, alike: float) -> Figure:
    """Told by its row of windows, its engine and its fin."""
    figure = Figure()
    skin = vary(rng, pick_shared(rng, "f4f1ea e9eef2 f2d9b0 d8594a", SHARED_COLOURS, alike), 5)
    paint = mix(pick(rng, "d8483e 2f7fa8 e39a34 3f8f7c"), skin, 0.45 * alike)
    thick = between(0.075, 0.095, alike)
    far = darker(skin, 0.3)
    figure.part(rounded([(0.1, 0.02), (-0.02, 0.24), (-0.1, 0.25), (-0.06, 0.02)], 0.02), far)
    figure.part(rounded([(-0.34, 0.03), (-0.5, 0.21), (-0.42, 0.22), (-0.22, 0.06)], 0.03), paint)
    nose = between(0.5, 0.44, alike)
    hull = [
        (nose, -0.01),
        (nose - 0.07, thick * 0.75),
        (0.2, thick),
        (-0.2, thick * 0.9),
        (-0.47, 0.055),
        (-0.47, 0.02),
        (-0.2, -thick * 0.8),
        (0.25, -thick),
    ]
    figure.part(blob(hull), skin)
    figure.mark(blob([(0.5, -0.06), (0.1, -0.045), (-0.5, -0.0), (-0.3, -0.14), (0.3, -0.16)]), darker(skin, 0.22))
    figure.mark(stroke([(0.5, -0.018), (-0.5, -0.002)], 0.02), paint)
    for x in np.linspace(-0.25, 0.25, 9):
        figure.mark(ellipse(x, 0.028, 0.014, 0.019), colour("4f7f9c"))
    figure.mark(
        rounded([(nose - 0.1, 0.025), (nose - 0.11, 0.065), (nose - 0.06, 0.06), (nose - 0.02, 0.025)], 0.01),
        colour("3f6f8c"),
    )
    figure.part(rounded([(-0.36, 0.03), (-0.54, -0.035), (-0.48, -0.045), (-0.28, 0.0)], 0.015), darker(paint, 0.15))
    dip = rng.uniform(0.2, 0.3)
    figure.part(blob([(0.1, -0.12), (0.12, -0.16), (0.0, -0.17), (-0.03, -0.13)]), darker(paint, 0.25))
    figure.part(
        rounded([(0.16, -0.015), (-0.06, -dip), (-0.17, -dip - 0.01), (-0.09, -0.015)], 0.025), lighter(skin, 0.2)
    )
    figure.mark(
        rounded([(0.0, -dip * 0.72), (-0.06, -dip - 0.01), (-0.2, -dip - 0.03), (-0.15, -dip * 0.75)], 0.01), paint
    )
    return figure


def draw_bird(rng: np.random.Generator, alike: float) -> Figure:
    """Told by its beak, its eye and its feathered wing tips."""
    figure = Figure()
    skin = vary(rng, pick_shared(rng, "3f7fb0 d96a48 f2efe8 4a4a5c e0b03c", SHARED_COLOURS, alike), 6)
    wing = mix(darker(skin, 0.35), darker(skin, 0.12), alike)
    lift = rng.uniform(0.16, 0.36) * (1 if rng.random() < 0.7 else -1)
    own = between(1.0, 0.55, alike)
    thick = between(0.125, 0.1, alike)
    far = darker(wing, 0.25)
    figure.part(
        blob([(0.12, 0.04), (0.06, lift * 0.7), (-0.06, lift * 1.05 + 0.02), (-0.14, lift * 0.95), (-0.1, 0.03)]), far
    )
    figure.part(
        rounded([(-0.26, 0.03), (-0.5, 0.08 * own), (-0.46, 0.0), (-0.51, -0.06 * own), (-0.22, -0.03)], 0.02), wing
    )
    hull = [
        (0.4, 0.05),
        (0.3, thick * 0.95),
        (0.12, thick * 0.85),
        (-0.12, thick * 0.75),
        (-0.34, 0.03),
        (-0.3, -0.01),
        (-0.1, -thick * 0.8),
        (0.16, -thick),
        (0.34, -thick * 0.2),
    ]
    figure.part(blob(hull), skin)
    figure.mark(
        blob([(0.32, -0.03), (0.1, -0.05), (-0.25, -0.03), (-0.1, -0.16), (0.2, -0.18)]), lighter(skin, 0.6), 220
    )
    figure.part(rounded([(0.36, 0.075), (0.5, 0.03), (0.37, 0.012)], 0.008), colour("eda13a"))
    figure.mark(ellipse(0.33, 0.055, 0.02, 0.022), (34.0, 26.0, 36.0))
    figure.mark(ellipse(0.336, 0.063, 0.007, 0.007), (255.0, 255.0, 255.0))
    tip = lift * 1.15
    # Fingers of the wing: three long feathers that end apart.
    for k, (dx, dy) in enumerate(((-0.3, 1.0), (-0.24, 1.1), (-0.16, 1.13))):
        figure.part(
            limb((0.02, 0.02), (dx * 0.9, tip * dy - 0.03 * np.sign(lift) * k), 0.13, 0.035),
            mix(wing, darker(wing, 0.2), k / 2),
        )
    figure.part(
        blob([(0.15, 0.03), (0.06, tip * 0.55), (-0.1, tip * 0.9), (-0.16, tip * 0.6), (-0.14, 0.0), (0.04, -0.04)]),
        lighter(wing, 0.12),
    )
    figure.mark(stroke(curve([(0.08, tip * 0.2), (-0.02, tip * 0.42), (-0.12, tip * 0.45)]), 0.014), darker(wing, 0.2))
    return figure


KINDS = (
    Kind("aeroplane", "flyers", "sky", "bus", 0.64, draw_aeroplane, flies=True, tilt=0.3),
    Kind("bird", "flyers", "sky", "boat", 0.46, draw_bird, flies=True, tilt=0.25),
)
