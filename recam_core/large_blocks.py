"""Keeping the memory of large tensors for the next step, instead of giving it back to the system each time."""

import ctypes
import platform

#: Parameters of glibc's mallopt (malloc.h): bytes that stay free at the heap's end, that it grows by ahead of need, and
#: from which on a block is mapped on its own, and unmapped when it is freed.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_SETTINGS = ((_MMAP_THRESHOLD, 1 << 30), (_TRIM_THRESHOLD, (1 << 31) - 1), (_TOP_PAD, 256 << 20))


def keep_large_blocks() -> bool:
    """Let this process keep what it frees, up to 2 GiB; for commands that run a network, not for servers.

    On a CPU every layer's output is a new block of megabytes. Mapped one by one, each of its pages is cleared by the
    system at the first touch: a quarter of the time of making maps (``benchmarks/large_blocks.py``). Results are the
    same. Calling it again changes nothing.

    Returns:
        Whether it took effect; only glibc has these settings.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all(mallopt(parameter, value) == 1 for parameter, value in _SETTINGS)
