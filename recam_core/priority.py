"""Work that nobody waits for gives the cores to what somebody looks at."""

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

#: How far behind, on the scale of ``nice`` (0 to 19), where a step is a quarter more or less of a core that two want.
#: A process of its own has no lock that a page could wait for, a job of the app has: it must not starve.
PROCESS, THREAD = 15, 5


def behind_others() -> None:
    """Put this process, with all that it starts, behind others that want the cores.

    It has all of them where nobody else wants them. Where the system refuses, everything stays as it is.
    """
    if not hasattr(os, "getpriority"):
        return  # Windows
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, max(PROCESS, os.getpriority(os.PRIO_PROCESS, 0)))
    # On a desktop's Linux, sessions share the cores, and only then the processes of each: a process that leads a
    # session has to put that behind others as well.
    if sys.platform == "linux" and os.getsid(0) == os.getpid():
        with suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(PROCESS), encoding="ascii")


def threads_here(count: int) -> None:
    """Let PyTorch calculate with so many threads where this thread asks for it, and nowhere else.

    ``torch.set_num_threads`` would be heard by every thread that begins later as well.
    """
    # A training says that it is there before it has read PyTorch.
    import torch
    from threadpoolctl import threadpool_limits

    torch.get_num_threads()  # the first question sets the number of a thread
    threadpool_limits(count, user_api="openmp")


def thread_behind_others() -> None:
    """Have this thread, and those that it starts for PyTorch, leave a core to the others of this process and, on Linux,
    stand behind them."""
    import torch

    threads_here(max(torch.get_num_threads() - 1, 1))
    if sys.platform != "linux":
        return
    me = threading.get_native_id()
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, me, max(THREAD, os.getpriority(os.PRIO_PROCESS, me)))
