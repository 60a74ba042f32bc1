"""Person: alone in the family, met with dogs, bicycles and gardens."""

import numpy as np

from recam_core.scenes.colour import colour, darker, lighter, pick, vary
from recam_core.scenes.families.kind import Kind
from recam_core.scenes.geometry import Figure, arch, blob, ellipse, limb, rounded


def draw_person(rng: np.random.Generator, alike: float) -> Figure:
    """A walking person; alone in its family, it does not depend on ``alike``."""
    figure = Figure()
    skin = vary(rng, pick(rng, "f2c6a0 d89c6c a8704a 7a4c36 e8b088"), 5)
    shirt = vary(rng, pick(rng, "d8574a e8a93c 3f7fa0 5a9c80 8a5a8c f0e4d0"), 6)
    cloth = vary(rng, pick(rng, "3a4a6c 5a4a4a 8a7a62 2f5f6c"), 6)
    hair = pick(rng, "3a2a28 6a4430 c8924a 24222c b8b0ac")
    shoe = colour("3a3038")
    step, swing = rng.uniform(-0.13, 0.13), rng.uniform(-0.13, 0.13)
    dress = rng.random() < 0.35
    shoulder, hip = 0.76, 0.47
    figure.part(limb((0.04, shoulder - 0.02), (0.05 + swing, 0.5), 0.075, 0.06), darker(shirt, 0.3))
    figure.part(ellipse(0.055 + swing, 0.48, 0.036, 0.038), darker(skin, 0.2))
    for side, tone in ((-step, darker(skin if dress else cloth, 0.25)), (step, skin if dress else cloth)):
        knee = (side * 0.6 + 0.025, 0.25)
        figure.part(limb((0.0, hip), knee, 0.125, 0.095), tone)
        figure.part(limb(knee, (side, 0.05), 0.095, 0.07), tone)
        figure.part(
            blob(
                [
                    (side - 0.045, 0.065),
                    (side + 0.02, 0.075),
                    (side + 0.105, 0.03),
                    (side + 0.1, 0.0),
                    (side - 0.045, 0.0),
                ]
            ),
            shoe,
        )
    if dress:
        figure.part(rounded([(-0.09, 0.56), (-0.19, 0.27), (0.19, 0.27), (0.09, 0.56)], 0.04), shirt)
        figure.mark(rounded([(-0.2, 0.27), (0.2, 0.27), (0.19, 0.31), (-0.19, 0.31)], 0.01), lighter(shirt, 0.4))
    figure.part(
        blob(
            [
                (-0.1, hip - 0.03),
                (-0.115, 0.6),
                (-0.12, 0.76),
                (-0.04, 0.81),
                (0.06, 0.81),
                (0.12, 0.75),
                (0.105, 0.6),
                (0.1, hip - 0.03),
            ]
        ),
        shirt,
    )
    figure.mark(ellipse(-0.1, 0.6, 0.06, 0.2), darker(shirt, 0.25), 90)
    if rng.random() < 0.4 and not dress:
        for y in (0.55, 0.63, 0.71):
            figure.mark(limb((-0.2, y), (0.2, y), 0.03, 0.03), lighter(shirt, 0.6))
    figure.part(limb((0.0, 0.8), (0.01, 0.86), 0.075, 0.07), darker(skin, 0.12))
    figure.part(ellipse(0.02, 0.925, 0.088, 0.098), skin)
    figure.part(ellipse(0.108, 0.915, 0.02, 0.016), skin)
    figure.mark(ellipse(0.065, 0.93, 0.011, 0.014), (40.0, 28.0, 34.0))
    figure.mark(ellipse(0.05, 0.89, 0.028, 0.014), (220.0, 110.0, 100.0), 90)
    if rng.random() < 0.5:
        figure.part(
            blob(
                [
                    (0.07, 1.0),
                    (0.0, 1.045),
                    (-0.09, 1.0),
                    (-0.12, 0.9),
                    (-0.09, 0.82 if dress else 0.87),
                    (-0.04, 0.9),
                    (0.0, 0.97),
                ]
            ),
            hair,
        )
    else:
        hat = vary(rng, pick(rng, "c8483c e6c68a 3a5a7c 5a7a4a"), 5)
        figure.part(arch(0.01, 0.955, 0.1, 0.1), hat)
        figure.part(limb((-0.1, 0.957), (0.15, 0.957), 0.028, 0.022), darker(hat, 0.2))
    elbow = (-0.02 - swing * 0.5 - 0.02, 0.62)
    hand = (-swing + 0.03, 0.49)
    figure.part(limb((-0.03, shoulder - 0.02), elbow, 0.085, 0.07), lighter(shirt, 0.1))
    figure.part(limb(elbow, hand, 0.07, 0.058), lighter(shirt, 0.1))
    figure.part(ellipse(*hand, 0.036, 0.038), skin)
    turn = rng.uniform(0.92, 1.08)
    for shape in figure.shapes:
        shape.points[:, 0] *= turn
    return figure


KINDS = (Kind("person", "people", "garden", "bicycle", 0.56, draw_person),)
