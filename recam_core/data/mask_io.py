"""Ground-truth masks as PNG files whose pixel values are class numbers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from PIL import Image

from recam_core.atomic_write import replacing_file
from recam_core.data.image_io import DATASET_LIMITS, BoundedBytes, PhotoError, PhotoLimits, damage
from recam_core.data.sample import VOID, FaultKind
from recam_core.file_reader import file_bytes, first_bytes, shown_name

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _PALETTE = 0, 3


#: Truecolour, without and with alpha.
_COLOURED = (2, 6)
#: How VOC paints void, which lists of colours leave out.
_VOID_COLOUR = (224 << 16) + (224 << 8) + 192


class MaskError(PhotoError):
    """A file that cannot be used as a mask.

    Attributes:
        reason: the sentence without the file's name.
        kind: of the fault that it is in a data set.
    """

    def __init__(self, name: str, reason: str, is_missing: bool = False, kind: FaultKind = "damaged file"):
        super().__init__(name, reason, is_missing)
        self.kind: FaultKind = "missing file" if is_missing else kind


class MaskValues(Protocol):
    """What a class list says of masks.

    Attributes:
        values: stored value -> what it stands for; None where each stands for itself.
        colours: (red, green, blue) -> the same; None without colours.
    """

    @property
    def values(self) -> Mapping[int, int] | None: ...

    @property
    def colours(self) -> Mapping[tuple[int, int, int], int] | None: ...


def read_mask(
    source: str | Path | bytes | BinaryIO,
    *,
    limits: PhotoLimits = DATASET_LIMITS,
    name: str | None = None,
    meanings: MaskValues | None = None,
) -> np.ndarray:
    """Class numbers of an indexed PNG (the palette index, never its colour) or of a grey PNG of up to 8 bits.

    EXIF data of masks are ignored.

    Args:
        source: a path, the file's bytes, or an open binary file.
        limits: what is too large.
        name: how messages call the mask.
        meanings: what values or colours stand for, where a class list says it. By colours are read PNG files in
            colours, and indexed ones all of whose colours the list has.

    Returns:
        H x W uint8. Whether each value is a class of the data set is for the data set to check.

    Raises:
        MaskError: (a UserError) missing, not a PNG, coloured without a list of colours, 16-bit, truncated, too large,
            or with a value or colour that the list lacks.
    """
    name = name or shown_name(source, "the mask")
    data = file_bytes(source, limits.max_bytes, name=name, error=MaskError)
    if not data.startswith(_PNG_SIGNATURE) or len(data) < 33:
        raise MaskError(
            name,
            "a mask must be a PNG file with one class number a pixel; this is not a PNG file.",
        )
    # The header sits at fixed places in every PNG. Pillow's mode alone would not do: it spreads 2- and 4-bit
    # grey over 0..255, which turns class 1 into 85 or 17.
    depth, colour = data[24], data[25]
    colours = meanings.colours if meanings is not None else None
    if colour not in (_GREY, _PALETTE) and not (colours and colour in _COLOURED):
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
    if colours and colour != _GREY:
        painted = _by_colours(np.asarray(image.convert("RGB")), colours, name, is_all=colour == _PALETTE)
        if painted is not None:
            return painted
    values = np.asarray(image).astype(np.uint8)
    if colour == _GREY and depth in (2, 4):
        values //= 255 // (2**depth - 1)
    return values if meanings is None or meanings.values is None else _by_values(values, meanings.values, name)


def mask_size(path: str | Path) -> tuple[int, int] | None:
    """(height, width) of a PNG file from its first bytes; None for anything else."""
    head = first_bytes(path, 24)
    if len(head) < 24 or not head.startswith(_PNG_SIGNATURE):
        return None
    return int.from_bytes(head[20:24], "big"), int.from_bytes(head[16:20], "big")


def _by_values(mask: np.ndarray, values: Mapping[int, int], name: str) -> np.ndarray:
    stored = np.flatnonzero(np.bincount(mask.ravel(), minlength=256)).tolist()
    if strange := [value for value in stored if value not in values and value != VOID]:
        raise MaskError(
            name,
            f"class id out of range: the mask holds {_some(strange)}, but the class list has only the values "
            f"{_some(sorted(values))} (255 is void).",
            kind="class out of range",
        )
    table = np.full(256, VOID, dtype=np.uint8)
    table[list(values)] = list(values.values())
    return table[mask]


def _by_colours(
    pixels: np.ndarray, colours: Mapping[tuple[int, int, int], int], name: str, is_all: bool
) -> np.ndarray | None:
    """H x W uint8 of H x W x 3; None where ``is_all`` is asked for and a colour is unknown. (224, 224, 192) is void."""
    codes = (pixels.astype(np.int32) << np.array([16, 8, 0])).sum(axis=2)
    found, places = np.unique(codes, return_inverse=True)
    known = {(red << 16) + (green << 8) + blue: value for (red, green, blue), value in colours.items()}
    known.setdefault(_VOID_COLOUR, VOID)
    strange = [code for code in found.tolist() if code not in known]
    if strange and is_all:
        return None
    if strange:
        listed = _some([f"({code >> 16}, {code >> 8 & 255}, {code & 255})" for code in strange])
        raise MaskError(
            name,
            f"class id out of range: the mask has the colours {listed}, which the class list does not name.",
            kind="class out of range",
        )
    return np.array([known[code] for code in found.tolist()], dtype=np.uint8)[places].reshape(codes.shape)


def _some(things: Sequence[object], most: int = 8) -> str:
    return ", ".join(map(str, things[:most])) + (" ..." if len(things) > most else "")


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
