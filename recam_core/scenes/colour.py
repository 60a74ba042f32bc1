"""Colours as triples of 0..255 floats, and palettes: the light and the colours of a time of day or a season."""

from dataclasses import dataclass
from typing import Any

import numpy as np

Colour = tuple[float, float, float]


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


# Palettes: the light and the colours of a time of day or a season -----------------------------------------------------


@dataclass(frozen=True)
class Palette:
    """The colours that a whole picture shares.

    Attributes:
        sky: colours of the sky from the zenith to the horizon.
        sun: colour of the sun's disc and glow; sun_height: 0 (horizon) .. 1 (zenith).
        haze: what distance fades to; haze_amount: 0..1 at the horizon.
        hills: far to near. grass: far and near. leaves: of the trees. water: far and near.
        road, gravel, wood: of roads, railway beds and fences.
        tint, tint_amount: the colour of the light on everything, and how strong it is.
        shade: the colour of shadows; contrast: 0..1, how strong they are.
    """

    name: str
    sky: tuple[Colour, Colour, Colour]
    sun: Colour
    sun_height: float
    cloud: Colour
    haze: Colour
    haze_amount: float
    hills: tuple[Colour, Colour, Colour]
    grass: tuple[Colour, Colour]
    leaves: tuple[Colour, Colour, Colour]
    water: tuple[Colour, Colour]
    road: Colour
    gravel: Colour
    wood: Colour
    tint: Colour
    tint_amount: float
    shade: Colour
    contrast: float


def _palette(
    name: str, sun_height: float, haze_amount: float, tint_amount: float, contrast: float, **codes: str
) -> Palette:
    tones: dict[str, Any] = {key: tuple(colour(c) for c in text.split()) for key, text in codes.items()}
    for single in ("sun", "cloud", "haze", "road", "gravel", "wood", "tint", "shade"):
        tones[single] = tones[single][0]
    return Palette(
        name=name,
        sun_height=sun_height,
        haze_amount=haze_amount,
        tint_amount=tint_amount,
        contrast=contrast,
        **tones,
    )


PALETTES: tuple[Palette, ...] = (
    _palette(
        "dawn", 0.18, 0.5, 0.16, 0.42,
        sky="8fb8d8 f3cfc4 ffe3b8", sun="fff1cf", cloud="fff0e6", haze="f6d5c3",
        hills="c3a9c0 a08fb0 7f8f98", grass="a8b98a 7d9c6c", leaves="5f8a6b 7ba074 d99a7c", water="c9b7c9 6f9bb5",
        road="8a8294", gravel="b09a94", wood="b98f76", tint="ffd9b8", shade="4a3a5c",
    ),
    _palette(
        "noon", 0.85, 0.32, 0.04, 0.5,
        sky="3f9bd6 86c8ea d6eef2", sun="fffbe0", cloud="ffffff", haze="cfe6ea",
        hills="8fbfc4 6fae9a 5a9f72", grass="9ccb6a 68a84e", leaves="3f8a4f 5fa653 8bbf5a", water="7cc6dc 2f8fc0",
        road="7f8590", gravel="b3a48f", wood="c79a66", tint="fff7e0", shade="1f3a55",
    ),
    _palette(
        "dusk", 0.12, 0.42, 0.2, 0.45,
        sky="4a4a86 c8749a ffb27c", sun="ffe0a0", cloud="f7a9a0", haze="f0a48c",
        hills="9a6b98 74588a 55507a", grass="8a8a62 5f7358", leaves="46625e 5f7a5c a86a5a", water="e09a92 5a5f96",
        road="6a6078", gravel="94787c", wood="9c6c60", tint="ffb38a", shade="2a2048",
    ),
    _palette(
        "overcast", 0.6, 0.55, 0.1, 0.28,
        sky="93a7b3 b9c6cb dfe3df", sun="eef0ea", cloud="f0f2f0", haze="d3dad8",
        hills="a6b8ba 8aa3a0 708e84", grass="9db08a 748f6a", leaves="4f7a68 6b8f70 94a878", water="a9bfc6 5f8796",
        road="7c848a", gravel="a39c92", wood="a08c78", tint="dfe8ea", shade="3a4652",
    ),
    _palette(
        "autumn", 0.4, 0.4, 0.1, 0.45,
        sky="6fb1c9 b9d9d2 fbe9c6", sun="fff0c0", cloud="fff8ea", haze="f1dcb8",
        hills="c9a98a b98a5c a07a4a", grass="cdb865 a39a4a", leaves="d9822b e8a83a b8492e", water="a8cdc8 4f8f9c",
        road="86807c", gravel="b59c80", wood="b07c4e", tint="ffe3b0", shade="4a3040",
    ),
    _palette(
        "winter", 0.3, 0.5, 0.08, 0.35,
        sky="86aed0 bcd6e6 f3ecea", sun="fff8ea", cloud="fbfdff", haze="e6ecf2",
        hills="c2d2e2 a8c0d4 8fabc0", grass="f2f4f6 dce6ee", leaves="4f7c80 6f979a a9c3c8", water="b6d3e0 6a9cba",
        road="8d95a2", gravel="b8b6b8", wood="a58a7c", tint="e8f0ff", shade="41567c",
    ),
    _palette(
        "meadow", 0.62, 0.34, 0.06, 0.45,
        sky="62b7c4 a8dcd0 f5f3d4", sun="fff6cc", cloud="fffdf2", haze="e2efd6",
        hills="9ccab4 78b592 5c9c7a", grass="b9d067 86b350", leaves="2f8070 559c66 e3b552", water="93d4cc 3a9aa6",
        road="8b8a8c", gravel="bda98a", wood="c08e5e", tint="fff4cf", shade="24474f",
    ),
)  # fmt: skip
