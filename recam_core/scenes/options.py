"""The options of a ``scenes`` specification: reading and writing them."""

import math
from dataclasses import dataclass, fields
from typing import Any

from recam_core.errors import UserError

SPLITS = ("train", "val")


@dataclass(frozen=True)
class SceneOptions:
    """What a set of scenes depends on.

    Attributes:
        stuff: 1 makes the contexts (grass, rails, road, sky, water) classes too, and what belongs to nothing void;
            0 leaves them all background.
        context: 0..1, how often a class comes with its own context and its usual companion.
        shared_parts: 0..1, how much the members of a family look alike.
        seed: another seed, another set of pictures.
        train, val: number of pictures of each split.
        size: side of a picture in pixels.
    """

    stuff: int = 0
    context: float = 0.85
    shared_parts: float = 0.5
    seed: int = 0
    train: int = 800
    val: int = 200
    size: int = 256

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if (isinstance(value, float) and not math.isfinite(value)) or not low <= value <= high:
                shown = str(value)[:20]
                raise UserError(f"scenes: {name}={shown} is out of range; it must be between {low} and {high}.")
        for name in SPLITS:
            if (count := getattr(self, name)) * self.size**2 > MOST_PIXELS:
                raise UserError(
                    f"scenes: {count:,} pictures of {self.size} x {self.size} pixels are too many; at most "
                    f"{MOST_PIXELS // self.size**2:,} are drawn at this size. Give a smaller {name} or size."
                )

    def pixels(self, split: str) -> int:
        """Of all pictures of a split."""
        return int(getattr(self, split) * self.size**2)


#: Smallest and greatest value of each option.
RANGES: dict[str, tuple[float, float]] = {
    "stuff": (0, 1),
    "context": (0.0, 1.0),
    "shared_parts": (0.0, 1.0),
    "seed": (0, 2**31 - 1),
    "train": (1, 1_000_000),
    "val": (1, 1_000_000),
    "size": (64, 2048),
}


#: Pixels of all pictures of a split: a million of the smallest, or a thousand of the largest.
MOST_PIXELS = 1000 * 2048**2


def parse_options(text: str) -> SceneOptions:
    """Read ``name=value,name=value``; the empty text gives the defaults. Raises UserError."""
    types = {field.name: field.type for field in fields(SceneOptions)}
    values: dict[str, Any] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (part.strip() for part in item.partition("="))
        if name not in types or not equals:
            raise UserError(f"scenes: '{item[:60]}' is no option; write NAME=VALUE with one of {', '.join(types)}.")
        if name in values:
            raise UserError(f"scenes: {name} is given twice; give it once.")
        number = float if types[name] in (float, "float") else int
        try:
            values[name] = number(value)
        except ValueError:
            wanted = "a number" if number is float else "a whole number"
            low, high = RANGES[name]
            raise UserError(
                f"scenes: {name}={value[:20]} is not {wanted}; give one between {low} and {high}."
            ) from None
    return SceneOptions(**values)


def check_split(split: str | None) -> str:
    """The split by name, ``train`` where none is given. Raises UserError."""
    if split is None:
        return SPLITS[0]
    if split not in SPLITS:
        raise UserError(f"scenes: there is no split '{split}'; choose one of {', '.join(SPLITS)}.")
    return split


def canonical_spec(options: SceneOptions, split: str) -> str:
    """The shortest specification that opens the same set again."""
    given = [
        f"{field.name}={getattr(options, field.name)!r}"
        for field in fields(SceneOptions)
        if getattr(options, field.name) != field.default
    ]
    return "scenes" + (":" + ",".join(given) if given else "") + f"@{split}"
