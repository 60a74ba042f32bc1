"""The one palette of all charts, in both lights.

Blue-green stands for right and better, vermilion for confused and worse, violet for what goes to the background: pairs
that are told apart with every common form of colour blindness.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Palette:
    """Colours as CSS writes them.

    Attributes:
        ground: of the page.
        text, quiet: of words, and of what only accompanies.
        line: of grids and empty cells.
        confused: from no confusion to much, for a scale.
        worse, better: ends of a diverging scale whose middle is ``middle``.
        given: to a background, or taken from it, for a scale that begins at ``middle``.
        right, lost, wrong: right pixels, pixels left to the background, pixels of a wrong class.
        methods: one colour a method, in the order in which they are compared.
    """

    ground: str
    text: str
    quiet: str
    line: str
    middle: str
    confused: tuple[str, ...]
    worse: tuple[str, ...]
    better: tuple[str, ...]
    given: tuple[str, ...]
    right: str
    lost: str
    wrong: str
    methods: tuple[str, ...]


LIGHT = Palette(
    ground="#fcfcfa",
    text="#1c2528",
    quiet="#66747a",
    line="#e4e9e7",
    middle="#f1f3f1",
    confused=("#f3f4f1", "#fbe0c4", "#f5b883", "#e58443", "#c8560c", "#8d3703"),
    worse=("#f8d3b4", "#e58443", "#a94404"),
    better=("#bfe0e5", "#55a3b2", "#0b5a6b"),
    given=("#d9d0e6", "#a794c4", "#75609a"),
    right="#2f94a6",
    lost="#9a86b8",
    wrong="#e07b39",
    methods=("#8a969b", "#e69f00", "#0f7c90", "#8d6bb8", "#d55e00", "#56b4e9"),
)
DARK = Palette(
    ground="#12181b",
    text="#e6ecec",
    quiet="#93a2a8",
    line="#253036",
    middle="#1c2529",
    confused=("#1b2327", "#43301f", "#7c4a20", "#b7651f", "#ea8a3c", "#ffc793"),
    worse=("#5a3a20", "#b7651f", "#ffae66"),
    better=("#1d4650", "#2f8c9e", "#8fdbe8"),
    given=("#332c40", "#63547f", "#a793cb"),
    right="#3fa3b5",
    lost="#a893cc",
    wrong="#e9873f",
    methods=("#9aa7ac", "#e9ac24", "#3fb3c8", "#ae8fd8", "#ea7a2a", "#7cc6f0"),
)


def translucent(colour: str, share: float) -> str:
    """A colour written as ``#rrggbb`` that covers a share (0..1) of what is below it."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share:g})"


def hatch(palette: Palette) -> dict[str, object]:
    """The pattern of a bar that is told from another without its colour; words inside stay readable."""
    return {"shape": "/", "fillmode": "overlay", "fgcolor": palette.ground, "fgopacity": 0.45, "solidity": 0.2}
