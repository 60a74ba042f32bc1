"""A lake or the sea, with waves, reflections and a far shore."""

import numpy as np

from recam_core.scenes.backdrop import tree
from recam_core.scenes.colour import darker, lighter, mix
from recam_core.scenes.contexts.ground import Context, Strip
from recam_core.scenes.geometry import box, ellipse
from recam_core.scenes.stage import Stage


def water(stage: Stage, rng: np.random.Generator, strip: Strip) -> None:
    far, near = stage.palette.water
    stage.lay(strip.slab(0.0, 1.4), far, darker(near, 0.12))
    for x, depth, w, light in rng.uniform(0, 1, (46, 4)):
        half, thick = 0.015 + 0.05 * w * (0.4 + depth), 0.0016 + 0.003 * depth
        tone = lighter(mix(far, near, depth), 0.55) if light > 0.35 else darker(near, 0.25)
        stage.paint(ellipse(x, strip.at(0.03 + 0.95 * depth), half, thick, steps=12), tone, 150)
    glow = rng.uniform(0.2, 0.8)
    for depth in np.linspace(0.02, 0.8, 12):
        half = 0.03 + 0.05 * rng.random()
        stage.paint(
            ellipse(glow + rng.normal(0, 0.015), strip.at(depth), half, 0.003, steps=12), stage.palette.sun, 120
        )


def shore(stage: Stage, rng: np.random.Generator, strip: Strip) -> None:
    """A low line of land with trees at the far edge."""
    palette = stage.palette
    start, end = sorted(rng.uniform(-0.2, 1.2, 2))
    y = strip.top
    for x in rng.uniform(start, end, 7):
        tree(stage, rng, x, y + 0.002, rng.uniform(0.05, 0.09), 0.3)
    bank = mix(palette.grass[1], palette.haze, 0.3)
    stage.cover(ellipse((start + end) / 2, y, (end - start) / 2 + 0.06, 0.012, steps=24), bank)
    stage.paint(box(-0.01, y + 0.0, 1.01, y + 0.004), lighter(palette.water[0], 0.5), 160)


WATER = Context("water", water, shore)
