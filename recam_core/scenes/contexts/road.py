"""A road with kerbs and a dashed line, and houses along its far side."""

import numpy as np

from recam_core.scenes.colour import colour, darker, lighter, mix, pick
from recam_core.scenes.contexts.ground import Context, Strip
from recam_core.scenes.geometry import box
from recam_core.scenes.stage import Stage


def road(stage: Stage, rng: np.random.Generator, strip: Strip) -> None:
    tone = stage.palette.road
    kerb = lighter(tone, 0.5)
    stage.lay(strip.slab(0.0, 1.6), mix(tone, stage.palette.haze, 0.25), darker(tone, 0.15))
    stage.paint(strip.slab(0.0, 0.1), kerb)
    stage.paint(strip.slab(0.1, 0.14), darker(tone, 0.3))
    y, dash = strip.at(0.56), rng.uniform(0.12, 0.17)
    for x in np.arange(rng.uniform(-dash, 0), 1.1, dash):
        stage.paint(
            np.array(
                [(x, y - 0.006), (x + dash * 0.52, y - 0.006), (x + dash * 0.5, y + 0.008), (x - 0.008, y + 0.008)]
            ),
            colour("f4ead0"),
        )
    for x, depth, w in rng.uniform(0, 1, (16, 3)):
        at = strip.at(0.2 + 0.75 * depth)
        stage.paint(box(x, at, x + 0.02 + 0.06 * w, at + 0.003), darker(tone, 0.2), 110)


def houses(stage: Stage, rng: np.random.Generator, strip: Strip) -> None:
    """Lamp posts at the far edge, and a row of small gabled houses if nothing stands behind it."""
    palette = stage.palette
    x, y = rng.uniform(-0.1, 0.0), strip.top + 0.004
    while strip.at_horizon and x < 1.0:
        w, h = rng.uniform(0.1, 0.17), rng.uniform(0.07, 0.13)
        if rng.random() < 0.72:
            wall = mix(pick(rng, "f0dfc4 e6b89a d9c8b0 c9d2cc e8cf9c"), palette.haze, 0.28)
            roof = mix(pick(rng, "b5584a 8a5a58 6a6a80 a8704a"), palette.haze, 0.25)
            stage.cover(box(x, y - h, x + w, y), wall)
            stage.cover(box(x + w * 0.72, y - h, x + w, y), darker(wall, 0.1))
            stage.cover(
                np.array(
                    [(x - 0.01, y - h), (x + w * 0.2, y - h - 0.05), (x + w * 0.8, y - h - 0.05), (x + w + 0.01, y - h)]
                ),
                roof,
            )
            for k in range(3):
                at = x + w * (0.14 + 0.28 * k)
                glow = (
                    colour("ffdf94") if palette.name in ("dusk", "dawn") else mix(colour("8fb4c4"), palette.haze, 0.3)
                )
                stage.cover(box(at, y - h * 0.75, at + w * 0.15, y - h * 0.4), glow)
        x += w + rng.uniform(0.0, 0.05)
    post = mix(colour("4a4a5a"), palette.haze, 0.15)
    for x in np.arange(rng.uniform(0.05, 0.3), 1.0, rng.uniform(0.35, 0.5)):
        stage.cover(box(x - 0.004, y - 0.16, x + 0.004, y), post)
        stage.cover(box(x - 0.004, y - 0.165, x + 0.035, y - 0.157), post)
        stage.cover(box(x + 0.02, y - 0.157, x + 0.036, y - 0.15), colour("fff0b8"))


ROAD = Context("road", road, houses)
