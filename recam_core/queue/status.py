"""Where a training stands: ``status.json``, written by its process alone and never trusted without a look at it."""

import os
import platform
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from recam_core.atomic_write import write_json
from recam_core.records import Count, RecordError, Time, as_kind, is_finite, opened_record

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
#: Of the form of ``status.json``; those of before there were versions are of 0, and lack nothing else.
VERSION = 1
#: Bytes that a status may have.
_LARGEST = 1 << 20
WAITING, RUNNING, DONE, FAILED, CANCELLED, KILLED = "waiting", "running", "done", "failed", "cancelled", "killed"
STATES = (WAITING, RUNNING, DONE, FAILED, CANCELLED, KILLED)
#: States that say that a process is at it.
LIVE = (WAITING, RUNNING)
#: Seconds after which the word of another machine's process, which writes every few seconds, no longer counts.
_SILENCE = 60.0


@dataclass
class Losses:
    """The losses of a training so far, thinned to a few hundred points.

    Attributes:
        names: of the losses.
        points: each the step, then a mean a name over the steps since the point before.
        stride: steps a point.
    """

    names: list[str] = field(default_factory=list)
    points: list[list[float]] = field(default_factory=list)
    stride: Annotated[int, Meta(ge=1)] = 1


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
        losses: the curve so far.
        message: the sentence of a failure.
        awaits: name of the run that it starts from, while another training is still to make that; it stands in nobody's
            way meanwhile.
        version: of the form of the record.
    """

    state: str = WAITING
    doing: str = ""
    pid: Count = 0
    process_start: str = ""
    host: str = HOST
    queued: Time = 0.0
    began: Time = 0.0
    updated: Time = 0.0
    ended: Time = 0.0
    step: Count = 0
    steps: Count = 0
    epoch: Count = 0
    epochs: Count = 0
    seconds_left: Time | None = None
    losses: Losses = field(default_factory=Losses)
    message: str = ""
    awaits: str = ""
    version: int = VERSION


def write_status(folder: Path, status: Status) -> None:
    """Write the status, whole or not at all. Raises UserError where the disk is full."""
    write_json(folder / STATUS_FILE, asdict(status))


def read_status(folder: Path) -> Status | None:
    """The status as last written; None where there is none, or something else in its place."""
    try:
        with opened_record(folder / STATUS_FILE, _LARGEST) as values:
            status = as_kind(values, Status, VERSION)
            if "state" not in values or status.state not in STATES:
                raise ValueError("it is no status")
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


def _check_curve(losses: Losses) -> None:
    """Raise ValueError for points that are none. Losses may be no numbers any more."""
    for point in losses.points:
        if len(point) != len(losses.names) + 1 or not is_finite(point[0]):
            raise ValueError("a point of the losses is of another kind")
