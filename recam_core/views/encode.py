"""Pictures as file bytes and as addresses that hold the picture itself."""

import base64
from io import BytesIO

import numpy as np
from PIL import Image


def encode(image: np.ndarray, kind: str = "png") -> bytes:
    """The bytes of an image file of an H x W x 3 uint8 picture; ``kind`` is "png" (exact) or "jpeg" (small)."""
    stream = BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(image))
    if kind == "jpeg":
        # Full colour resolution: halved chroma smears the thin coloured lines of patterns.
        picture.save(stream, "JPEG", quality=90, subsampling=0)
    else:
        picture.save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def data_url(image: np.ndarray, kind: str = "png") -> str:
    """An address that holds the picture, for style sheets and pages that must open on their own."""
    return f"data:image/{kind};base64," + base64.b64encode(encode(image, kind)).decode("ascii")
