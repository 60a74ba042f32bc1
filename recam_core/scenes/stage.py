"""The stage: a supersampled photo and, from the same outlines, the exact mask."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from recam_core.data.sample import BACKGROUND
from recam_core.scenes.colour import Colour, Palette, mix
from recam_core.scenes.geometry import Figure

#: Pixels drawn along each side of a picture's pixel; odd, so that a pixel has a centre sample for the mask.
SUPERSAMPLE = 3


def _fall_off() -> Image.Image:
    """A 64 x 64 disc, 255 in its centre, falling smoothly to 0 at its rim."""
    axis = np.linspace(-1.0, 1.0, 64)
    near = np.clip(1.0 - np.hypot(axis[None, :], axis[:, None]), 0.0, 1.0)
    return Image.fromarray(np.round(255.0 * near * near * (3.0 - 2.0 * near)).astype(np.uint8))


_FALL_OFF = _fall_off()


def _pixels(points: np.ndarray) -> list[float]:
    return points.ravel().tolist()


def _rgb(tone: Colour) -> tuple[int, int, int]:
    return round(tone[0]), round(tone[1]), round(tone[2])


class Stage:
    """A square picture under construction; x and y run from 0 to 1, y downwards.

    Args:
        size: side of the finished picture in pixels.
        palette: the light.
        photo: whether to draw the photo at all; the mask alone takes a fraction of the time.
        nothing: mask value of what belongs to no class.

    Attributes:
        surface: mask value of the scenery that is laid next; ``nothing`` unless the context is a class.
    """

    def __init__(self, size: int, palette: Palette, photo: bool, nothing: int = BACKGROUND):
        self.size = size
        self.side = size * SUPERSAMPLE
        self.palette = palette
        self.nothing = self.surface = nothing
        self._ids = Image.new("L", (self.side, self.side), nothing)
        self._ids_draw = ImageDraw.Draw(self._ids)
        self.image = Image.new("RGB", (self.side, self.side)) if photo else None
        if self.image is not None:
            self._opaque = ImageDraw.Draw(self.image)
            self._glaze = ImageDraw.Draw(self.image, "RGBA")

    def sky(self, rows: Sequence[tuple[float, Colour]], sun: tuple[float, float], bottom: float) -> None:
        """Fill the stage down to ``bottom`` with a gradient through (y, colour) stops that glows around the sun."""
        self._ids.paste(self.surface, (0, 0, self.side, round(bottom * self.side)))
        if self.image is None:
            return
        width, height = 64, 48  # a smooth field: drawn small and enlarged
        y, x = (np.arange(height) + 0.5) / height * bottom, (np.arange(width) + 0.5) / width
        stops = [stop for stop, _ in rows]
        column = np.stack([np.interp(y, stops, [tone[c] for _, tone in rows]) for c in range(3)], axis=1)
        near = np.hypot(x[None, :] - sun[0], y[:, None] - sun[1])
        glow = 0.45 * np.exp(-((near / 0.2) ** 2)) + 0.4 * np.exp(-((near / 0.075) ** 2))
        field = column[:, None, :] + (np.asarray(self.palette.sun) - column[:, None, :]) * glow[:, :, None]
        small = Image.fromarray(np.round(np.clip(field, 0, 255)).astype(np.uint8))
        self.image.paste(small.resize((self.side, round(bottom * self.side)), Image.Resampling.BILINEAR))

    def lay(self, outline: np.ndarray, top: Colour, bottom: Colour) -> None:
        """A polygon of the ``surface``, in the mask too, shaded from ``top`` to ``bottom`` over its height."""
        self._ids_draw.polygon(_pixels(outline * self.side), fill=self.surface)
        if self.image is None:
            return
        p = outline * self.side
        y0, y1 = max(0, int(p[:, 1].min())), min(self.side, int(np.ceil(p[:, 1].max())))
        if y1 <= y0:
            return
        cover = Image.new("1", (self.side, y1 - y0), 0)
        ImageDraw.Draw(cover).polygon(_pixels(p - (0, y0)), fill=1)
        t = np.linspace(0.0, 1.0, y1 - y0)[:, None]
        column = np.asarray(top) * (1 - t) + np.asarray(bottom) * t
        strip = Image.fromarray(np.round(column).astype(np.uint8)[:, None, :])
        self.image.paste(strip.resize((self.side, y1 - y0), Image.Resampling.NEAREST), (0, y0), cover)

    def paint(self, outline: np.ndarray, tone: Colour, alpha: int = 255) -> None:
        """A polygon of scenery that lies behind every figure to come."""
        if self.image is None:
            return
        if alpha == 255:
            self._opaque.polygon(_pixels(outline * self.side), fill=_rgb(tone))
        else:
            self._glaze.polygon(_pixels(outline * self.side), fill=(*_rgb(tone), alpha))

    def strew(self, outline: np.ndarray, tone: Colour, alpha: int = 255) -> None:
        """A polygon that belongs to the ``surface``, in the mask too, even where it sticks out over its edge."""
        self.paint(outline, tone, alpha)
        self._ids_draw.polygon(_pixels(outline * self.side), fill=self.surface)

    def cover(self, outline: np.ndarray, tone: Colour) -> None:
        """A polygon of scenery that may stand in front of figures: it belongs to nothing in the mask too."""
        self.paint(outline, tone)
        self._ids_draw.polygon(_pixels(outline * self.side), fill=self.nothing)

    def contact_shadow(self, x: float, y: float, width: float, strength: float = 1.0) -> None:
        """A soft pool of shadow on the ground."""
        if self.image is None:
            return
        rx, ry = width * 0.66, width * 0.085
        side = max(1, round(2 * rx * self.side)), max(1, round(2 * ry * self.side))
        depth = min(1.0, 0.6 * strength * (0.5 + self.palette.contrast))
        fade = _FALL_OFF.point([round(level * depth) for level in range(256)]).resize(side, Image.Resampling.BILINEAR)
        self.image.paste(_rgb(self.palette.shade), (round((x - rx) * self.side), round((y - ry) * self.side)), fade)

    def figure(self, figure: Figure, value: int, place: "Place") -> None:
        """Put a figure on the stage.

        Args:
            value: its mask value, k + 1.
            place: where, how large and how it is lit.
        """
        outlines = [place.onto(shape.points) * self.side for shape in figure.shapes]
        for shape, outline in zip(figure.shapes, outlines, strict=True):
            if shape.solid:
                self._ids_draw.polygon(_pixels(outline), fill=value)
        if self.image is None:
            return
        solid = np.concatenate([o for shape, o in zip(figure.shapes, outlines, strict=True) if shape.solid])
        margin = 2 * SUPERSAMPLE
        x0, y0 = np.maximum(np.floor(solid.min(axis=0)).astype(int) - margin, 0)
        x1, y1 = np.minimum(np.ceil(solid.max(axis=0)).astype(int) + margin, self.side)
        if x1 <= x0 or y1 <= y0:
            return
        box = (int(x0), int(y0), int(x1), int(y1))
        extent = (box[2] - box[0], box[3] - box[1])
        tile = self.image.crop(box)
        alpha = Image.new("L", extent, 0)
        opaque, glaze, cover = ImageDraw.Draw(tile), ImageDraw.Draw(tile, "RGBA"), ImageDraw.Draw(alpha)
        for shape, outline in zip(figure.shapes, outlines, strict=True):
            pixels = _pixels(outline - (x0, y0))
            tone = _rgb(place.light(shape.colour, self.palette))
            if shape.alpha == 255:
                opaque.polygon(pixels, fill=tone)
            else:
                glaze.polygon(pixels, fill=(*tone, shape.alpha))
            if shape.solid:
                cover.polygon(pixels, fill=255)
        self._drop_shadow(self.image, alpha, box)
        tile = self._modelled(tile, alpha, extent, place)
        self.image.paste(tile, box, alpha)

    def _drop_shadow(self, onto: Image.Image, alpha: Image.Image, box: tuple[int, int, int, int]) -> None:
        """The soft shadow that a paper cut-out throws on what lies behind it."""
        step = 2 * SUPERSAMPLE
        pad = 3 * step
        wide = Image.new("L", (alpha.width + 2 * pad, alpha.height + 2 * pad), 0)
        wide.paste(alpha, (pad, pad))
        soft = wide.reduce(step).filter(ImageFilter.BoxBlur(1.2))
        soft = soft.point([round(level * 0.42 * (0.4 + self.palette.contrast)) for level in range(256)])
        soft = soft.resize(wide.size, Image.Resampling.BILINEAR)
        onto.paste(_rgb(self.palette.shade), (box[0] - pad + SUPERSAMPLE, box[1] - pad + 2 * SUPERSAMPLE), soft)

    def _modelled(self, tile: Image.Image, alpha: Image.Image, extent: tuple[int, int], place: "Place") -> Image.Image:
        """The tile lit from above and one side, mottled like paint on paper, with a bright upper rim."""
        from_left = place.from_left
        rng = np.random.default_rng(place.texture)
        cells = int(rng.integers(10, 44))
        ramp = np.linspace(255.0, 255.0 - 75.0 * self.palette.contrast, cells)
        side = np.linspace(0.0, -36.0 * self.palette.contrast, cells)
        field = ramp[:, None] + (side if from_left else side[::-1])[None, :]
        field = np.clip(field - rng.uniform(0.0, rng.uniform(6.0, 26.0), (cells, cells)), 0, 255)
        lit = Image.fromarray(np.round(field).astype(np.uint8)).resize(extent, Image.Resampling.BILINEAR)
        tile = ImageChops.multiply(tile, Image.merge("RGB", (lit, lit, lit)))
        shift = SUPERSAMPLE
        moved = Image.new("L", extent, 0)
        moved.paste(alpha, (shift // 2 if from_left else -(shift // 2), shift))
        rim = ImageChops.subtract(alpha, moved).point([level * 70 // 255 for level in range(256)])
        tile.paste(_rgb(mix(self.palette.sun, (255.0, 255.0, 255.0), 0.5)), (0, 0), rim)
        return tile

    def mask(self) -> np.ndarray:
        """size x size uint8: k + 1 class k, ``nothing`` elsewhere; the centre sample of each pixel."""
        centre = SUPERSAMPLE // 2
        return np.asarray(self._ids)[centre::SUPERSAMPLE, centre::SUPERSAMPLE].copy()

    def photo(self) -> np.ndarray:
        """size x size x 3 float32, 0..255: the photo, each pixel the mean of its samples."""
        assert self.image is not None, "this stage was set for a mask alone"
        return np.asarray(self.image.reduce(SUPERSAMPLE), dtype=np.float32)


@dataclass(frozen=True)
class Place:
    """Where a figure stands and in which light.

    Attributes:
        x, y: the point of the stage on which the figure's origin is put.
        scale: length of a figure's unit as a share of the picture's width.
        mirror: whether it faces left.
        angle: rotation in radians.
        distance: 0 near .. 1 at the horizon; far things fade into the haze.
        from_left: whether the light comes from the left.
        stretch: how much wider it is seen; below 1 as if looked at from a corner.
        texture: seed of its mottling.
    """

    x: float
    y: float
    scale: float
    mirror: bool
    angle: float
    distance: float
    from_left: bool
    stretch: float
    texture: int

    def onto(self, points: np.ndarray) -> np.ndarray:
        """The figure's points (y up) as points of the stage (y down)."""
        c, s = np.cos(self.angle), np.sin(self.angle)
        x, y = points[:, 0] * c - points[:, 1] * s, points[:, 0] * s + points[:, 1] * c
        x = x * self.stretch
        x = -x if self.mirror else x
        return np.stack([self.x + x * self.scale, self.y - y * self.scale], axis=1)

    def light(self, tone: Colour, palette: Palette) -> Colour:
        """The colour as it appears in the palette's light, at this distance."""
        red, green, blue = (
            a * (1 - palette.tint_amount + palette.tint_amount * b / 255.0)
            for a, b in zip(tone, palette.tint, strict=True)
        )
        return mix((red, green, blue), palette.haze, palette.haze_amount * self.distance * 0.45)
