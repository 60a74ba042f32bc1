"""Ground-truth masks as PNG files whose pixel values are class numbers."""

from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from recam_core.atomic_write import replacing_file
from recam_core.data.decode_bounds import BoundedBytes
from recam_core.data.image_io import DATASET_LIMITS, PhotoError, PhotoLimits, damage

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _PALETTE = 0, 3


class MaskError(PhotoError):
    """A file that cannot be used as a mask; ``reason`` is the sentence without the file's name."""


def read_mask(
    source: str | Path | bytes | BinaryIO,
    *,
    limits: PhotoLimits = DATASET_LIMITS,
    name: str | None = None,
) -> np.ndarray:
    """Class numbers of an indexed PNG (the palette index, never its colour) or of a grey PNG of up to 8 bits.

    EXIF data of masks are ignored.

    Returns:
        H x W uint8. Whether each value is a class of the data set is for the data set to check.

    Raises:
        MaskError: (a UserError) missing, not a PNG, coloured, 16-bit, truncated, too small or too large.
    """
    data, name = _read_bytes(source, limits.max_bytes, name)
    if not data.startswith(_PNG_SIGNATURE) or len(data) < 33:
        raise MaskError(
            name,
            "a mask must be a PNG file with one class number a pixel; this is not a PNG file.",
        )
    # The header sits at fixed places in every PNG. Pillow's mode alone would not do: it spreads 2- and 4-bit
    # grey over 0..255, which turns class 1 into 85 or 17.
    depth, colour = data[24], data[25]
    if colour not in (_GREY, _PALETTE):
        raise MaskError(
            name,
            "the mask has colours for pixels, not class numbers; save it as an indexed (palette) or 8-bit grey PNG.",
        )
    if depth == 16:
        raise MaskError(
            name,
            "the mask has 16 bits a pixel; save it as an indexed (palette) or 8-bit grey PNG.",
        )
    try:
        image = Image.open(BoundedBytes(data, limits.max_seconds), formats=("PNG",))
        width, height = image.size
        if max(width, height) > limits.max_side or width * height > limits.max_pixels:
            raise MaskError(name, f"the mask is {width} x {height} pixels, which is too large.")
        image.load()
    except MaskError:
        raise
    except Exception as error:  # a decoder fed with damaged or hostile bytes may raise anything at all
        raise MaskError(name, damage(error)) from error
    values = np.asarray(image).astype(np.uint8)
    if colour == _GREY and depth in (2, 4):
        values //= 255 // (2**depth - 1)
    return values


def _read_bytes(source: str | Path | bytes | BinaryIO, max_bytes: int, name: str | None) -> tuple[bytes, str]:
    if isinstance(source, bytes):
        return source, name or "the mask"
    if not isinstance(source, (str, Path)):
        name = name or str(getattr(source, "name", "the mask"))
        data = source.read(max_bytes + 1)
        if len(data) > max_bytes:
            raise MaskError(name, f"the file is larger than {max_bytes / 1e6:.0f} MB.")
        return data, name
    name = name or str(source)
    path = Path(source)
    try:
        if not path.is_file():
            raise MaskError(name, "this file is missing.", is_missing=True)
        if path.stat().st_size > max_bytes:
            raise MaskError(name, f"the file is larger than {max_bytes / 1e6:.0f} MB.")
        return path.read_bytes(), name
    except OSError as error:
        raise MaskError(name, f"this file cannot be read ({error.strerror or error}).") from error


def voc_palette() -> np.ndarray:
    """256 x 3 uint8: the colours by which VOC masks are usually shown.

    Bits 0, 3, 6 of the class number (then 1, 4, 7; then 2, 5) become the high bits of red, bits 1, 4, 7 those of
    green, bits 2, 5 those of blue, so that neighbouring numbers get far-apart colours.
    """
    numbers = np.arange(256)
    palette = np.zeros((256, 3), dtype=np.int64)
    for place in range(8):
        for channel in range(3):
            palette[:, channel] |= ((numbers >> (3 * place + channel)) & 1) << (7 - place)
    return palette.astype(np.uint8)


def write_mask(path: str | Path, mask: np.ndarray) -> None:
    """Write an H x W uint8 mask as an indexed PNG with the VOC palette, whole or not at all.

    Raises:
        UserError: the file cannot be written.
    """
    image = Image.fromarray(np.ascontiguousarray(mask, dtype=np.uint8))
    image.putpalette(voc_palette().tobytes())
    with replacing_file(path) as temporary:
        image.save(temporary, format="PNG", optimize=False)
