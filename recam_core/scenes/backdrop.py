"""Sky, sun, clouds and hills: what lies behind the ground."""

import numpy as np

from recam_core.scenes.colour import Colour, darker, lighter, mix
from recam_core.scenes.geometry import ellipse
from recam_core.scenes.stage import Stage


def ridge(rng: np.random.Generator, y: float, height: float, waves: float = 2.0) -> np.ndarray:
    """The outline of a range of hills around height ``y``, closed far below it."""
    x = np.linspace(-0.02, 1.02, 40)
    line = np.zeros_like(x)
    for octave in range(3):
        line += np.sin(x * 2 * np.pi * waves * 0.5 * 1.9**octave + rng.uniform(0, 6.3)) / 1.8**octave
    line = y - height * (line / 2.4)
    return np.concatenate([np.stack([x, line], axis=1), [(1.02, y + 0.2), (-0.02, y + 0.2)]])


def cloud(stage: Stage, rng: np.random.Generator, x: float, y: float, width: float, tone: Colour) -> None:
    """A flat-bottomed cloud of a few overlapping puffs."""
    count = int(rng.integers(3, 6))
    puffs = []
    for k in range(count):
        t = (k + 0.5) / count - 0.5
        r = width * rng.uniform(0.16, 0.24) * (1.25 - abs(t))
        puff = ellipse(x + t * width * 0.8, y - r * 0.35, r * 1.25, r * 0.75)
        puff[:, 1] = np.minimum(puff[:, 1], y)
        puffs.append(puff)
    for drop, shade in ((0.01, 0.5), (0.0, 0.12)):
        for puff in puffs:
            stage.paint(puff + np.array([0.0, drop]), mix(tone, stage.palette.sky[1], shade))


def tree(stage: Stage, rng: np.random.Generator, x: float, y: float, height: float, fade: float) -> None:
    """A round tree or a conifer standing at (x, y). It hides what is on the stage already, in the mask too."""
    palette = stage.palette
    leaf = mix(palette.leaves[int(rng.integers(3))], palette.haze, fade)
    trunk = mix(darker(palette.wood, 0.35), palette.haze, fade)
    stage.cover(np.array([(x - height * 0.03, y), (x + height * 0.03, y), (x, y - height * 0.6)]), trunk)
    if rng.random() < 0.4:
        for k in range(3):
            base, half = y - height * (0.15 + 0.25 * k), height * (0.26 - 0.06 * k)
            stage.cover(
                np.array([(x - half, base), (x + half, base), (x, base - height * 0.42)]), lighter(leaf, 0.06 * k)
            )
    else:
        r = height * rng.uniform(0.2, 0.27)
        for dx, dy, grow in ((-0.6, 0.5, 0.75), (0.62, 0.52, 0.72), (0.0, 0.68, 1.0)):
            stage.cover(ellipse(x + dx * r, y - height * dy, r * grow, height * 0.27 * grow, steps=18), leaf)
        light = lighter(leaf, 0.25)
        stage.paint(ellipse(x - r * 0.3, y - height * 0.76, r * 0.5, height * 0.13, steps=14), light, 120)


def draw_sky(stage: Stage, rng: np.random.Generator, horizon: float, open_sky: bool, from_left: bool) -> None:
    """Sky with its sun and clouds down to the horizon; more clouds where the sky is the context."""
    palette = stage.palette
    x = rng.uniform(0.08, 0.38) if from_left else rng.uniform(0.62, 0.92)
    y = horizon * (1.0 - palette.sun_height) * rng.uniform(0.75, 1.0) + 0.03
    stops = list(zip((0.0, horizon * 0.55, horizon), palette.sky, strict=True))
    stage.sky(stops, (x, y), horizon + 0.02)
    stage.paint(ellipse(x, y, 0.05, 0.05, steps=40), lighter(palette.sun, 0.5), 235)
    for _ in range(int(rng.integers(3, 6)) if open_sky else int(rng.integers(1, 4))):
        cloud(
            stage,
            rng,
            rng.uniform(0, 1),
            rng.uniform(0.08, max(0.1, horizon * 0.8)),
            rng.uniform(0.16, 0.36),
            palette.cloud,
        )


def draw_hills(stage: Stage, rng: np.random.Generator, horizon: float) -> None:
    """Two or three ranges of hills with trees, fading with distance."""
    palette = stage.palette
    heights = sorted(rng.uniform(0.02, 0.12, 3), reverse=True)
    for k, (tone, lift) in enumerate(zip(palette.hills, heights, strict=True)):
        outline = ridge(rng, horizon - lift, 0.035 + 0.02 * (2 - k), rng.uniform(1.2, 2.6))
        fade = palette.haze_amount * (0.75 - 0.3 * k)
        stage.paint(outline - (0, 0.006), mix(tone, palette.haze, 0.75), 90)
        stage.lay(outline, mix(tone, palette.haze, fade * 0.5), mix(tone, palette.haze, min(1.0, fade + 0.25)))
        if k:
            for _ in range(int(rng.integers(2, 7))):
                at = int(rng.integers(2, 38))
                tree(
                    stage,
                    rng,
                    outline[at, 0],
                    outline[at, 1] + 0.008,
                    rng.uniform(0.035, 0.07) * (1 + 0.4 * (k - 1)),
                    fade * 0.7,
                )
