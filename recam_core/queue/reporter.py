"""What a training tells of itself while it works: its losses, the time that is left, and its status on disk."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from recam_core.errors import UserError
from recam_core.queue.status import Losses, Status, own_start, write_status


def say(text: str) -> None:
    """A line in the log. A full disk does not end a training for want of a line."""
    try:
        print(f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S} {text}", flush=True)
    except OSError:
        return


#: Above this many points, neighbours are merged.
MOST_POINTS = 400


class LossCurve:
    """Means over runs of equally many steps; the runs get longer as the training does."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.points: list[list[float]] = []
        self.stride = 1
        self._sums: list[float] = []
        self._count = 0

    def add(self, step: int, losses: Mapping[str, float]) -> None:
        """Take the losses of one step; steps rise."""
        if not self.names:
            self.names = list(losses)
        values = [losses[name] for name in self.names]
        self._sums = values if not self._count else [a + b for a, b in zip(self._sums, values, strict=True)]
        self._count += 1
        if self._count < self.stride:
            return
        self.points.append([step, *(round(total / self._count, 6) for total in self._sums)])
        self._count = 0
        if len(self.points) >= MOST_POINTS:
            pairs = zip(self.points[::2], self.points[1::2], strict=True)
            self.points = [[b[0], *((x + y) / 2 for x, y in zip(a[1:], b[1:], strict=True))] for a, b in pairs]
            self.stride *= 2

    def so_far(self) -> Losses:
        """The curve as statuses hold it."""
        return Losses(list(self.names), list(self.points), self.stride)

    @classmethod
    def up_to(cls, losses: Losses, step: int) -> "LossCurve":
        """The curve of a status, without what came after ``step``: it is trained again."""
        curve = cls()
        curve.names, curve.stride = list(losses.names), losses.stride
        curve.points = [point for point in losses.points if point[0] <= step][: MOST_POINTS - 1]
        return curve


#: Seconds of work before which nothing is said.
_ENOUGH = 2.0


class TimeLeft:
    """Steps and scored pictures are timed apart: after an epoch of steps comes a stretch of pictures.

    Until the first epoch is scored nobody knows what scoring takes, and it counts as nothing.
    """

    def __init__(self, epochs: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin; the time until the first step, which loads, is not counted.

        Args:
            epochs: of the whole training.
            clock: seconds from anywhere.
        """
        self._epochs, self._clock = epochs, clock
        self._last: float | None = None
        self._steps = self._pictures = 0
        self._on_steps = self._on_pictures = 0.0
        self._steps_left = self._scorings_left = self._per_scoring = self._scored = 0

    def stepped(self, done: int, total: int) -> None:
        """A step was made, the ``done``-th of ``total``."""
        gone = self._gone()
        if gone is not None:
            self._steps, self._on_steps = self._steps + 1, self._on_steps + gone
        per_epoch = max(total // self._epochs, 1)
        self._steps_left, self._scored = total - done, 0
        self._scorings_left = self._epochs - (done - 1) // per_epoch

    def scored(self, done: int, total: int) -> None:
        """After an epoch, a picture was scored, the ``done``-th of ``total``."""
        gone = self._gone()
        if gone is not None:
            self._pictures, self._on_pictures = self._pictures + 1, self._on_pictures + gone
        self._per_scoring, self._scored = total, done

    def seconds(self) -> float | None:
        """Seconds that are left; None until enough was seen to say."""
        if not self._steps or self._on_steps + self._on_pictures < _ENOUGH:
            return None
        left = self._steps_left * self._on_steps / self._steps
        if self._pictures:
            pictures = self._scorings_left * self._per_scoring - self._scored
            left += pictures * self._on_pictures / self._pictures
        return left

    def _gone(self) -> float | None:
        before, self._last = self._last, self._clock()
        return None if before is None else self._last - before


#: Seconds between two writes, and without news.
INTERVAL, HEARTBEAT = 1.0, 10.0
#: Room on the disk that is kept for the last words of a training whose disk is full.
RESERVE_FILE, RESERVE_BYTES = "reserve", 64 << 10


class Reporter:
    """Holds the status; whatever changes reaches the disk within a second.

    A status that cannot be written (a full disk) does not stop the training: the next one may fit.
    """

    def __init__(self, folder: Path, status: Status) -> None:
        """Write the first status. Raises UserError where the folder cannot be written to."""
        self.folder = folder
        self.status = replace(status, pid=os.getpid(), process_start=own_start(), updated=time.time())
        self._lock = threading.Lock()
        self._news = False
        self._stop = threading.Event()
        try:
            (folder / RESERVE_FILE).write_bytes(bytes(RESERVE_BYTES))
        except OSError as error:
            raise UserError(f"Cannot write {folder}: {error.strerror or error}.") from error
        write_status(folder, self.status)
        self._thread = threading.Thread(target=self._write_on, daemon=True, name="status")
        self._thread.start()

    def update(self, **changes: Any) -> None:
        """Change fields of the status."""
        with self._lock:
            self.status = replace(self.status, **changes)
            self._news = True

    def close(self, **changes: Any) -> None:
        """Write the last status, if need be in the room that was kept for it."""
        self._stop.set()
        self._thread.join()
        self.status = replace(self.status, **changes, updated=time.time())
        reserve = self.folder / RESERVE_FILE
        try:
            write_status(self.folder, self.status)
        except UserError:
            reserve.unlink(missing_ok=True)
            write_status(self.folder, self.status)
        reserve.unlink(missing_ok=True)

    def _write_on(self) -> None:
        while not self._stop.wait(INTERVAL):
            with self._lock:
                status, news = self.status, self._news
                self._news = False
            now = time.time()
            if not news and now - status.updated < HEARTBEAT:
                continue
            try:
                write_status(self.folder, replace(status, updated=now))
            except UserError:
                continue  # said by the training itself, should it fail for the same reason
            with self._lock:
                self.status = replace(self.status, updated=now)
