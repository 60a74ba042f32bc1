"""Pasture (with its fence), garden (with hedge, flowers and picket fence) and plain meadow."""

import numpy as np

from recam_core.scenes.backdrop import tree
from recam_core.scenes.colour import colour, darker, lighter, mix, pick
from recam_core.scenes.contexts.ground import Context, Strip, nothing, wavy
from recam_core.scenes.geometry import box, ellipse
from recam_core.scenes.stage import Stage


def _tufts(stage: Stage, rng: np.random.Generator, strip: Strip, count: int) -> None:
    far, near = stage.palette.grass
    for x, depth, lean in rng.uniform(0, 1, (count, 3)):
        y, s = strip.at(0.08 + 0.9 * depth), 0.012 + 0.012 * depth
        tone = darker(mix(far, near, depth), 0.16)
        bend = (lean - 0.5) * s
        blades = [
            (x - s * 0.5, y),
            (x - s * 0.6 + bend, y - s),
            (x - s * 0.1, y - s * 0.2),
            (x + bend, y - s * 1.4),
            (x + s * 0.15, y - s * 0.2),
            (x + s * 0.6 + bend, y - s),
            (x + s * 0.5, y),
        ]
        stage.strew(np.array(blades), tone)


def _lawn(stage: Stage, rng: np.random.Generator, strip: Strip, top: float, bottom: float) -> None:
    far, near = stage.palette.grass
    stage.lay(wavy(rng, strip), mix(lighter(far, top), far, 0.5), darker(near, bottom))


def meadow(stage: Stage, rng: np.random.Generator, strip: Strip) -> None:
    _lawn(stage, rng, strip, 0.2, 0.04)
    _tufts(stage, rng, strip, 22)


def pasture(stage: Stage, rng: np.random.Generator, strip: Strip) -> None:
    _lawn(stage, rng, strip, 0.15, 0.1)
    far, near = stage.palette.grass
    for depth in (0.3, 0.62):
        swell = wavy(rng, Strip(strip.at(depth), strip.bottom), 0.012)
        stage.lay(swell, mix(far, near, 0.35 + depth * 0.6), darker(near, 0.08))
    _tufts(stage, rng, strip, 34)
    for x, depth in rng.uniform(0, 1, (14, 2)):
        stage.strew(ellipse(x, strip.at(depth), 0.004, 0.003, steps=8), colour("fff4d8"), 220)


def pasture_fence(stage: Stage, rng: np.random.Generator, strip: Strip) -> None:
    """Posts and two rails along the far edge."""
    wood = mix(stage.palette.wood, stage.palette.haze, 0.15)
    y, h = strip.top + 0.012, 0.072
    gap = rng.uniform(0.1, 0.15)
    start = rng.uniform(-gap, 0)
    for rail in (0.4, 0.8):
        level = y - h * rail
        stage.cover(box(-0.01, level - 0.006, 1.01, level + 0.006), wood)
        stage.cover(box(-0.01, level + 0.003, 1.01, level + 0.006), darker(wood, 0.3))
    for x in np.arange(start, 1.05, gap):
        stage.cover(box(x - 0.008, y - h, x + 0.008, y), lighter(wood, 0.1))
        stage.cover(box(x + 0.003, y - h, x + 0.008, y), darker(wood, 0.25))


def garden(stage: Stage, rng: np.random.Generator, strip: Strip) -> None:
    far, near = stage.palette.grass
    _lawn(stage, rng, strip, 0.25, 0.0)
    for k in range(0, 8, 2):  # mown stripes
        stage.paint(strip.slab((k / 8) ** 1.4, ((k + 1) / 8) ** 1.4), lighter(mix(far, near, 0.5), 0.4), 60)
    flower = pick(rng, "e8624f f2b63c c86aa0 f7efe0 7a78c8")
    other = pick(rng, "f2b63c f7efe0 e88aa0")
    for x, depth, which in rng.uniform(0, 1, (36, 3)):
        y = strip.at(0.02 + 0.12 * depth if which < 0.7 else depth)
        stage.paint(ellipse(x, y, 0.006, 0.006, steps=10), flower if which < 0.4 else other)
        stage.paint(ellipse(x, y, 0.002, 0.002, steps=6), colour("7a4a2c"))


def garden_hedge(stage: Stage, rng: np.random.Generator, strip: Strip) -> None:
    """A picket fence before a hedge; behind it a tree or two."""
    palette = stage.palette
    for _ in range(int(rng.integers(1, 3)) if strip.at_horizon else 0):
        tree(stage, rng, rng.uniform(0, 1), strip.top, rng.uniform(0.16, 0.26), 0.1)
    leaf = darker(palette.leaves[0], 0.05)
    y = strip.top + 0.01
    for x in np.linspace(-0.02, 1.02, 15):
        r = 0.045 + 0.012 * rng.random()
        stage.cover(ellipse(x, y - 0.03, r, r, steps=16), mix(leaf, palette.leaves[1], rng.uniform(0, 0.5)))
    stage.cover(box(-0.02, y - 0.03, 1.02, y), leaf)
    white = mix(colour("fbf7ee"), palette.tint, palette.tint_amount)
    stage.cover(box(-0.02, y - 0.04, 1.02, y - 0.03), darker(white, 0.12))
    stage.cover(box(-0.02, y - 0.014, 1.02, y - 0.005), darker(white, 0.12))
    for x in np.arange(rng.uniform(-0.03, 0), 1.03, 0.036):
        stage.cover(
            np.array(
                [
                    (x - 0.009, y + 0.004),
                    (x - 0.009, y - 0.05),
                    (x, y - 0.062),
                    (x + 0.009, y - 0.05),
                    (x + 0.009, y + 0.004),
                ]
            ),
            white,
        )


PASTURE = Context("grass", pasture, pasture_fence)
GARDEN = Context("grass", garden, garden_hedge)
MEADOW = Context("grass", meadow, nothing)
