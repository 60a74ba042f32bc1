"""The folder of the user's runs: one changes it at a time, and a small file beside the runs says which are starred."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from recam_core.errors import UserError
from recam_core.lock import holding, try_lock
from recam_core.atomic_write import write_json
from recam_core.folders import runs_folder
from recam_core.records import RecordError, read_record


LOCK_FILE = ".lock"
#: Seconds; nothing that is done under the lock takes longer than moments.
_PATIENCE = 10.0


@contextmanager
def locked(folder: str | Path) -> Iterator[Path]:
    """Hold the lock of ``folder``, which is made if need be; the system frees it when its holder dies.

    Raises:
        UserError: the folder cannot be written to, or somebody holds the lock for more than 10 seconds.
    """
    folder = Path(folder)
    deadline = time.monotonic() + _PATIENCE
    while (handle := try_lock(folder / LOCK_FILE)) is None:
        if time.monotonic() > deadline:
            raise UserError(f"Another session is changing the runs in {folder}; try again in a moment.")
        time.sleep(0.02)
    with holding(handle):
        yield folder


STARS_FILE = ".stars.json"


def read_stars() -> frozenset[str]:
    """The keys of the starred runs; a file that is missing or damaged stars none."""
    try:
        keys = read_record(_file())
    except RecordError:
        return frozenset()
    return frozenset(key for key in keys if isinstance(key, str)) if isinstance(keys, list) else frozenset()


def set_star(key: str, starred: bool) -> None:
    """Star a run, or take its star away.

    Raises:
        UserError: the folder of runs cannot be written to.
    """
    with locked(runs_folder()):
        _write(read_stars() | {key} if starred else read_stars() - {key})


def move_star(key: str, to: str | None) -> None:
    """After a run was renamed or (``to`` is None) deleted; the caller holds the lock of the folder."""
    stars = read_stars()
    if key in stars:
        _write(stars - {key} | ({to} if to else set()))


def _write(keys: frozenset[str]) -> None:
    write_json(_file(), sorted(keys))


def _file() -> Path:
    return runs_folder() / STARS_FILE
