"""The status of a training, written by a thread beside it."""

import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from recam_core.errors import UserError
from recam_core.trainings.process import own_start
from recam_core.trainings.status import Status, write_status

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
