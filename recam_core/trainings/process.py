"""Whether a process that was written down still runs, and is the same one."""

import os
import platform
import subprocess
import sys
from pathlib import Path

#: The machine, as statuses name it.
HOST = platform.node() or "this machine"


def process_start(pid: int) -> str | None:
    """When a process began, in words that no other process with the same number gives; None where it has ended.

    A process that has ended but was not yet asked for its result (a zombie) counts as ended.
    """
    return _start_on_linux(pid) if sys.platform == "linux" else _start_by_ps(pid)


def is_running(pid: int, start: str) -> bool:
    """Whether the process ``pid`` of this machine still is the one that began at ``start``."""
    return pid > 0 and start != "" and process_start(pid) == start


def own_start() -> str:
    """:func:`process_start` of this process."""
    return process_start(os.getpid()) or ""


def _start_on_linux(pid: int) -> str | None:
    try:
        # The name in parentheses may hold spaces and parentheses; what follows the last one is plain.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    # Third field of the line: the state. Field 22: ticks since the machine was started.
    return None if len(fields) < 20 or fields[0] in "ZX" else f"{boot[:8]}-{fields[19]}"


def _start_by_ps(pid: int) -> str | None:
    shown = subprocess.run(["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, start = shown.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else start.strip()
