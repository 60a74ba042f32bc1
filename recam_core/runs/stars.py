"""Which runs the user starred: a small file beside the runs."""

from pathlib import Path

from recam_core.atomic_write import write_json
from recam_core.checkpoint.places import runs_folder
from recam_core.records import RecordError, read_record
from recam_core.runs.folder_lock import locked

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
