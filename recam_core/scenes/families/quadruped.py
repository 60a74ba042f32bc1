"""The body that all four-legged animals share, from a handful of measures."""

from dataclasses import astuple, dataclass

import numpy as np

from recam_core.scenes.colour import Colour, darker, lighter
from recam_core.scenes.geometry import Figure, blob, ellipse, limb


@dataclass(frozen=True)
class Build:
    """Measures of an animal, in units of its own length.

    Attributes:
        leg: height of the belly above the ground.
        depth: thickness of the body. chest: how much deeper the chest is than the belly.
        reach: half the length of the body.
        neck: length of the neck; rise: its angle above the horizontal in radians; neck_width: its thickness.
        head: size of the head; muzzle: length of the muzzle; nod: angle of the head below the horizontal.
        limb: thickness of a leg.
    """

    leg: float
    depth: float
    chest: float
    reach: float
    neck: float
    rise: float
    neck_width: float
    head: float
    muzzle: float
    nod: float
    limb: float

    def towards(self, other: "Build", share: float) -> "Build":
        """The measures ``share`` of the way to another animal's."""
        return Build(*(a + (b - a) * share for a, b in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True)
class Joints:
    """Where the details of a class are attached: points (x, y) and the measures that were drawn."""

    head: tuple[float, float]
    muzzle: tuple[float, float]
    poll: tuple[float, float]
    withers: tuple[float, float]
    rump: tuple[float, float]
    belly: tuple[float, float]
    nod: float
    build: Build


def average(builds: tuple[Build, ...]) -> Build:
    """The measures that a family has in common."""
    return Build(*np.mean([astuple(b) for b in builds], axis=0).tolist())


def stand(figure: Figure, rng: np.random.Generator, build: Build, coat: Colour, hoof: Colour, grazing: bool) -> Joints:
    """Draw legs, trunk, neck and head, in a random pose; returns where details go."""
    leg, depth, reach = build.leg * rng.uniform(0.92, 1.08), build.depth * rng.uniform(0.92, 1.1), build.reach
    back = leg + depth
    stride = rng.uniform(-0.07, 0.07, 4)
    shade = darker(coat, 0.3)
    hips = (-reach * 0.82, -reach * 0.66, reach * 0.6, reach * 0.78)
    for number in (0, 2, 1, 3):  # the far legs first
        x, foot = hips[number], hips[number] + stride[number]
        tone = shade if number in (0, 2) else coat
        knee = (x + stride[number] * 0.3 - (0.012 if number < 2 else -0.008), leg * 0.5)
        figure.part(limb((x, leg + depth * 0.35), knee, build.limb * 1.75, build.limb * 1.05), tone)
        figure.part(limb(knee, (foot, 0.02), build.limb * 1.05, build.limb * 0.85), tone)
        figure.part(limb((foot - 0.004, 0.012), (foot + 0.016, 0.012), build.limb * 0.95, build.limb * 0.8), hoof)
    rise = rng.uniform(-0.75, -0.45) if grazing else build.rise + rng.uniform(-0.12, 0.12)
    nod = rng.uniform(0.9, 1.15) if grazing else build.nod + rng.uniform(-0.15, 0.15)
    base = (reach * 0.72, back - depth * 0.32)
    poll = (base[0] + np.cos(rise) * build.neck, base[1] + np.sin(rise) * build.neck)
    poll = (poll[0], max(poll[1], build.head * 0.75 + 0.03))
    muzzle = (poll[0] + np.cos(nod) * build.muzzle, poll[1] - np.sin(nod) * build.muzzle)
    figure.part(limb(base, poll, build.neck_width * 1.5, build.neck_width), coat)
    trunk = [
        (-reach, back - depth * 0.28),
        (-reach * 0.8, back + 0.0),
        (-reach * 0.2, back - depth * 0.05),
        (reach * 0.5, back),
        (reach * 0.9, back - depth * 0.2),
        (reach * 0.95, back - depth * 0.6),
        (reach * 0.7, leg - build.chest),
        (reach * 0.1, leg - build.chest * 0.4),
        (-reach * 0.55, leg + depth * 0.06),
        (-reach * 0.98, leg + depth * 0.3),
    ]
    figure.part(blob(trunk), coat)
    figure.mark(ellipse(0.0, leg - depth * 0.05, reach * 0.95, depth * 0.24), shade, 80)
    figure.mark(ellipse(0.0, back + 0.01, reach * 0.8, depth * 0.14), lighter(coat, 0.5), 70)
    figure.part(limb(poll, muzzle, build.head * 1.5, build.head * 0.95), coat)
    return Joints(
        poll, muzzle, poll, (base[0] - 0.02, back), (-reach * 0.97, back - depth * 0.2), (-reach * 0.5, leg), nod, build
    )


def eye(figure: Figure, joints: Joints, size: float = 0.012) -> None:
    """A dark eye with a spark, a third of the way down the face."""
    x = joints.head[0] + (joints.muzzle[0] - joints.head[0]) * 0.25 + 0.008
    y = joints.head[1] + (joints.muzzle[1] - joints.head[1]) * 0.25 + joints.build.head * 0.2
    figure.mark(ellipse(x, y, size, size * 1.15), (38.0, 28.0, 34.0))
    figure.mark(ellipse(x + size * 0.3, y + size * 0.4, size * 0.32, size * 0.32), (255.0, 255.0, 255.0))
