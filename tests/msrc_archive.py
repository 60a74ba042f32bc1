"""The archive of MSRC v2 as Microsoft packs it, of a few small pictures."""

import io
import zipfile

import numpy as np
from PIL import Image

from data_layouts import photo
from recam_core.data.mask_io import voc_palette


def bmp(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="BMP")
    return stream.getvalue()


def colours(*numbers: int, height: int = 24, width: int = 32) -> np.ndarray:
    """H x W x 3: stripes in VOC's colours of these numbers."""
    stripes = np.repeat(np.array(numbers), -(-width // len(numbers)))[:width]
    return np.broadcast_to(voc_palette()[stripes], (height, width, 3)).copy()


def msrc_files(ids: list[str]) -> dict[str, bytes]:
    """What Microsoft's archive holds, of these pictures; cows on grass, and what is not scored."""
    around = "MSRC_ObjCategImageDatabase_v2"
    files = {f"{around}/Readme.txt": b"hello", f"{around}/Images/Thumbs.db": b"x"}
    for place, identifier in enumerate(ids):
        files[f"{around}/Images/{identifier}_s.bmp"] = bmp(photo(place))
        name = f"{identifier}_GT.bmp" if place % 2 else f"{identifier}_s_GT.bmp"
        files[f"{around}/GroundTruth/{name}"] = bmp(colours(2, 4, 0, 5))
    return files


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()
