"""Where what was computed is kept between runs of the program, and how much room it may take."""

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from recam_core.atomic_write import sweep
from recam_core.guest import guest
from recam_core.guest_room import most_cached
from recam_core.home import CACHE

#: How much room the entries of one kind may take together.
MOST_BYTES = 8 << 30


def cache_folder(private: bool = False) -> Path:
    """Where caches are kept: the user's folder of caches, unless ``RECAM_CACHE`` names another one.

    Args:
        private: whether it is of a guest's own pictures (:func:`recam_core.guest.is_own`), or seen by them alone.
    """
    if private and (one := guest()) is not None:
        return one.cache
    return Path(os.environ.get("RECAM_CACHE") or CACHE).expanduser()


def drop_oldest(entries: Iterable[Path], keep: Path, most: int | None = None) -> None:
    """Delete the entries that were used longest ago until all together take no more room than allowed; and what killed
    processes left half-written beside them.

    What others are just writing beside them, under temporary names of the same kind, takes its room, and stays.

    Args:
        entries: files or folders, of which some may be gone by now. Reading one should touch it.
        keep: the one that is never deleted; its name begins with its kind and a hyphen.
        most: bytes; :data:`MOST_BYTES` unless given, and less in the cache of a guest.
    """
    most = min(MOST_BYTES if most is None else most, most_cached(keep.parent) or MOST_BYTES)
    sweep(keep.parent, own=True)
    found = []
    for entry in entries:
        try:
            found.append((entry.stat().st_mtime, entry, bytes_of(entry)))
        except OSError:
            continue  # deleted by another process meanwhile
    kind, _, _ = keep.name.partition("-")
    total = sum(bytes_of(entry) for entry in keep.parent.glob(f".{kind}-*.tmp"))
    for _, entry, size in sorted(found, reverse=True):
        total += size
        if total > most and entry != keep:
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                with suppress(OSError):  # deleted meanwhile, or another user's
                    entry.unlink()


def bytes_of(entry: Path) -> int:
    """Bytes of a file, or of all in a folder; what is gone meanwhile has none."""
    size = 0
    for file in entry.rglob("*") if entry.is_dir() else [entry]:
        with suppress(OSError):
            size += file.lstat().st_size if file.is_file() else 0
    return size
