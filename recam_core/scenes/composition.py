"""Which classes meet in a picture, in which surroundings, and where they stand."""

import itertools
from dataclasses import dataclass

import numpy as np

from recam_core.scenes.colour import PALETTES, Palette
from recam_core.scenes.contexts import CHOICES, PLAIN, SKY, Strip
from recam_core.scenes.families import INDEX, KINDS
from recam_core.scenes.geometry import Figure
from recam_core.scenes.stage import Place


@dataclass(frozen=True)
class Manner:
    """How pictures are composed.

    Attributes:
        third: how often a picture has a third class.
        overlap: how often an object is put so that it overlaps the one before it.
        reach: least and greatest distance of two that overlap, as a share of the one at which they would touch.
        enlarge: length of the objects, as a multiple of their class's own.
        snow: whether some pictures show winter, in which what would be grass is white.
    """

    third: float = 0.4
    overlap: float = 0.7
    reach: tuple[float, float] = (0.45, 0.85)
    enlarge: float = 1.0
    snow: bool = True


#: Where only the objects are classes.
OBJECTS_ALONE = Manner()
#: Where contexts are classes, too: what hides more of its context and of its company is harder to tell from them.
WITH_STUFF = Manner(third=0.5, overlap=0.85, reach=(0.4, 0.8), enlarge=1.2, snow=False)


@dataclass(frozen=True)
class Actor:
    """One object: its class index, its context, the strip it stands on (an index), its figure and its place."""

    kind: int
    context: str
    strip: int
    figure: Figure
    place: Place
    ground: float
    half_width: float


@dataclass(frozen=True)
class Composition:
    """A picture before it is drawn. ``strips`` and ``grounds`` run from far to near; so do the ``actors``."""

    palette: Palette
    horizon: float
    from_left: bool
    strips: tuple[Strip, ...]
    grounds: tuple[str, ...]
    actors: tuple[Actor, ...]
    scenery_seed: int

    @property
    def contexts(self) -> frozenset[str]:
        """The contexts of the picture: its strips of ground, and the sky where an object has it for a context."""
        return frozenset(self.grounds) | {actor.context for actor in self.actors}


def _draw_classes(rng: np.random.Generator, context: float, third: float) -> list[int]:
    """2 or 3 classes. The first is drawn evenly; each further one is, with probability ``context``, usual company."""
    first = int(rng.integers(len(KINDS)))
    classes = [first]
    for wanted in (True, rng.random() < third):
        others = [k for k in range(len(KINDS)) if k not in classes]
        usual = rng.random() < context
        stranger = others[int(rng.integers(len(others)))]
        pick = rng.random()
        if not wanted:
            continue
        if usual and len(classes) == 1:
            classes.append(INDEX[KINDS[first].companion])
            continue
        met = {KINDS[k].context for k in classes} | {SKY}
        company = [k for k in others if KINDS[k].context in met]
        # Where both flyers have met in the sky, nobody is left who would be usual there.
        classes.append(company[int(pick * len(company))] if usual and company else stranger)
    return classes


def compose(rng: np.random.Generator, context: float, alike: float, manner: Manner = OBJECTS_ALONE) -> Composition:
    """Draw a composition.

    Args:
        context: 0..1, how often a class comes with its own context and its usual companion.
        alike: 0..1, how much the members of a family look alike.
        manner: how it is composed.
    """
    lights = [palette for palette in PALETTES if manner.snow or palette.name != "winter"]
    palette = lights[int(rng.integers(len(lights)))]
    from_left = bool(rng.random() < 0.5)
    classes = _draw_classes(rng, context, manner.third)
    contexts = [
        KINDS[k].context if own < context else CHOICES[int(pick * len(CHOICES))]
        for k, (own, pick) in zip(classes, rng.random((len(classes), 2)), strict=True)
    ]
    open_sky = SKY in contexts
    grounds = sorted({c for c in contexts if c != SKY}) or [PLAIN]
    grounds = [grounds[i] for i in rng.permutation(len(grounds))]
    horizon = rng.uniform(0.56, 0.66) if open_sky else rng.uniform(0.36, 0.5)
    if len(grounds) == 3:
        horizon -= 0.08
    # Nearer strips are wider.
    shares = np.cumsum(
        rng.uniform(0.8, 1.2, len(grounds)) * np.arange(1.0, 1.0 + 0.35 * len(grounds), 0.35)[: len(grounds)]
    )
    edges = horizon + (1.0 - horizon) * np.concatenate([[0.0], shares / shares[-1]])
    strips = tuple(Strip(float(a), float(b), a == edges[0]) for a, b in itertools.pairwise(edges))
    actors: list[Actor] = []
    for k, where in zip(classes, contexts, strict=True):
        actors.append(
            _place(
                np.random.default_rng(int(rng.integers(2**62))),
                k,
                where,
                actors,
                grounds,
                strips,
                horizon,
                from_left,
                alike,
                manner,
            )
        )
    actors.sort(key=lambda actor: (actor.strip, actor.ground))
    return Composition(palette, horizon, from_left, strips, tuple(grounds), tuple(actors), int(rng.integers(2**62)))


def _place(
    rng: np.random.Generator,
    k: int,
    where: str,
    others: list[Actor],
    grounds: list[str],
    strips: tuple[Strip, ...],
    horizon: float,
    from_left: bool,
    alike: float,
    manner: Manner,
) -> Actor:
    """Draw the figure of class ``k`` and put it into its context, often overlapping an earlier one."""
    kind = KINDS[k]
    figure = kind.draw(rng, alike)
    strip = 0 if where == SKY else grounds.index(where)
    depth = rng.uniform(0.3, 0.95) if where != SKY or kind.flies else rng.uniform(0.05, 0.35)
    ground = min(strips[strip].at(depth), 0.975)
    distance = 1.0 - (ground - horizon) / (1.0 - horizon)
    scale = kind.length * rng.uniform(0.82, 1.22) * (1.12 - 0.5 * distance) * manner.enlarge
    angle = float(rng.normal(0.0, 0.5) * kind.tilt)
    left, bottom, right, top = figure.bounds()
    stretch = float(rng.uniform(0.84, 1.06))
    half = (right - left) / 2 * scale * stretch
    y = ground
    if kind.flies:
        middle = rng.uniform(0.14, max(0.2, horizon - 0.12)) if where == SKY else ground - rng.uniform(0.08, 0.16)
        y = middle + (top + bottom) / 2 * scale
        distance = float(rng.uniform(0.0, 0.5))
    x = float(rng.uniform(0.08 + half * 0.5, 0.92 - half * 0.5)) if half < 0.8 else 0.5
    near = rng.random() < manner.overlap
    side, gap = (1 if rng.random() < 0.5 else -1), rng.uniform(*manner.reach)
    if others and not (where == SKY and kind.flies):
        anchor = others[int(rng.integers(len(others)))]
        reach = (half + anchor.half_width) * (gap if near else 1.15)
        if not 0.12 < anchor.place.x + side * reach < 0.88:
            side = -side
        x = float(np.clip(anchor.place.x + side * reach, 0.1, 0.9))
    place = Place(
        x=x,
        y=y,
        scale=scale,
        mirror=bool(rng.random() < 0.5),
        angle=angle,
        distance=float(np.clip(distance, 0, 1)),
        from_left=from_left,
        stretch=stretch,
        texture=int(rng.integers(2**32)),
    )
    return Actor(k, where, strip, figure, place, ground, half)
