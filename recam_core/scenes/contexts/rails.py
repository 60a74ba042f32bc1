"""Rails on sleepers in a gravel bed, with the masts of the overhead line."""

import numpy as np

from recam_core.scenes.colour import colour, darker, lighter, mix
from recam_core.scenes.contexts.ground import Context, Strip
from recam_core.scenes.geometry import box, ellipse
from recam_core.scenes.stage import Stage

STEEL = colour("d9d6dc")


def rails(stage: Stage, rng: np.random.Generator, strip: Strip) -> None:
    gravel = stage.palette.gravel
    stage.lay(strip.slab(0.0, 1.6), lighter(gravel, 0.25), darker(gravel, 0.12))
    stones = rng.uniform(0, 1, (70, 3))
    for x, depth, light in stones:
        tone = lighter(gravel, 0.4) if light > 0.5 else darker(gravel, 0.25)
        stage.strew(ellipse(x, strip.at(depth), 0.006, 0.004, steps=7), tone, 170)
    wood = darker(stage.palette.wood, 0.45)
    for near, far in ((0.42, 0.12), (0.95, 0.58)):
        y0, y1 = strip.at(far), strip.at(near)
        for x in np.arange(rng.uniform(-0.06, 0), 1.06, 0.062):
            stage.paint(np.array([(x, y0), (x + 0.026, y0), (x + 0.03, y1), (x - 0.004, y1)]), wood)
        for share in (0.2, 0.75):
            y = y0 + (y1 - y0) * share
            stage.paint(box(-0.01, y, 1.01, y + 0.013), darker(STEEL, 0.6))
            stage.paint(box(-0.01, y, 1.01, y + 0.006), STEEL)


def masts(stage: Stage, rng: np.random.Generator, strip: Strip) -> None:
    """Masts with an arm and the wires between them."""
    tone = mix(colour("5a5666"), stage.palette.haze, 0.2)
    y, h = strip.top + 0.01, rng.uniform(0.26, 0.32) if strip.at_horizon else 0.2
    for level in (h * 0.98, h * 0.84):
        stage.cover(box(-0.01, y - level - 0.0015, 1.01, y - level + 0.0015), tone)
    gap = rng.uniform(0.34, 0.46)
    for x in np.arange(rng.uniform(0.02, gap), 1.02, gap):
        stage.cover(box(x - 0.006, y - h - 0.02, x + 0.006, y), tone)
        stage.cover(box(x - 0.006, y - h * 0.92, x + 0.055, y - h * 0.92 + 0.006), tone)
        stage.cover(box(x - 0.014, y - 0.012, x + 0.014, y), lighter(tone, 0.4))


RAILS = Context("rails", rails, masts)
