"""How figures for papers and slides look: size, type, resolution."""

from dataclasses import dataclass

from recam_core.errors import UserError
from recam_core.views.colours import COLOUR_MAPS

MM_PER_INCH = 25.4
POINTS_PER_INCH = 72.0
#: Widths that are often asked for, in millimetres.
COMMON_WIDTHS: dict[str, float] = {
    "one column (84 mm)": 84.0,
    "page (174 mm)": 174.0,
    "slide (320 mm)": 320.0,
}
#: Pixels across, beyond which a picture takes gigabytes while it is drawn.
MOST_PIXELS = 12_000


@dataclass(frozen=True)
class FigureStyle:
    """Settings of a figure.

    Attributes:
        width_mm: width of the whole figure in millimetres; its height follows.
        font_size: in points; the title is larger, captions are smaller.
        dpi: resolution of photos and maps, and of PNG files, in dots per inch.
        title: stands on top; empty for none.
        columns: most cells beside one another; None puts all cells of a row on one line.
        captions: whether each method's threshold and scores stand below its cell.
        photo: whether each row begins with the photo alone.
        truth: whether the ground truth follows, where there is one.
        colour_map: of heat and contours, a key of :data:`~recam_core.views.colours.COLOUR_MAPS`.
        opacity: of what is laid over the photo, 0..1.
        dark: light type on a dark ground, for slides.

    Raises:
        UserError: a number is out of range.
    """

    width_mm: float = 174.0
    font_size: float = 8.0
    dpi: int = 300
    title: str = ""
    columns: int | None = None
    captions: bool = True
    photo: bool = True
    truth: bool = True
    colour_map: str = "viridis"
    opacity: float = 0.8
    dark: bool = False

    def __post_init__(self) -> None:
        for name, value, low, high, unit in (
            ("width", self.width_mm, 30, 1200, " mm"),
            ("font size", self.font_size, 4, 48, " points"),
            ("resolution", self.dpi, 50, 1200, " dpi"),
            ("opacity", self.opacity, 0, 1, ""),
        ):
            if not low <= value <= high:
                raise UserError(f"The {name} of a figure lies between {low} and {high}{unit}, got {value:g}.")
        if self.width_mm / MM_PER_INCH * self.dpi > MOST_PIXELS:
            most = int(MOST_PIXELS / (self.width_mm / MM_PER_INCH))
            raise UserError(
                f"A figure of {self.width_mm:g} mm at {self.dpi} dpi would be more than {MOST_PIXELS:,} pixels wide; "
                f"take {most} dpi or less."
            )
        if self.columns is not None and self.columns < 1:
            raise UserError(f"A figure has at least one column, got {self.columns}.")
        if self.colour_map not in COLOUR_MAPS:
            raise UserError(f"There is no colour map {self.colour_map!r}: choose one of {', '.join(COLOUR_MAPS)}.")

    @property
    def width(self) -> float:
        """In inches, as matplotlib counts."""
        return self.width_mm / MM_PER_INCH

    @property
    def line(self) -> float:
        """Height of a line of text, in inches."""
        return 1.32 * self.font_size / POINTS_PER_INCH

    @property
    def ground(self) -> str:
        """Colour of the paper."""
        return "#14171c" if self.dark else "#ffffff"

    @property
    def text(self) -> str:
        """Colour of text."""
        return "#f2f4f7" if self.dark else "#16191d"

    @property
    def quiet(self) -> str:
        """Colour of captions; readable on the ground all the same."""
        return "#b9c0ca" if self.dark else "#4b535e"
