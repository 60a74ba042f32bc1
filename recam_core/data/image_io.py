"""Photographs from anywhere as H x W x 3 uint8 RGB: shown right, or refused with a sentence."""

import time
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from recam_core.file_reader import FileError, file_bytes, opened_file, shown_name

#: The only decoders that a file may reach; Pillow's more exotic ones are never tried on a stranger's bytes.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
#: File name endings under which data sets look for photographs.
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")

#: The EXIF orientation of pictures that are stored upright.
UPRIGHT = 1
_ORIENTATION_TAG = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
#: Scans of a JPEG. Encoders write ten or so; each passes over all pixels, and an empty one takes some thirty bytes.
MOST_SCANS = 64
#: Bytes that a decoder of JPEG is given at once: the time is looked at in between.
_PIECE = 4096
_SCAN, _PROGRESSIVE = b"\xff\xda", b"\xff\xc2"
#: Values of TIFF's compression tag that stand for JPEG data.
_COMPRESSION, _JPEG = 259, (6, 7, 34892)
#: Pixels, each time that a decoder passes over them, that take half a second or less: about what a process costs.
_CHEAP_PIXELS = 40_000_000
#: A PNG's pixel takes as long as three of a JPEG.
_PNG_PIXEL = 3


@dataclass(frozen=True)
class PhotoLimits:
    """What is still accepted as a photograph. Sizes are compared before anything is decoded.

    Attributes:
        min_side: least width and height in pixels.
        max_side: greatest width and height in pixels.
        max_pixels: greatest width x height.
        max_bytes: greatest size of the file.
        max_seconds: of the processor's time that decoding may take.
    """

    min_side: int = 8
    max_side: int = 20_000
    max_pixels: int = 64_000_000
    max_bytes: int = 300_000_000
    max_seconds: float = 20.0


#: For pictures of a data set on the user's own disk.
DATASET_LIMITS = PhotoLimits()


@dataclass(frozen=True)
class Photo:
    """A decoded photograph.

    Attributes:
        image: H x W x 3, uint8, RGB, upright.
        notes: one sentence for each thing that was changed on the way (rotation, first frame, colours).
    """

    image: np.ndarray
    notes: tuple[str, ...] = ()


class PhotoError(FileError):
    """A file that cannot be used as a photograph."""


def read_photo(
    source: str | Path | bytes | BinaryIO,
    *,
    limits: PhotoLimits = DATASET_LIMITS,
    name: str | None = None,
) -> Photo:
    """Read a photograph: EXIF rotation applied, first frame of an animation, transparency on white, 8 bits.

    Args:
        source: a path, the file's bytes, or an open binary file.
        limits: what is too small or too large.
        name: how messages call the picture; by default the path, or the open file's name.

    Raises:
        PhotoError: (a UserError) the file is missing, not an image, truncated, too small or too large.
    """
    data, name = _photo_bytes(source, limits, name)
    image = _open(data, name, limits)
    notes: list[str] = []
    try:
        # Asked first: as soon as something is decoded, Pillow has forgotten it.
        is_16_bit = any(";16" in str(tile[3]) for tile in getattr(image, "tile", ()))
        if getattr(image, "is_animated", False) and image.format in (
            "GIF",
            "WEBP",
            "PNG",
            "TIFF",
        ):
            notes.append("Only the first frame of this animation is used.")
            image.seek(0)
        orientation = _orientation(image)
        image.load()
        pixels = _to_rgb(image, notes, is_16_bit)
        if orientation in _TURNS:
            pixels = turned(pixels, orientation)
            notes.append("The picture was turned upright as its EXIF data say.")
    except PhotoError:
        raise
    except Exception as error:  # a decoder fed with damaged or hostile bytes may raise anything at all
        raise PhotoError(name, damage(error)) from error
    return Photo(np.ascontiguousarray(pixels), tuple(notes))


def opened_photo(content: bytes, *, limits: PhotoLimits = DATASET_LIMITS, name: str) -> Image.Image:
    """A photograph's header, checked as by :func:`read_photo`; no pixel is decoded.

    Raises:
        PhotoError: as read_photo, except for damage behind the header.
    """
    return _open(*_photo_bytes(content, limits, name), limits)


def photo_size(source: str | Path | bytes, *, limits: PhotoLimits = DATASET_LIMITS) -> tuple[int, int]:
    """(height, width) as :func:`read_photo` would return it, from the header alone.

    Raises:
        PhotoError: as read_photo, except for damage behind the header.
    """
    data, name = _photo_bytes(source, limits, None)
    image = _open(data, name, limits)
    width, height = image.size
    return (width, height) if _orientation(image) >= 5 else (height, width)


def stored_form(source: str | Path | bytes) -> tuple[int, tuple[int, int]]:
    """The EXIF orientation (1 to 8) of a photograph, and (height, width) as stored, from its header alone.

    Raises:
        PhotoError: (a UserError) there is no such file, or it has no header that can be read.
    """
    name = shown_name(source, "the picture")
    try:
        with opened_file(source, name=name, error=PhotoError) as (stream, _):
            image = Image.open(stream, formats=FORMATS)
            return _orientation(image), (image.height, image.width)
    except PhotoError:
        raise
    except Exception as error:  # header parsers raise anything on hostile bytes
        raise PhotoError(name, damage(error)) from error


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """An array of pixels (H x W, or H x W x 3, uint8) as stored, upright as its EXIF orientation (1 to 8) says."""
    if orientation not in _TURNS:
        return pixels
    return np.asarray(Image.fromarray(pixels).transpose(_TURNS[orientation]))


def _photo_bytes(source: str | Path | bytes | BinaryIO, limits: PhotoLimits, name: str | None) -> tuple[bytes, str]:
    name = name or shown_name(source, "the picture")
    data = file_bytes(source, limits.max_bytes, name=name, error=PhotoError, advice="; save a smaller picture.")
    if not data:
        raise PhotoError(name, "the file is empty.")
    return data, name


def _open(data: bytes, name: str, limits: PhotoLimits) -> Image.Image:
    """Read the header and refuse what is out of bounds; no pixel is decoded here."""
    try:
        image = Image.open(BoundedBytes(data, limits.max_seconds), formats=FORMATS)
        bound_work(image, data)
    except UnidentifiedImageError as error:
        raise PhotoError(
            name,
            "this is not an image that can be read; use a JPEG, PNG, WebP, BMP, GIF or TIFF file.",
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PhotoError(
            name,
            f"it has more than {limits.max_pixels / 1e6:g} million pixels; scale it down.",
        ) from error
    except Exception as error:  # as above: header parsers, too, raise anything on hostile bytes
        raise PhotoError(name, damage(error)) from error
    width, height = image.size
    if min(width, height) < limits.min_side:
        raise PhotoError(
            name,
            f"it is {width} x {height} pixels; each side must have at least {limits.min_side} pixels.",
        )
    if max(width, height) > limits.max_side:
        raise PhotoError(
            name,
            f"it is {width} x {height} pixels; no side may have more than {limits.max_side:,}. Scale it down.",
        )
    if width * height > limits.max_pixels:
        raise PhotoError(
            name,
            f"it is {width} x {height} pixels, more than {limits.max_pixels / 1e6:g} million in all; scale it down.",
        )
    return image


def damage(error: Exception) -> str:
    """The sentence for whatever a decoder raised."""
    text = "" if isinstance(error, UnidentifiedImageError) else str(error)
    if isinstance(error, TooMuchWork):
        return text
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return "the file is truncated (its end is missing); copy or save it again."
    if isinstance(error, MemoryError):
        return "there is not enough memory to decode it; scale it down."
    return f"the image data are damaged ({text or type(error).__name__})."


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_ORIENTATION_TAG, UPRIGHT)
    except Exception:  # noqa: BLE001 - damaged EXIF data are no reason to refuse a picture that decodes
        return UPRIGHT
    return value if isinstance(value, int) and 1 <= value <= 8 else UPRIGHT


def _to_rgb(image: Image.Image, notes: list[str], is_16_bit: bool) -> np.ndarray:
    """H x W x 3 uint8 of a decoded Pillow image of any mode."""
    mode = image.mode
    if mode == "RGB":
        pixels = np.asarray(image)
        low, high = int(pixels.min()), int(pixels.max())
        if is_16_bit and low < high < _HALF >> 8:
            # The decoder gives the upper 8 of the 16 bits alone.
            notes.append("16-bit colours that fill only a part of their range were stretched; fine steps are lost.")
            return np.rint((pixels.astype(np.float64) - low) * (255.0 / (high - low))).astype(np.uint8)
        return pixels
    if mode.startswith("I;16"):
        return _grey(_scale_16(np.asarray(image), notes))
    if mode in ("I", "F"):
        return _grey(_scale_wide(np.asarray(image, dtype=np.float64), notes))
    if mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        if np.asarray(image.getchannel("A")).min() < 255:
            notes.append("Transparent parts are shown on white.")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return np.asarray(Image.alpha_composite(white, image).convert("RGB"))
    if mode == "CMYK":
        notes.append("CMYK colours were converted to RGB.")
    return np.asarray(image.convert("RGB"))


def _grey(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[:, :, None], 3, axis=2)


#: Values of 16 bits none of which reaches this are of fewer bits, such as the 12 of a camera or a scanner; taken as
#: parts of 65,535 they would be nearly black.
_HALF = 1 << 15


def _scale_16(values: np.ndarray, notes: list[str]) -> np.ndarray:
    low, high = int(values.min()), int(values.max())
    if low < high < _HALF:
        return _stretched(values.astype(np.float64), low, high, notes)
    notes.append("16-bit values were scaled to 8 bits.")
    return ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def _stretched(values: np.ndarray, low: float, high: float, notes: list[str]) -> np.ndarray:
    notes.append(f"16-bit values, of which only {low:,.0f} to {high:,.0f} occur, were stretched to 8 bits.")
    return np.rint((values - low) * (255.0 / (high - low))).astype(np.uint8)


def _scale_wide(values: np.ndarray, notes: list[str]) -> np.ndarray:
    """32-bit integers or floats to 8 bits: 0..1, 0..255 and 0..65535 by their scale, anything else min to max."""
    finite = np.isfinite(values)
    if not finite.any():
        raise ValueError("no pixel has a finite value")
    low, high = float(values[finite].min()), float(values[finite].max())
    values = np.where(finite, values, low)
    if low >= 0 and high <= 1:
        top = 1.0
    elif low >= 0 and high <= 255:
        top = 255.0
    elif low >= 0 and low < high < _HALF:
        return _stretched(values, low, high, notes)
    elif low >= 0 and high <= 65535:
        top = 65535.0
    else:
        notes.append("Pixel values were stretched from their own minimum and maximum to 8 bits.")
        values, top = values - low, high - low
    if top == 65535.0:
        notes.append("16-bit values were scaled to 8 bits.")
    return np.rint(values * (255.0 / top)).astype(np.uint8)


# How much work a decoder may put into a file from outside, which its size and its pixels do not tell ------------------


class TooMuchWork(Exception):
    """Decoding takes more than a picture is worth; the text is the sentence behind the picture's name."""


class BoundedBytes(BytesIO):
    """A file in memory that a decoder may read from for so many seconds of the processor's time.

    Not of the clock: on a busy machine a good picture takes long, too. The time is that of the thread that made it.
    """

    def __init__(self, content: bytes, seconds: float):
        super().__init__(content)
        self._seconds, self._until = seconds, time.thread_time() + seconds

    def read(self, size: int | None = -1) -> bytes:
        """As of any file. Raises TooMuchWork when the time is over."""
        if time.thread_time() > self._until:
            raise TooMuchWork(f"decoding it takes more than {self._seconds:g} seconds; save it again as PNG.")
        return super().read(size)


def bound_work(image: Image.Image, content: bytes) -> None:
    """Refuse what is made to keep a decoder busy, by its bytes; have the decoder look at the time often.

    Args:
        image: opened, and not yet decoded, from a :class:`BoundedBytes`.
        content: of the file.

    Raises:
        TooMuchWork: a JPEG of too many scans, or a TIFF of progressive JPEG pieces.
    """
    if image.format in ("JPEG", "MPO"):
        # In JPEG data proper these two bytes stand for nothing else.
        scans = content.count(_SCAN)
        if scans > MOST_SCANS:
            raise TooMuchWork(f"this JPEG has {scans:,} scans, and {MOST_SCANS} is most; save it again as plain JPEG.")
        image.decodermaxblock = _PIECE  # type: ignore[attr-defined]
    elif image.format == "TIFF" and image.tag_v2.get(_COMPRESSION) in _JPEG and _PROGRESSIVE in content:  # type: ignore[attr-defined]
        raise TooMuchWork("this TIFF holds progressive JPEG data; save it again as JPEG or PNG.")


def is_cheap(image: Image.Image, content: bytes) -> bool:
    """Whether decoding is plainly bounded by pixels, and those are few: so are nearly all photos of phones and cameras.

    Sequential JPEGs (of up to 20 million pixels, where a thumbnail counts as one more scan) and PNGs (13 million) are:
    a decoder passes over each byte and pixel once a scan, and looks at the time in between. A progressive JPEG may pass
    over all pixels for each scan, and decoders of WebP, TIFF, GIF and BMP have more parts, and take a file at one go.

    Args:
        image: opened, and not yet decoded.
        content: of the file.
    """
    width, height = image.size
    if image.format in ("JPEG", "MPO"):
        if image.info.get("progressive"):
            return False
        passes = content.count(_SCAN)
    elif image.format == "PNG":
        passes = _PNG_PIXEL * (2 if image.info.get("interlace") else 1)
    else:
        return False
    return width * height * passes <= _CHEAP_PIXELS
