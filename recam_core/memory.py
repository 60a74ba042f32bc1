"""Memory that runs out, on the device or beside it: recognised in one place, told in a sentence, and given back.

And the memory of large tensors, which is kept for the next step. It loads no torch: without it, nothing of a device can
have run out.
"""

import ctypes
import gc
import platform
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from recam_core.errors import UserError

#: Parts of the messages by which libraries say that there was no memory. torch has a type of its own for its allocator
#: alone; cuDNN, cuBLAS and the driver raise plain RuntimeErrors. cuBLAS cannot even be opened on a full card.
_SAID = (
    "out of memory",
    "can't allocate memory",
    "cudnn_status_alloc_failed",
    "cudnn_status_internal_error_device_allocation_failed",
    "cudnn_status_internal_error_host_allocation_failed",
    "cublas_status_alloc_failed",
    "cublas_status_not_initialized when calling `cublascreate",
    "cusolver_status_alloc_failed",
    "cufft_alloc_failed",
    "cudaerrormemoryallocation",
)


class OutOfMemory(UserError):
    """Memory ran out; the message says what to do about it."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: the system's, torch's, cuDNN's, cuBLAS's or the driver's."""
    if isinstance(error, (MemoryError, OutOfMemory)) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _SAID)


@contextmanager
def memory_told(advice: str) -> Iterator[None]:
    """Turn an error inside that says that memory ran out into a sentence, after giving back what the work held.

    Args:
        advice: what is said, in whole sentences.

    Raises:
        OutOfMemory: with ``advice``.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        # The frames that the error came through hold the tensors that filled the memory.
        traceback.clear_frames(error.__traceback__)
        give_back_memory()
        raise OutOfMemory(advice) from error


def give_back_memory() -> None:
    """Give the memory of a GPU that this process holds and does not use to whoever needs it; nothing without a GPU."""
    torch = sys.modules.get("torch")
    if torch is None:
        return
    on_cuda, on_mps = torch.cuda.is_initialized(), torch.backends.mps.is_available()
    if on_cuda or on_mps:
        gc.collect()  # tensors in cycles are held until it runs
    if on_cuda:
        torch.cuda.empty_cache()
    if on_mps:
        torch.mps.empty_cache()


# Kept for the next step -----------------------------------------------------------------------------------------------


#: Parameters of glibc's mallopt (malloc.h): bytes that stay free at the heap's end, that it grows by ahead of need, and
#: from which on a block is mapped on its own, and unmapped when it is freed.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
#: Bytes that are kept free, at the most.
MOST_KEPT = 1 << 31
_SETTINGS = ((_MMAP_THRESHOLD, 1 << 30), (_TRIM_THRESHOLD, MOST_KEPT - 1), (_TOP_PAD, 256 << 20))
_keeps = False


def keep_large_blocks() -> bool:
    """Let this process keep what it frees, up to 2 GiB; for commands that run a network, not for servers.

    On a CPU every layer's output is a new block of megabytes. Mapped one by one, each of its pages is cleared by the
    system at the first touch: a quarter of the time of making maps (``benchmarks/large_blocks.py``). Results are the
    same. Calling it again changes nothing.

    Returns:
        Whether it took effect; only glibc has these settings.
    """
    global _keeps
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    _keeps = all(mallopt(parameter, value) == 1 for parameter, value in _SETTINGS)
    return _keeps


class _Heap(ctypes.Structure):
    """glibc's ``struct mallinfo2``; ``fordblks`` are the free bytes."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def trim_kept_blocks() -> None:
    """Give back what is kept, once it is more than 2 GiB; to be called every few pictures.

    The heap gives back its end by itself. What lies before it stays: where pictures have many sizes and something small
    of each is kept between the large blocks, these fit no later one, and a thousand photographs took six gigabytes.
    """
    if not _keeps:
        return
    libc = ctypes.CDLL(None)
    try:
        libc.mallinfo2.restype = _Heap
    except AttributeError:  # glibc before 2.33
        return
    if libc.mallinfo2().fordblks > MOST_KEPT:
        libc.malloc_trim(ctypes.c_size_t(0))
