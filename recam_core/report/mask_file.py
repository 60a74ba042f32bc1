"""Masks as indexed PNG files: the pixel value is the class number, the palette shows it in the class's colour."""

import zipfile
from collections.abc import Mapping
from io import BytesIO

import numpy as np
from PIL import Image

from recam_core.data.sample import VOID, ClassList
from recam_core.report.file_names import file_name
from recam_core.views.colours import class_colours
from recam_core.views.marks import GREY


def class_palette(num_classes: int) -> np.ndarray:
    """256 x 3 uint8: black background, the colours that classes have on the screen, grey for void."""
    palette = np.zeros((256, 3), dtype=np.uint8)
    palette[: num_classes + 1] = class_colours(num_classes)
    palette[VOID] = GREY
    return palette


def mask_png(mask: np.ndarray, num_classes: int) -> bytes:
    """The bytes of a PNG file with a palette, as VOC has its masks.

    Args:
        mask: H x W, uint8: 0 background, k + 1 class k, 255 void.
        num_classes: K; fixes the colours.
    """
    image = Image.fromarray(np.ascontiguousarray(mask, dtype=np.uint8))
    image.putpalette(class_palette(num_classes).tobytes())
    stream = BytesIO()
    image.save(stream, format="PNG", optimize=False)
    return stream.getvalue()


def masks_zip(masks: Mapping[str, np.ndarray], classes: ClassList) -> bytes:
    """The bytes of a ZIP file of one PNG a mask, and ``classes.txt``, which says what the numbers mean.

    Args:
        masks: title -> H x W uint8 mask.
        classes: K classes.
    """
    stream = BytesIO()
    used: set[str] = set()
    with zipfile.ZipFile(stream, "w") as archive:
        for title, mask in masks.items():
            name = _unused(file_name(title), used)
            # A fixed date: the same masks give the same bytes.
            archive.writestr(zipfile.ZipInfo(f"{name}.png"), mask_png(mask, len(classes)))
        lines = [f"0 {'background' if classes.has_background else 'unlabelled'}"]
        lines += [f"{k + 1} {' '.join(name.split())}" for k, name in enumerate(classes.names)]
        archive.writestr(zipfile.ZipInfo("classes.txt"), "\n".join([*lines, f"{VOID} void", ""]))
    return stream.getvalue()


def _unused(name: str, used: set[str]) -> str:
    """The name, or the name with a number where another mask has it already (letter case aside)."""
    candidate, number = name, 1
    while candidate.lower() in used:
        number += 1
        candidate = f"{name}-{number}"
    used.add(candidate.lower())
    return candidate
