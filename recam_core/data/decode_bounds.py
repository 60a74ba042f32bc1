"""How much work a decoder may put into a file from outside, which its size and its pixels do not tell."""

import time
from io import BytesIO

from PIL import Image

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
