"""Photographs of strangers, decoded in a process of its own that can be ended, where decoding them may take long."""

import json
import math
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO

import numpy as np

from recam_core.data.decode_bounds import is_cheap
from recam_core.data.image_io import Photo, PhotoError, PhotoLimits, opened_photo, read_photo

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
_CODE = "import sys; sys.path.insert(0, sys.argv[1]); from recam_core.data.decode_apart import serve; serve()"


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
