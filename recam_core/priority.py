"""Work that nobody waits for gives the cores to what somebody looks at."""

import os
import sys
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

#: How far behind, on the scale of ``nice`` (0 to 19): ten steps leave a tenth of a core that another one wants, five a
#: quarter. A training that runs for hours, and a job that somebody waits for; threads of it hold locks that pages want.
TRAINING, JOB = 10, 5


def behind_others(steps: int) -> None:
    """Put this process, with all that it starts, behind others that want the cores.

    It has all of them where nobody else wants them. Where the system refuses, everything stays as it is.

    Args:
        steps: :data:`TRAINING` or :data:`JOB`; a process that is further behind stays there.
    """
    if not hasattr(os, "getpriority"):
        return  # Windows
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, max(steps, os.getpriority(os.PRIO_PROCESS, 0)))
    # On a desktop's Linux, sessions share the cores, and only then the processes of each: a process that leads a
    # session has to put that behind others as well.
    if sys.platform == "linux" and os.getsid(0) == os.getpid():
        with suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(steps), encoding="ascii")


def threads_here(count: int) -> None:
    """Let PyTorch calculate with so many threads where this thread asks for it, and nowhere else.

    ``torch.set_num_threads`` would be heard by every thread that begins later as well.
    """
    import torch

    torch.get_num_threads()  # the first question sets the number of a thread
    openmp().limit(limits=count, user_api="openmp")


@cache
def openmp() -> "ThreadpoolController":
    """The OpenMP that PyTorch uses; looking for it takes a moment, once."""
    # Not above: a training says that it is there before it has read PyTorch.
    import torch  # noqa: F401
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def thread_behind_others() -> None:
    """Have this thread, and those that it starts for PyTorch, leave a core to the others of this process and, on Linux,
    stand behind them."""
    import torch

    threads_here(max(torch.get_num_threads() - 1, 1))
    if sys.platform != "linux":
        return
    me = threading.get_native_id()
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, me, max(JOB, os.getpriority(os.PRIO_PROCESS, me)))
