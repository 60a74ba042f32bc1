"""Memory that runs out, on the device or beside it: recognised in one place, told in a sentence, and given back.

It loads no torch: without it, nothing of a device can have run out.
"""

import gc
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
