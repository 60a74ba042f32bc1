"""Boat: a hull under sails or under a cabin."""

import numpy as np

from recam_core.scenes.colour import colour, darker, lighter, pick, vary
from recam_core.scenes.families.kind import Kind
from recam_core.scenes.geometry import Figure, blob, box, curve, ellipse, rounded, stroke


def draw_boat(rng: np.random.Generator, alike: float) -> Figure:
    """A sailing boat or a fishing boat; alone in its family, it does not depend on ``alike``."""
    figure = Figure()
    paint = vary(rng, pick(rng, "c8493e 2f6f96 f1e6d2 3f8f82 8a5a44"), 6)
    trim = lighter(paint, 0.7) if sum(paint) < 520 else colour("b5483c")
    if rng.random() < 0.6:
        sail = vary(rng, pick(rng, "fbf6ea f2dcb8 e87f5a f4c95a"), 5)
        height, mast = rng.uniform(0.66, 0.82), rng.uniform(-0.04, 0.08)
        figure.part(box(mast - 0.011, 0.1, mast + 0.011, height + 0.03), colour("7a5a44"))
        main = np.concatenate(
            [curve([(mast - 0.015, height), (mast - 0.2, 0.5), (mast - 0.4, 0.23)]), [(mast - 0.015, 0.21)]]
        )
        figure.part(main, sail)
        for y in (0.36, 0.5):
            figure.mark(stroke([(mast - 0.5, y - 0.02), (mast - 0.02, y)], 0.008), darker(sail, 0.15))
        jib = np.concatenate(
            [curve([(mast + 0.02, height - 0.06), (mast + 0.2, 0.45), (0.44, 0.2)]), [(mast + 0.03, 0.23)]]
        )
        figure.part(jib, darker(sail, 0.1))
        figure.part(np.array([(mast, height + 0.03), (mast - 0.1, height + 0.06), (mast, height + 0.09)]), trim)
    else:
        wall = colour("f4ecdc")
        x = rng.uniform(-0.28, -0.12)
        figure.part(box(x + 0.02, 0.15, x + 0.32, 0.4, 0.02), wall)
        figure.part(rounded([(x - 0.02, 0.4), (x - 0.02, 0.44), (x + 0.38, 0.44), (x + 0.36, 0.4)], 0.015), paint)
        for k in range(3):
            figure.mark(box(x + 0.05 + 0.09 * k, 0.27, x + 0.115 + 0.09 * k, 0.36, 0.015), colour("7fb4c8"))
        figure.part(box(x + 0.07, 0.44, x + 0.15, 0.58, 0.012), colour("4a4656"))
        figure.mark(box(x, 0.5, x + 0.2, 0.54), trim)
        figure.part(box(0.3, 0.15, 0.318, 0.48), colour("7a5a44"))
        figure.part(stroke(curve([(0.309, 0.47), (0.4, 0.36), (0.46, 0.22)]), 0.008), colour("7a5a44"))
    hull = np.concatenate(
        [
            curve([(-0.47, 0.18), (-0.2, 0.14), (0.2, 0.13), (0.54, 0.23)]),
            curve([(0.46, 0.1), (0.42, 0.0), (0.3, -0.02)]),
            curve([(-0.36, -0.02), (-0.42, 0.0), (-0.46, 0.1)]),
        ]
    )
    figure.part(hull, paint)
    figure.mark(blob([(-0.5, 0.03), (0.0, 0.025), (0.5, 0.05), (0.5, -0.1), (-0.5, -0.1)]), darker(paint, 0.4))
    figure.mark(stroke(curve([(-0.5, 0.155), (-0.2, 0.115), (0.2, 0.105), (0.55, 0.2)]), 0.02), trim)
    for x in (-0.26, -0.12, 0.02):
        figure.mark(ellipse(x, 0.082, 0.02, 0.02), trim)
        figure.mark(ellipse(x, 0.082, 0.012, 0.012), darker(paint, 0.5))
    return figure


KINDS = (Kind("boat", "boats", "water", "bird", 0.6, draw_boat, tilt=0.05),)
