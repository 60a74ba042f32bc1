"""COCO's run-length codes: lengths of runs down the columns of a picture, in turn outside and inside a region."""

from typing import Any

import numpy as np

#: Characters of a compressed code stand for 0..63: five bits of a number, and whether it goes on.
_FIRST, _MORE, _SIGN = 48, 0x20, 0x10
#: No run of a picture needs more characters than this.
_LONGEST = 7


class BadRuns(ValueError):
    """A run-length code that does not describe a region of its picture; the message says why."""


def runs_of_code(counts: Any, pixels: int) -> np.ndarray:
    """The lengths of the runs, int64, outside first.

    pycocotools decodes such codes, too, but writes past the end of a picture when one covers more than that, and
    fills a whole picture for the smallest region.

    Args:
        counts: a list of them, or the compressed text (or its bytes).
        pixels: height x width of the picture.

    Raises:
        BadRuns: the code is damaged, or does not cover exactly so many pixels.
    """
    if isinstance(counts, list):
        if any(type(run) is not int or not 0 <= run <= pixels for run in counts):
            raise BadRuns("its run-length code holds something other than lengths of runs")
        runs = np.array(counts, dtype=np.int64)
    elif isinstance(counts, (str, bytes)):
        runs = _unpacked(counts.encode("utf-8", "replace") if isinstance(counts, str) else counts)
    else:
        raise BadRuns("its run-length code has no counts")
    if len(runs) and (runs.min() < 0 or runs.max() > pixels):
        raise BadRuns("its run-length code is damaged")
    if (covered := int(runs.sum())) != pixels:
        raise BadRuns(f"its run-length code covers {covered} pixels, its picture has {pixels}")
    return runs


def _unpacked(text: bytes) -> np.ndarray:
    """The runs of a compressed code. From the fourth on, each is told by its difference to the last but one."""
    units = np.frombuffer(text, dtype=np.uint8).astype(np.int64) - _FIRST
    if not len(units) or units.min() < 0 or units.max() > 63 or units[-1] & _MORE:
        raise BadRuns("its run-length code is damaged")
    last = np.flatnonzero(units & _MORE == 0)
    first = np.concatenate([[0], last[:-1] + 1])
    lengths = last - first + 1
    if lengths.max() > _LONGEST:
        raise BadRuns("its run-length code is damaged")
    shift = 5 * (np.arange(len(units)) - np.repeat(first, lengths))
    runs = np.add.reduceat((units & (_MORE - 1)) << shift, first)
    runs -= np.where(units[last] & _SIGN, np.int64(1) << (5 * lengths), 0)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs
