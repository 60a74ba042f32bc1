"""Colours as triples of 0..255 floats."""

import numpy as np

Colour = tuple[float, float, float]

WHITE: Colour = (255.0, 255.0, 255.0)
BLACK: Colour = (0.0, 0.0, 0.0)


def colour(code: str) -> Colour:
    """The colour of a code such as ``e8b04a``."""
    return float(int(code[0:2], 16)), float(int(code[2:4], 16)), float(int(code[4:6], 16))


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """``share`` of the second colour in the first."""
    keep = 1.0 - share
    return (
        first[0] * keep + second[0] * share,
        first[1] * keep + second[1] * share,
        first[2] * keep + second[2] * share,
    )


def darker(tone: Colour, share: float) -> Colour:
    """The colour towards a deep warm violet, which looks kinder than black."""
    return mix(tone, (36.0, 26.0, 48.0), share)


def lighter(tone: Colour, share: float) -> Colour:
    """The colour towards a warm white."""
    return mix(tone, (255.0, 250.0, 238.0), share)


def pick(rng: np.random.Generator, codes: str) -> Colour:
    """One of the colours of a blank-separated list of codes."""
    choices = codes.split()
    return colour(choices[int(rng.integers(len(choices)))])


def pick_shared(rng: np.random.Generator, own: str, shared: str, alike: float) -> Colour:
    """A colour of the family's with probability ``alike``, else one of the class's own.

    A choice, not a blend: blends of two paints turn to mud.
    """
    common, particular = pick(rng, shared), pick(rng, own)
    return common if rng.random() < alike else particular


def vary(rng: np.random.Generator, tone: Colour, amount: float = 10.0) -> Colour:
    """The colour moved at random by about ``amount`` levels, mostly in brightness."""
    common = rng.normal(0.0, amount)
    r, g, b = (
        min(255.0, max(0.0, c + common + d)) for c, d in zip(tone, rng.normal(0.0, amount * 0.35, 3), strict=True)
    )
    return r, g, b
