"""Car, bus, truck and train: a body on wheels with windows."""

import itertools

import numpy as np

from recam_core.scenes.colour import Colour, colour, darker, lighter, mix, pick, pick_shared, vary
from recam_core.scenes.families.kind import Kind
from recam_core.scenes.geometry import Figure, Points, box, ellipse, limb, rounded, stroke

GLASS = colour("bfe0ea")
TYRE = colour("33303d")

#: Corners of the bodies, from the rear bumper over the roof to the front bumper; the same corner in each of them, so
#: that a body can be drawn anywhere between its own form and the family's.
CAR = np.array([(-0.50, 0.08), (-0.51, 0.23), (-0.34, 0.40), (0.06, 0.40), (0.22, 0.25), (0.47, 0.21), (0.51, 0.08)])
BUS = np.array([(-0.50, 0.08), (-0.51, 0.30), (-0.49, 0.50), (0.46, 0.50), (0.50, 0.34), (0.51, 0.22), (0.51, 0.08)])
TRUCK = np.array([(-0.50, 0.09), (-0.50, 0.28), (-0.50, 0.30), (0.14, 0.44), (0.44, 0.44), (0.49, 0.25), (0.50, 0.09)])
TRAIN = np.array([(-0.50, 0.06), (-0.50, 0.24), (-0.50, 0.38), (0.30, 0.38), (0.43, 0.32), (0.51, 0.16), (0.50, 0.06)])
SHARED = np.array([(-0.50, 0.08), (-0.51, 0.27), (-0.45, 0.45), (0.30, 0.45), (0.42, 0.30), (0.50, 0.23), (0.51, 0.08)])

CAR_COLOURS = "d8483e e8a33a 3f7fb0 4f9c84 f0e4cf 7b4f7c e0705a"
BUS_COLOURS = "e5ab2e c94f3d 3d8c88 e07b3a"
TRUCK_COLOURS = "4c6fa5 5a8c5c b5533f 8a6fa8"
TRAIN_COLOURS = "2f7f8c b8433c e6e2d6 476a9e"
SHARED_COLOURS = "d8584a e8a94a 4b86ad 559480"


def _paint(rng: np.random.Generator, own: str, alike: float) -> Colour:
    """The class's own paint at 0, the family's at 1."""
    return vary(rng, pick_shared(rng, own, SHARED_COLOURS, alike), 6)


def _body(figure: Figure, rng: np.random.Generator, own: Points, alike: float, paint: Colour, corner: float) -> Points:
    """The body with its lower, darker edge; returns its corners."""
    points = own + (SHARED - own) * alike
    points = points * (1.0, rng.uniform(0.92, 1.1))
    figure.part(rounded(points, corner), paint)
    figure.mark(box(-0.6, 0.0, 0.6, 0.145), darker(paint, 0.28))
    figure.mark(box(-0.6, 0.145, 0.6, 0.157), lighter(paint, 0.35), 150)
    return points


def _wheel(figure: Figure, x: float, radius: float, hub: Colour) -> None:
    figure.mark(ellipse(x, radius * 1.05, radius * 1.28, radius * 1.28), (30.0, 24.0, 40.0), 130)
    figure.part(ellipse(x, radius, radius, radius), TYRE)
    figure.mark(ellipse(x, radius, radius * 0.55, radius * 0.55), hub)
    figure.mark(ellipse(x, radius, radius * 0.2, radius * 0.2), darker(hub, 0.5))


def _pane(figure: Figure, points: Points) -> None:
    """A window with a slanting reflection in its upper left."""
    figure.mark(points, GLASS)
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    w, h = x1 - x0, y1 - y0
    shine = np.array(
        [
            (x0 + w * 0.12, y0 + h * 0.3),
            (x0 + w * 0.45, y1 - h * 0.1),
            (x0 + w * 0.62, y1 - h * 0.1),
            (x0 + w * 0.2, y0 + h * 0.15),
        ]
    )
    figure.mark(shine, (255.0, 255.0, 255.0), 110)


def _lamps(figure: Figure, y: float) -> None:
    figure.mark(ellipse(0.478, y, 0.028, 0.024), colour("fff0b0"))
    figure.mark(box(-0.52, y - 0.02, -0.485, y + 0.035), colour("d8403a"))


def draw_car(rng: np.random.Generator, alike: float) -> Figure:
    """Told by its two side windows under the roof line and the door handle."""
    figure, paint = Figure(), _paint(rng, CAR_COLOURS, alike)
    points = _body(figure, rng, CAR, alike, paint, 0.07)
    rear, roof_rear, roof_front, screen = points[1], points[2], points[3], points[4]
    sill = (rear[1] + screen[1]) / 2 + 0.015
    top = roof_rear[1] - 0.035
    post = (roof_rear[0] + roof_front[0]) / 2 + rng.uniform(-0.03, 0.05)
    _pane(
        figure,
        rounded([(rear[0] + 0.09, sill), (roof_rear[0] + 0.02, top), (post - 0.015, top), (post - 0.015, sill)], 0.03),
    )
    _pane(
        figure,
        rounded([(post + 0.015, sill), (post + 0.015, top), (roof_front[0], top), (screen[0] - 0.045, sill)], 0.03),
    )
    if rng.random() < 0.3:
        figure.mark(box(-0.6, 0.185, 0.6, 0.215), lighter(paint, 0.75))
    figure.mark(box(post - 0.07, sill - 0.045, post - 0.02, sill - 0.03), darker(paint, 0.45))
    figure.mark(stroke([(post, sill), (post + 0.01, 0.1)], 0.007), darker(paint, 0.3))
    _lamps(figure, 0.19)
    radius = rng.uniform(0.088, 0.102)
    for x in (-0.29, 0.3):
        _wheel(figure, x, radius, colour("d9d5cf"))
    return figure


def draw_bus(rng: np.random.Generator, alike: float) -> Figure:
    """Told by its row of windows and the folding door."""
    figure, paint = Figure(), _paint(rng, BUS_COLOURS, alike)
    points = _body(figure, rng, BUS, alike, paint, 0.06)
    top = points[2][1] - 0.05
    sill = top - 0.15
    left, right = points[2][0] + 0.035, points[3][0] - 0.02
    figure.mark(box(-0.6, top + 0.018, 0.6, 0.7), lighter(paint, 0.55))
    edges = np.linspace(left, right, 6)
    for x0, x1 in itertools.pairwise(edges):
        _pane(figure, box(x0, sill, x1 - 0.02, top, 0.016))
    if rng.random() < 0.5:
        figure.mark(box(-0.6, 0.185, 0.6, 0.185 + rng.uniform(0.02, 0.06)), lighter(paint, rng.uniform(0.3, 0.9)))
    door = 0.2 if rng.random() < 0.5 else -0.05
    figure.mark(box(door, 0.1, door + 0.11, sill + 0.12, 0.012), darker(paint, 0.4))
    figure.mark(box(door + 0.008, 0.115, door + 0.05, sill + 0.105, 0.01), GLASS)
    figure.mark(box(door + 0.06, 0.115, door + 0.102, sill + 0.105, 0.01), GLASS)
    _lamps(figure, 0.17)
    for x in (-0.31, 0.37 if door < 0.3 else 0.3):
        _wheel(figure, x, 0.086, colour("d9d5cf"))
    return figure


def draw_truck(rng: np.random.Generator, alike: float) -> Figure:
    """Told by the cargo box behind the cab: plain at 1, a tall box of another colour at 0."""
    figure, paint = Figure(), _paint(rng, TRUCK_COLOURS, alike)
    points = _body(figure, rng, TRUCK, alike, paint, 0.04)
    roof = points[3][1]
    wall = mix(pick(rng, "efe6d4 d9c49a c9d4cf e2b48c"), paint, 0.9 * alike**2)
    height = max(roof + 0.10 * (1 - alike) + 0.005, roof)
    split = 0.15
    figure.part(box(-0.52, 0.13, split, height, 0.015), wall)
    figure.mark(box(-0.52, 0.13, split, 0.17), darker(wall, 0.25))
    for x in np.linspace(-0.44, split - 0.08, 6):
        figure.mark(box(x, 0.18, x + 0.009, height - 0.03), darker(wall, 0.2))
    figure.mark(box(split, 0.12, split + 0.022, roof + 0.05), darker(paint, 0.6))
    _pane(
        figure,
        rounded(
            [
                (split + 0.075, roof - 0.19),
                (split + 0.075, roof - 0.05),
                (points[4][0] - 0.03, roof - 0.05),
                (points[5][0] - 0.05, roof - 0.19),
            ],
            0.02,
        ),
    )
    figure.mark(box(split + 0.08, roof - 0.235, split + 0.13, roof - 0.22), darker(paint, 0.45))
    _lamps(figure, 0.17)
    for x in (-0.36, -0.17, 0.33):
        _wheel(figure, x, 0.088, colour("d9d5cf"))
    return figure


def draw_train(rng: np.random.Generator, alike: float) -> Figure:
    """Told by the bogies, the stripe, and the pantograph on its roof."""
    figure, paint = Figure(), _paint(rng, TRAIN_COLOURS, alike)
    points = TRAIN + (SHARED - TRAIN) * alike
    roof = points[2][1]
    pantograph = rng.uniform(-0.3, -0.05)
    metal = colour("5a5866")
    elbow = (pantograph + 0.05, roof + 0.045)
    figure.part(limb((pantograph - 0.06, roof - 0.04), elbow, 0.018, 0.016), metal)
    figure.part(limb(elbow, (pantograph - 0.03, roof + 0.1), 0.016, 0.014), metal)
    figure.part(box(pantograph - 0.08, roof + 0.095, pantograph + 0.02, roof + 0.11), metal)
    figure.part(box(-0.44, 0.0, -0.16, 0.09, 0.02), TYRE)
    figure.part(box(0.1, 0.0, 0.4, 0.09, 0.02), TYRE)
    figure.part(rounded(points, 0.055), paint)
    stripe = mix(pick(rng, "f3e9d2 e9b44c f2f2ee"), paint, 0.1)
    figure.mark(box(-0.6, 0.105, 0.6, 0.14), stripe)
    figure.mark(box(-0.6, 0.0, 0.6, 0.085), darker(paint, 0.4))
    figure.mark(box(-0.6, roof - 0.025, 0.6, roof + 0.002), lighter(paint, 0.4))
    top, sill = roof - 0.06, roof - 0.175
    edges = np.linspace(-0.47, points[3][0] - 0.08, 6)
    for x0, x1 in itertools.pairwise(edges):
        _pane(figure, box(x0, sill, x1 - 0.03, top, 0.02))
    nose = points[3][0]
    _pane(
        figure,
        rounded(
            [(nose - 0.05, sill), (nose - 0.05, top), (nose + 0.035, top), (points[5][0] - 0.09, sill + 0.015)], 0.03
        ),
    )
    figure.mark(box(-0.16, 0.09, -0.152, roof), darker(paint, 0.35))
    _lamps(figure, 0.16)
    for x in (-0.38, -0.23, 0.17, 0.32):
        figure.mark(ellipse(x, 0.045, 0.042, 0.042), colour("8a8796"))
        figure.mark(ellipse(x, 0.045, 0.016, 0.016), TYRE)
    figure.mark(limb((0.14, 0.045), (0.35, 0.045), 0.012, 0.012), colour("b8b4bd"))
    return figure


KINDS = (
    Kind("bus", "vehicles", "road", "car", 0.64, draw_bus),
    Kind("car", "vehicles", "road", "train", 0.56, draw_car),
    Kind("train", "vehicles", "rails", "car", 0.84, draw_train),
    Kind("truck", "vehicles", "road", "motorbike", 0.62, draw_truck),
)
