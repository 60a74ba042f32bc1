"""A photograph that somebody hands in, optionally with a mask, as a :class:`Sample`."""

import json
import math
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image

from recam_core.data.check import NO_CLASS
from recam_core.data.image_io import (
    DATASET_LIMITS,
    UPRIGHT,
    Photo,
    PhotoError,
    PhotoLimits,
    is_cheap,
    opened_photo,
    read_photo,
    stored_form,
    turned,
)
from recam_core.data.mask_io import MaskError, read_mask
from recam_core.data.sample import BACKGROUND, VOID, ClassList, Sample
from recam_core.errors import UserError
from recam_core.file_reader import file_bytes

try:
    import resource
except ImportError:  # a system without such bounds; the clock is one everywhere
    resource = None  # type: ignore[assignment]

#: Seconds on the clock for each second of the processor's time that a picture may take: on a busy machine a good
#: picture takes long, too.
_PATIENCE = 6.0
#: Seconds of the processor's time that Python, numpy and Pillow may take to begin.
_BEGIN = 3
#: Memory that a decoder may ask for: what Python and libraries reserve, and bytes a pixel. 16-bit colours that are
#: stretched take two floats of 8 bytes for each of three channels, beside some copies.
_MEMORY, _MEMORY_A_PIXEL = 1 << 30, 72
_LONGEST_ANSWER = 1 << 16
#: Of the environment, what Python itself may need; keys and passwords are no business of a decoder.
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
_CODE = "import sys; sys.path.insert(0, sys.argv[1]); from recam_core.data.upload import serve; serve()"
#: A picture, however it is at hand: a file, an image of Pillow, or H x W x 3 uint8.
Picture = str | Path | Image.Image | np.ndarray | Sample
#: Ground truth likewise: an indexed or grey PNG, such an image, or H x W uint8; 0 background, k + 1 class k, 255 void.
Mask = str | Path | Image.Image | np.ndarray


def read_upload(
    photo: bytes,
    name: str,
    classes: ClassList,
    limits: PhotoLimits,
    mask: bytes | None = None,
    mask_name: str = "the mask",
    *,
    apart: bool = False,
) -> tuple[Sample, tuple[str, ...]]:
    """Decode an upload and check that its mask belongs to it.

    Args:
        photo: the bytes of the photograph's file.
        name: its name, for messages and as the id.
        classes: what the mask's values mean.
        limits: what is too small or too large.
        mask: the bytes of an indexed or grey PNG: 0 background, k + 1 class k, 255 void.
        mask_name: its name, for messages.
        apart: decode a photograph that may take long in a process of its own; for what strangers bring. (A mask is a
            PNG, and within the limits cheap.)

    Returns:
        The sample, and a sentence for each thing that was changed on the way. The labels are those of the mask;
        without one, none is set. For classes without a background, background pixels of the mask become void.

    Raises:
        UserError: either file cannot be used, they differ in size, or the mask holds a value that is no class.
    """
    read = (read_photo_apart if apart else read_photo)(photo, limits=limits, name=name)
    labels = np.zeros(len(classes), dtype=bool)
    if mask is None:
        return Sample(name, read.image, labels, None), read.notes
    truth, notes = _turned(read_mask(mask, limits=limits, name=mask_name), photo, read.image.shape[:2], read.notes)
    (height, width), (mask_height, mask_width) = read.image.shape[:2], truth.shape
    if (height, width) != (mask_height, mask_width):
        raise MaskError(
            mask_name,
            f"the mask is {mask_width} x {mask_height} pixels, the photo (upright) {width} x {height}; "
            "they must have the same size.",
        )
    present = np.bincount(truth.ravel(), minlength=256) > 0
    labels[:] = present[1 : len(classes) + 1]
    strange = np.flatnonzero(present[len(classes) + 1 : VOID]) + len(classes) + 1
    if len(strange):
        raise MaskError(
            mask_name,
            f"the mask holds the value {strange[0]}, but there are {len(classes)} classes: 1 to {len(classes)}, "
            "0 for background, 255 for pixels that no score counts.",
        )
    if not labels.any():
        notes = (*notes, NO_CLASS)
    if not classes.has_background:
        truth = np.where(truth == BACKGROUND, np.uint8(VOID), truth)
    return Sample(name, read.image, labels, truth), notes


def _turned(
    mask: np.ndarray, photo: bytes, upright: tuple[int, int], notes: tuple[str, ...]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The mask turned with its photograph, where its size says that it was drawn on that as stored; and the notes."""
    orientation, stored = stored_form(photo)
    if orientation == UPRIGHT:
        return mask, notes
    if upright != mask.shape == stored:
        return turned(mask, orientation), (*notes, "So was the mask, which was drawn on the picture as it is stored.")
    if upright == mask.shape == stored:
        notes = (*notes, "The mask would fit either way, and is taken as drawn on the upright picture.")
    return mask, notes


# Its size -------------------------------------------------------------------------------------------------------------


def fit_photo(image: np.ndarray, longest: int) -> np.ndarray:
    """H x W x 3 uint8, scaled down so that no side exceeds ``longest`` pixels; smaller pictures stay as they are."""
    size = _fitting(image.shape[:2], longest)
    if size is None:
        return image
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


def fit_mask(mask: np.ndarray, longest: int) -> np.ndarray:
    """H x W uint8, scaled as :func:`fit_photo` scales its photo; class numbers are picked, never mixed."""
    size = _fitting(mask.shape, longest)
    if size is None:
        return mask
    return np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))


def _fitting(shape: tuple[int, int], longest: int) -> tuple[int, int] | None:
    """(width, height) to scale to, or None where the picture fits."""
    height, width = shape
    scale = longest / max(height, width)
    if scale >= 1:
        return None
    return max(1, round(width * scale)), max(1, round(height * scale))


# Pictures and masks as a program has them -----------------------------------------------------------------------------


def picture_bytes(picture: Picture) -> tuple[bytes, str]:
    """A picture as the bytes of a file, which all pass the one reader of photographs; and its name."""
    if isinstance(picture, Sample):
        return _encoded(Image.fromarray(picture.image)), picture.id
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
            raise UserError(
                f"A picture is an array H x W x 3 of uint8 (RGB), not {_form(picture)}; files and "
                "images of Pillow can be of any kind."
            )
        return _encoded(Image.fromarray(np.ascontiguousarray(picture))), "the picture"
    if not isinstance(picture, (str, Path, Image.Image)):
        raise UserError(
            f"A picture is a file, an image of Pillow, or an array H x W x 3 of uint8 (RGB), not {kind_of(picture)}; "
            "np.asarray makes an array of a tensor or a list, and astype(np.uint8) whole numbers of it."
        )
    return _encoded(picture) if isinstance(picture, Image.Image) else _read(picture), _name(picture, "the picture")


def mask_bytes(mask: Mask) -> tuple[bytes, str]:
    """A mask as the bytes of a file, which all pass the one reader of masks; and its name."""
    if isinstance(mask, Image.Image) and mask.mode in ("L", "P", "1"):
        mask = np.asarray(mask).astype(np.uint8)
    if isinstance(mask, np.ndarray):
        if mask.ndim != 2 or not mask.size or mask.dtype.kind not in "iu" or mask.min() < 0 or mask.max() > 255:
            raise UserError(f"A mask is an array H x W of whole numbers from 0 to 255, not {_form(mask)}.")
        return _encoded(Image.fromarray(mask.astype(np.uint8))), "ground truth"
    if not isinstance(mask, (str, Path, Image.Image)):
        raise UserError(
            f"A mask is a file, an image of Pillow, or an array H x W of whole numbers, not {kind_of(mask)}; "
            "np.asarray makes an array of a tensor or a list."
        )
    return _encoded(mask) if isinstance(mask, Image.Image) else _read(mask), _name(mask, "ground truth")


def _form(array: np.ndarray) -> str:
    return f"{' x '.join(map(str, array.shape)) or 'a number'} of {array.dtype}"


def _name(source: str | Path | Image.Image, usual: str) -> str:
    name = getattr(source, "filename", "") if isinstance(source, Image.Image) else source
    return Path(name).name or usual


def _read(path: str | Path) -> bytes:
    return file_bytes(Path(path).expanduser(), DATASET_LIMITS.max_bytes)


def _encoded(image: Image.Image) -> bytes:
    """An image as a file that keeps its pixels as they are, and which side of it is up."""
    stream = BytesIO()
    kind = "TIFF" if image.mode in ("CMYK", "YCbCr", "LAB", "F") else "PNG"
    fast = {"compress_level": 1} if kind == "PNG" else {}
    try:
        image.save(stream, kind, exif=image.getexif(), **fast)
    except (OSError, ValueError) as error:
        raise UserError(f"The image cannot be used as it is ({error}); convert it to RGB first.") from error
    return stream.getvalue()


def kind_of(value: object) -> str:
    """What somebody gave instead of what is taken."""
    name = type(value).__name__
    return "nothing" if value is None or value == "" else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


# Decoded apart: by a process of its own that can be ended, where decoding may take long -------------------------------


def read_photo_apart(content: bytes, *, limits: PhotoLimits, name: str) -> Photo:
    """As :func:`read_photo` of the same bytes, to the bit, but whatever the decoder does ends.

    What is plainly cheap is decoded here. Everything else is decoded by a child process, whose time (of the processor
    and of the clock) and memory are bounded; for 12 million pixels it costs 0.3 seconds more.

    Raises:
        PhotoError: (a UserError) as :func:`read_photo`; or the decoder took too long, too much memory, or crashed.
    """
    if is_cheap(opened_photo(content, limits=limits, name=name), content):
        return read_photo(content, limits=limits, name=name)
    try:
        child = subprocess.Popen(
            [sys.executable, "-I", "-c", _CODE, str(Path(__file__).parents[2])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ} | _ONE_THREAD,
        )
    except OSError as error:
        raise PhotoError(name, f"no process could be started to decode it ({error.strerror or error}).") from error
    assert child.stdin is not None
    assert child.stdout is not None
    late = threading.Event()

    def end() -> None:
        late.set()
        child.kill()

    clock = threading.Timer(_PATIENCE * limits.max_seconds, end)
    clock.start()
    try:
        with suppress(OSError):  # it died: what it says, or does not say, is read below
            child.stdin.write(json.dumps(vars(limits)).encode() + b"\n")
            child.stdin.write(content)
            child.stdin.close()
        found = _answer(child.stdout, limits)
    finally:
        clock.cancel()
        child.kill()
        with suppress(OSError):  # bytes that it did not take are still to be written
            child.stdin.close()
        child.stdout.close()
        child.wait()
    if isinstance(found, Photo):
        return found
    if found is None:
        slow = late.is_set() or (resource is not None and child.returncode == -signal.SIGXCPU)
        found = (
            f"decoding it takes more than {limits.max_seconds:g} seconds; save it again as PNG."
            if slow
            else "its decoder broke off; the file is damaged or made to do harm. Save it again as PNG."
        )
    raise PhotoError(name, found)


def _answer(stream: IO[bytes], limits: PhotoLimits) -> Photo | str | None:
    """The photograph, or the reason why there is none, as a child wrote it; None for anything else."""
    try:
        head = json.loads(stream.readline(_LONGEST_ANSWER))
        if "reason" in head:
            return str(head["reason"])
        height, width = map(int, head["size"])
        notes = tuple(map(str, head["notes"]))
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    if min(height, width) < 1 or max(height, width) > limits.max_side or height * width > limits.max_pixels:
        return None
    image = np.empty((height, width, 3), dtype=np.uint8)
    left = image.data.cast("B")
    while left and (count := stream.readinto(left)):  # type: ignore[attr-defined]
        left = left[count:]
    return None if left else Photo(image, notes)


def serve() -> None:
    """What the child does: reads limits and a file's bytes from its input, and writes the photograph to its output."""
    source, target = sys.stdin.buffer, sys.stdout.buffer
    limits = PhotoLimits(**json.loads(source.readline()))
    _bound(limits)
    try:
        photo = read_photo(source.read(), limits=limits)
    except PhotoError as error:
        target.write(json.dumps({"reason": error.reason}).encode() + b"\n")
        return
    target.write(json.dumps({"size": photo.image.shape[:2], "notes": photo.notes}).encode() + b"\n")
    target.write(photo.image.data)


def _bound(limits: PhotoLimits) -> None:
    """Have the system end this process when it takes more time or memory than a picture is worth."""
    if resource is None:
        return
    seconds = math.ceil(limits.max_seconds) + _BEGIN
    memory = _MEMORY + _MEMORY_A_PIXEL * limits.max_pixels + 3 * limits.max_bytes
    for kind, bound in (("RLIMIT_CPU", seconds), ("RLIMIT_AS", memory), ("RLIMIT_CORE", 0)):
        # macOS knows RLIMIT_AS and refuses it; a bound that is lower already stays.
        with suppress(AttributeError, ValueError, OSError):
            number = getattr(resource, kind)
            hard = resource.getrlimit(number)[1]
            resource.setrlimit(number, (bound if hard < 0 else min(bound, hard), hard))
