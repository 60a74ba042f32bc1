"""Cow, horse and sheep: the same body, told apart by horns and udder, mane and tail, wool."""

import numpy as np

from recam_core.scenes.colour import Colour, colour, darker, lighter, mix, pick, pick_shared, vary
from recam_core.scenes.families.kind import Kind
from recam_core.scenes.families.quadruped import Build, average, eye, stand
from recam_core.scenes.geometry import Figure, blob, curve, ellipse, limb, stroke

COW = Build(0.25, 0.27, 0.02, 0.38, 0.17, 0.35, 0.15, 0.1, 0.16, 0.55, 0.05)
HORSE = Build(0.33, 0.22, 0.03, 0.34, 0.27, 0.95, 0.12, 0.085, 0.19, 0.75, 0.042)
SHEEP = Build(0.2, 0.27, 0.0, 0.34, 0.13, 0.6, 0.12, 0.09, 0.13, 0.6, 0.042)
SHARED = average((COW, HORSE, SHEEP))
SHARED_COATS = "c9a27c b98d68 d8bd9c"
HOOF = colour("4a3c3e")


def _coat(rng: np.random.Generator, own: str, alike: float) -> Colour:
    return vary(rng, pick_shared(rng, own, SHARED_COATS, alike), 7)


def draw_cow(rng: np.random.Generator, alike: float) -> Figure:
    """Told by its horns, patches, udder and pale muzzle."""
    figure, coat = Figure(), _coat(rng, "f4ece0 efe3d2 b5714a 5b4a48", alike)
    build = COW.towards(SHARED, alike)
    tail_x = -build.reach * 0.97
    back = build.leg + build.depth
    swing = rng.uniform(-0.06, 0.03)
    figure.part(
        stroke(
            curve([(tail_x, back - 0.05), (tail_x - 0.07, back - 0.1), (tail_x - 0.04 + swing, build.leg)]), 0.02, 0.014
        ),
        coat,
    )
    figure.part(ellipse(tail_x - 0.04 + swing, build.leg - 0.01, 0.018, 0.035), darker(coat, 0.5))
    figure.part(
        blob(
            [
                (-0.22, 0.3),
                (-0.1, 0.3),
                (-0.11, build.leg - 0.045),
                (-0.16, build.leg - 0.06),
                (-0.21, build.leg - 0.04),
            ]
        ),
        colour("eba9a0"),
    )
    j = stand(figure, rng, build, coat, HOOF, rng.random() < 0.25)
    dark = colour("4a3a3c") if sum(coat) > 400 else colour("efe6da")
    for _ in range(int(rng.integers(3, 6))):
        x, y, r = rng.uniform(-0.33, 0.3), rng.uniform(build.leg + 0.06, back), rng.uniform(0.045, 0.095)
        knots = [
            (x + r * k * np.cos(t) * 1.25, y + r * k * np.sin(t))
            for t, k in zip(np.linspace(0, 5.4, 7), rng.uniform(0.7, 1.2, 7), strict=True)
        ]
        figure.mark(blob(knots), dark)
    hx, hy = j.head
    horn = colour("f6ecd4")
    figure.part(
        stroke(curve([(hx - 0.01, hy + 0.06), (hx + 0.0, hy + 0.13), (hx + 0.07, hy + 0.14)]), 0.028, 0.008), horn
    )
    figure.part(
        stroke(curve([(hx - 0.035, hy + 0.055), (hx - 0.06, hy + 0.12), (hx - 0.01, hy + 0.15)]), 0.026, 0.008),
        darker(horn, 0.12),
    )
    figure.part(limb((hx - 0.04, hy + 0.03), (hx - 0.115, hy + 0.015), 0.045, 0.025), darker(coat, 0.2))
    figure.mark(ellipse(*j.muzzle, build.head * 0.62, build.head * 0.55), colour("f0c0b0"))
    figure.mark(ellipse(j.muzzle[0] + 0.02, j.muzzle[1] + 0.012, 0.009, 0.011), colour("8a5a58"))
    eye(figure, j)
    return figure


def draw_horse(rng: np.random.Generator, alike: float) -> Figure:
    """Told by its mane, its long tail and its pricked ears."""
    figure, coat = Figure(), _coat(rng, "8a4f30 a8623a 5a3d36 d8c3a4 c58a4a", alike)
    build = HORSE.towards(SHARED, alike)
    hair = colour("3a2a2c") if rng.random() < 0.7 else colour("efe0c0")
    x, y = -build.reach * 0.95, build.leg + build.depth * 0.8
    swing = rng.uniform(-0.05, 0.03)
    figure.part(stroke(curve([(x + 0.03, y), (x - 0.1, y + 0.05), (x - 0.1 + swing, 0.12)]), 0.035, 0.075), hair)
    j = stand(figure, rng, build, coat, HOOF, rng.random() < 0.2)
    if rng.random() < 0.3:
        for px, py in rng.uniform((-0.3, 0.45), (0.05, 0.95), (12, 2)):
            figure.mark(ellipse(px, build.leg + build.depth * py, 0.016, 0.013, steps=10), lighter(coat, 0.5), 150)
    hx, hy = j.head
    wx, wy = j.withers
    mane = np.array(
        curve([(hx + 0.02, hy + 0.055), ((hx + wx) / 2 - 0.05, (hy + wy) / 2 + 0.09), (wx - 0.05, wy - 0.02)], 9)
    )
    figure.part(stroke(mane, 0.05, 0.085), hair)
    for k in range(1, 9, 2):
        figure.mark(limb(tuple(mane[k]), (mane[k][0] + 0.02, mane[k][1] - 0.08), 0.03, 0.01), lighter(hair, 0.18), 120)
    figure.part(blob([(hx - 0.02, hy + 0.05), (hx - 0.005, hy + 0.115), (hx + 0.03, hy + 0.05)]), darker(coat, 0.15))
    figure.part(blob([(hx + 0.01, hy + 0.05), (hx + 0.035, hy + 0.11), (hx + 0.055, hy + 0.045)]), coat)
    figure.part(limb((hx + 0.03, hy + 0.06), (hx + 0.06, hy + 0.0), 0.03, 0.012), hair)
    if rng.random() < 0.5:
        figure.mark(limb((hx + 0.06, hy + 0.0), j.muzzle, 0.018, 0.026), lighter(coat, 0.8))
    figure.mark(ellipse(*j.muzzle, build.head * 0.45, build.head * 0.42), darker(coat, 0.3), 150)
    eye(figure, j)
    return figure


def draw_sheep(rng: np.random.Generator, alike: float) -> Figure:
    """Told by its wool."""
    figure = Figure()
    coat = _coat(rng, "4a4246 5a4e4e e6d6c0 6b5a52", alike)
    wool = mix(vary(rng, pick(rng, "f7f1e4 efe6d6 e4dccb"), 5), coat, 0.75 * alike**2)
    build = SHEEP.towards(SHARED, alike)
    j = stand(figure, rng, build, coat, HOOF, rng.random() < 0.35)
    middle, half = build.leg + build.depth * 0.5, build.depth * 0.5
    # Puffs on the outline stand out more, the less the family looks alike.
    puff = 0.085 - 0.03 * alike
    turns = np.linspace(0, 2 * np.pi, 15, endpoint=False) + rng.uniform(0, 0.4)
    for t in turns:
        cx, cy = np.cos(t) * build.reach * 0.9, middle + np.sin(t) * half * 0.82
        figure.part(ellipse(cx, cy, puff, puff * 0.95, steps=18), darker(wool, 0.1 if np.sin(t) < -0.2 else 0.0))
    figure.part(ellipse(0, middle, build.reach * 0.95, half * 0.95), wool)
    for _ in range(13):
        t, d = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.85)
        cx, cy = np.cos(t) * d * build.reach, middle + np.sin(t) * d * half
        curl = np.linspace(0.3, 4.2, 9)
        line = np.stack([cx + 0.035 * np.cos(curl), cy + 0.035 * np.sin(curl)], axis=1)
        figure.mark(stroke(line, 0.011), darker(wool, 0.22))
    figure.mark(ellipse(0, build.leg + 0.01, build.reach, half * 0.4), darker(wool, 0.35), 80)
    hx, hy = j.head
    figure.part(limb(j.head, j.muzzle, build.head * 1.45, build.head * 0.9), coat)
    figure.part(limb((hx - 0.02, hy + 0.02), (hx - 0.11, hy + 0.0), 0.045, 0.03), darker(coat, 0.15))
    for dx, dy in ((-0.04, 0.06), (0.01, 0.075), (0.045, 0.05)):
        figure.part(ellipse(hx + dx, hy + dy, 0.042, 0.038), wool)
    eye(figure, j)
    return figure


KINDS = (
    Kind("cow", "cattle", "pasture", "horse", 0.58, draw_cow),
    Kind("horse", "cattle", "pasture", "cow", 0.58, draw_horse),
    Kind("sheep", "cattle", "pasture", "dog", 0.52, draw_sheep),
)
