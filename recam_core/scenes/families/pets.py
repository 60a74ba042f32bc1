"""Dog and cat: a small four-legged body, told apart by ears, muzzle and tail."""

import numpy as np

from recam_core.scenes.colour import Colour, colour, darker, lighter, pick, pick_shared, vary
from recam_core.scenes.families.kind import Kind
from recam_core.scenes.families.quadruped import Build, average, stand
from recam_core.scenes.geometry import Figure, blob, curve, ellipse, limb, stroke

DOG = Build(0.25, 0.22, 0.05, 0.33, 0.17, 0.85, 0.13, 0.115, 0.17, 0.25, 0.06)
CAT = Build(0.22, 0.19, 0.0, 0.33, 0.12, 0.8, 0.11, 0.12, 0.07, 0.2, 0.052)
SHARED = average((DOG, CAT))
SHARED_COATS = "c98f5a a8764e d9b48a"


def _coat(rng: np.random.Generator, own: str, alike: float) -> Colour:
    return vary(rng, pick_shared(rng, own, SHARED_COATS, alike), 7)


def _face(figure: Figure, x: float, y: float, size: float, iris: Colour) -> None:
    for dx in (0.0, 0.075):
        figure.mark(ellipse(x + dx, y, size, size * 1.2), iris)
        figure.mark(ellipse(x + dx + size * 0.1, y, size * 0.55, size), (34.0, 26.0, 32.0))
        figure.mark(ellipse(x + dx + size * 0.3, y + size * 0.45, size * 0.28, size * 0.28), (255.0, 255.0, 255.0))


def draw_dog(rng: np.random.Generator, alike: float) -> Figure:
    """Told by its hanging ears, long muzzle with a big nose, and collar."""
    figure, coat = Figure(), _coat(rng, "a8683c e6cfa8 5a4640 f0e8dc c98a48", alike)
    build = DOG.towards(SHARED, alike)
    x, y = -build.reach * 0.9, build.leg + build.depth * 0.85
    lift = rng.uniform(0.1, 0.2)
    figure.part(stroke(curve([(x, y), (x - 0.13, y + 0.04), (x - 0.12, y + lift)]), 0.06, 0.025), coat)
    j = stand(figure, rng, build, coat, darker(coat, 0.2), False)
    hx, hy = j.head
    patch = lighter(coat, 0.6) if sum(coat) < 560 else darker(coat, 0.55)
    figure.mark(ellipse(build.reach * 0.8, build.leg + 0.06, 0.1, 0.13), lighter(coat, 0.6))
    if rng.random() < 0.6:
        figure.mark(ellipse(rng.uniform(-0.2, 0.05), build.leg + build.depth * 0.8, 0.11, 0.09), patch)
    figure.part(ellipse(hx + 0.01, hy + 0.01, build.head * 0.98, build.head * 0.92), coat)
    figure.part(limb((hx + 0.06, hy - 0.02), (j.muzzle[0], hy - 0.035), 0.125, 0.095), lighter(coat, 0.35))
    figure.part(ellipse(j.muzzle[0] + 0.035, hy - 0.012, 0.03, 0.026), colour("2e262c"))
    figure.mark(
        stroke(
            curve([(j.muzzle[0] + 0.03, hy - 0.055), (j.muzzle[0] - 0.02, hy - 0.075), (hx + 0.06, hy - 0.06)]), 0.01
        ),
        darker(coat, 0.6),
    )
    _face(figure, hx + 0.015, hy + 0.04, 0.019, colour("5a3a28"))
    ear = darker(coat, 0.35)
    figure.part(
        blob(
            [
                (hx - 0.05, hy + 0.1),
                (hx + 0.0, hy + 0.075),
                (hx - 0.02, hy - 0.06),
                (hx - 0.075, hy - 0.095),
                (hx - 0.11, hy - 0.02),
            ]
        ),
        ear,
    )
    collar = pick(rng, "c8433c 3c7fa8 e0a83a")
    nx, ny = hx - 0.055, hy - 0.115
    figure.part(limb((nx - 0.055, ny + 0.02), (nx + 0.075, ny - 0.02), 0.034, 0.034), collar)
    return figure


def draw_cat(rng: np.random.Generator, alike: float) -> Figure:
    """Told by its pointed ears, whiskers, stripes and long tail."""
    figure, coat = Figure(), _coat(rng, "d98a42 8c8a92 4a444c efe6da b89c7c", alike)
    build = CAT.towards(SHARED, alike)
    x, y = -build.reach * 0.92, build.leg + build.depth * 0.75
    bend = rng.uniform(-0.1, 0.08)
    figure.part(
        stroke(curve([(x, y), (x - 0.2, y - 0.02), (x - 0.12, y + 0.34), (x - 0.12 + bend, y + 0.36)]), 0.055, 0.042),
        coat,
    )
    j = stand(figure, rng, build, coat, lighter(coat, 0.5), False)
    hx, hy = j.head[0] + 0.01, j.head[1]
    stripe = darker(coat, 0.3)
    for sx in np.linspace(-0.24, 0.16, 5):
        top = build.leg + build.depth + 0.03
        figure.mark(limb((sx, top), (sx - 0.02, top - rng.uniform(0.1, 0.15)), 0.035, 0.008), stripe)
    r = build.head
    for side, tone in ((-0.066, coat), (0.066, coat)):
        figure.part(
            np.array([(hx + side - 0.055, hy + 0.04), (hx + side * 1.25, hy + 0.175), (hx + side + 0.055, hy + 0.05)]),
            tone,
        )
        figure.mark(
            np.array([(hx + side - 0.028, hy + 0.06), (hx + side * 1.2, hy + 0.14), (hx + side + 0.03, hy + 0.065)]),
            colour("eba79a"),
        )
    figure.part(ellipse(hx, hy, r * 1.12, r * 0.95), coat)
    for dx in (-0.035, 0.0, 0.035):
        figure.mark(limb((hx + dx, hy + 0.12), (hx + dx * 0.7, hy + 0.07), 0.016, 0.008), stripe)
    figure.mark(ellipse(hx + 0.02, hy - 0.045, 0.06, 0.042), lighter(coat, 0.65))
    figure.mark(np.array([(hx + 0.005, hy - 0.02), (hx + 0.035, hy - 0.02), (hx + 0.02, hy - 0.038)]), colour("d8807a"))
    _face(figure, hx - 0.03, hy + 0.02, 0.021, colour("b9d060"))
    for dy in (-0.012, 0.008):
        figure.part(stroke([(hx + 0.05, hy - 0.045), (hx + 0.18, hy - 0.045 + dy * 3)], 0.006), lighter(coat, 0.7))
        figure.part(stroke([(hx - 0.03, hy - 0.045), (hx - 0.16, hy - 0.045 + dy * 3)], 0.006), lighter(coat, 0.7))
    return figure


KINDS = (
    Kind("cat", "pets", "garden", "dog", 0.46, draw_cat),
    Kind("dog", "pets", "garden", "sheep", 0.52, draw_dog),
)
