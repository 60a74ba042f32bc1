"""Where a training stands: ``status.json``, written by its process alone and never trusted without a look at it."""

import os
import platform
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from recam_core.atomic_write import write_json
from recam_core.records import RecordError, is_finite, is_time, opened_record

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


STATUS_FILE = "status.json"
#: Bytes that a status may have.
_LARGEST = 1 << 20
WAITING, RUNNING, DONE, FAILED, CANCELLED, KILLED = "waiting", "running", "done", "failed", "cancelled", "killed"
STATES = (WAITING, RUNNING, DONE, FAILED, CANCELLED, KILLED)
#: States that say that a process is at it.
LIVE = (WAITING, RUNNING)
#: Seconds after which the word of another machine's process, which writes every few seconds, no longer counts.
_SILENCE = 60.0


@dataclass
class Status:
    """One look at a training.

    Attributes:
        state: as the process last wrote it; :func:`true_state` knows better.
        doing: what it is at, for people.
        pid, process_start, host: who writes this.
        queued, began, updated, ended: seconds since 1970; 0 where it has not come to that.
        step, steps: how far it is.
        epoch, epochs: the epoch that it is in, from 1; of a grid, the trainings that are finished, and all of them.
        seconds_left: None until enough is known to say.
        losses: the curve so far, see :class:`recam_core.queue.reporter.LossCurve`.
        message: the sentence of a failure.
        awaits: name of the run that it starts from, while another training is still to make that; it stands in nobody's
            way meanwhile.
    """

    state: str = WAITING
    doing: str = ""
    pid: int = 0
    process_start: str = ""
    host: str = HOST
    queued: float = 0.0
    began: float = 0.0
    updated: float = 0.0
    ended: float = 0.0
    step: int = 0
    steps: int = 0
    epoch: int = 0
    epochs: int = 0
    seconds_left: float | None = None
    losses: dict[str, Any] = field(default_factory=dict)
    message: str = ""
    awaits: str = ""


def write_status(folder: Path, status: Status) -> None:
    """Write the status, whole or not at all. Raises UserError where the disk is full."""
    write_json(folder / STATUS_FILE, asdict(status))


def read_status(folder: Path) -> Status | None:
    """The status as last written; None where there is none, or something else in its place."""
    try:
        with opened_record(folder / STATUS_FILE, _LARGEST) as values:
            if not isinstance(values, dict) or "state" not in values:
                raise ValueError("it is no status")
            status = Status(**{item.name: values[item.name] for item in fields(Status) if item.name in values})
            if status.state not in STATES:
                raise ValueError(f"there is no state '{status.state}'")
            for item in fields(Status):
                _check(getattr(status, item.name), getattr(Status(), item.name), item.name)
            _check_curve(status.losses)
            return status
    except RecordError:
        return None


def true_state(status: Status) -> str:
    """The state, after looking whether the process that wrote it is still there."""
    if status.state not in LIVE:
        return status.state
    if status.host == HOST:
        alive = is_running(status.pid, status.process_start)
    else:
        alive = time.time() - status.updated < _SILENCE
    return status.state if alive else KILLED


def _check(value: Any, example: Any, name: str) -> None:
    """Raise ValueError for a value of another kind than the field's default, or out of range: all numbers are times
    and counts.
    """
    if example is None or isinstance(example, (int, float)):
        fits = is_time(value) and (isinstance(value, int) or not isinstance(example, int))
    else:
        fits = isinstance(value, type(example))
    if not fits and not (value is None and example is None):
        raise ValueError(f"'{name}' is of another kind")


def _check_curve(losses: dict[str, Any]) -> None:
    """Raise an error for what is no curve of losses; none begins with nothing. Losses may be no numbers any more."""
    names, points = losses.get("names", []), losses.get("points", [])
    if not all(isinstance(name, str) for name in names) or not isinstance(points, list):
        raise ValueError("it holds no losses")
    for step, *values in points:
        if not is_finite(step) or len(values) != len(names) or not all(isinstance(one, (int, float)) for one in values):
            raise ValueError("a point of the losses is of another kind")
