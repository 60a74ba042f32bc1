"""How much room guests have, and when what they left goes."""

import os
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from recam_core.errors import UserError
from recam_core.guest import Guest, guest

#: Megabytes and files of one guest, megabytes of all, and hours after which what a guest left is dropped.
VISITOR_MB, VISITOR_FILES, VISITORS_MB, VISITOR_HOURS = 1_000, 20_000, 20_000, 24
#: Its time says when a guest was here last.
USED_FILE = ".used"
#: Seconds for which the size of a guest's folder is believed, and within which a use is not noted again.
_BELIEVED, _NOTED = 60.0, 30.0
_MB = 1_000_000
_GUEST = re.compile(r"[0-9a-f]{16}")

_lock = threading.Lock()
_promised_bytes: Counter[Path] = Counter()
_promised_files: Counter[Path] = Counter()
_sizes: dict[Path, tuple[float, int, int, int]] = {}


def number_setting(name: str, usual: int) -> int:
    """A whole number of the environment.

    Raises:
        UserError: it is none.
    """
    text = os.environ.get(name, "").strip()
    if text and not (text.isascii() and text.isdecimal() and 0 < len(text) < 7):
        raise UserError(f"{name} in the environment is to be a whole number, and is {text[:60]!r}.")
    return int(text) if text else usual


@contextmanager
def room_for(size: int, files: int = 1) -> Iterator[None]:
    """Write so much inside: a guest is refused what would be more than their share. Nothing is bounded for others.

    Args:
        size: bytes.
        files: how many.

    Raises:
        UserError: it is too much for this guest, or for all together.
    """
    one = guest()
    if one is None:
        yield
        return
    with _lock:
        _refuse_much(one, size, files)
        _promised_bytes[one.folder] += size
        _promised_files[one.folder] += files
    try:
        yield
    finally:
        with _lock:
            _promised_bytes[one.folder] -= size
            _promised_files[one.folder] -= files
            _sizes.pop(one.folder, None)


def room_words() -> str:
    """What bounds a guest's uploads, in a sentence; "" for others."""
    one = guest()
    if one is None:
        return ""
    most, hours = number_setting("RECAM_VISITOR_MB", VISITOR_MB), number_setting("RECAM_VISITOR_HOURS", VISITOR_HOURS)
    used = _measure(one.folder, _BELIEVED)[0]
    return (
        f"What you upload or make is seen by you alone. You have {_mb(used)} of {most:,} MB; it is deleted {hours} "
        "hours after your last visit."
    )


def _refuse_much(one: Guest, size: int, files: int) -> None:
    used, count = _measure(one.folder)
    used, count = used + _promised_bytes[one.folder], count + _promised_files[one.folder]
    most, most_files = (
        number_setting("RECAM_VISITOR_MB", VISITOR_MB),
        number_setting("RECAM_VISITOR_FILES", VISITOR_FILES),
    )
    if used + size > most * _MB:
        raise UserError(
            f"This needs {_mb(size)} MB, and you have {_mb(used)} of {most:,} MB here: that is more than a visitor of "
            "this app may keep. Delete runs or data sets, or take fewer or smaller pictures."
        )
    if count + files > most_files:
        raise UserError(
            f"This is {files:,} files, and you have {count:,} here; a visitor of this app may keep {most_files:,}. "
            "Take fewer pictures."
        )
    # Of all, what was computed counts as well: many visitors with a little each would fill the disk by it.
    total = size + sum(
        _measure(folder, _BELIEVED)[0] + _promised_bytes[folder] + _sizes.get(folder, (0, 0, 0, 0))[3]
        for folder in {one.folder, *guest_folders(one.folder.parent)}
    )
    if total > number_setting("RECAM_VISITORS_MB", VISITORS_MB) * _MB:
        raise UserError(
            "The room that this app has for all its visitors is used up. Try again later: what visitors left is "
            "deleted after some hours."
        )


def guest_folders(folder: Path) -> list[Path]:
    """The folders of all guests below the folder that holds them."""
    try:
        return [path for path in folder.iterdir() if _GUEST.fullmatch(path.name) and not path.is_symlink()]
    except OSError:
        return []


def _measure(folder: Path, believed: float = 0.0) -> tuple[int, int]:
    """Bytes and files of a guest; what was computed of them, which has a bound of its own, does not count."""
    known = _sizes.get(folder)
    if known is not None and time.monotonic() - known[0] < believed:
        return known[1:3]
    size = files = computed = 0
    for place, _, names in os.walk(folder):
        is_computed = Path(place).relative_to(folder).parts[:1] == ("cache",)
        for name in names:
            with suppress(OSError):  # gone meanwhile
                found = os.lstat(os.path.join(place, name)).st_size
                size, files, computed = (
                    (size, files, computed + found) if is_computed else (size + found, files + 1, computed)
                )
    _sizes[folder] = time.monotonic(), size, files, computed
    return size, files


def most_cached(folder: Path) -> int | None:
    """Bytes that one kind of entry of a guest's cache may take; None for any other folder."""
    if folder.name != "cache" or not _GUEST.fullmatch(folder.parent.name):
        return None
    return number_setting("RECAM_VISITOR_MB", VISITOR_MB) * _MB // 4


def _mb(size: int) -> str:
    return f"{size / _MB:,.1f}" if size < 10 * _MB else f"{size / _MB:,.0f}"


# Coming and going -----------------------------------------------------------------------------------------------------


def note_use(folder: Path) -> None:
    """Note that a guest is here; makes no folder for one who has left nothing."""
    file = folder / USED_FILE
    with suppress(OSError):
        if not folder.is_dir():
            return
        if not file.exists() or time.time() - file.stat().st_mtime > _NOTED:
            file.touch()


def drop_left(folder: Path, in_use: Collection[str] = (), hours: float | None = None) -> list[str]:
    """Delete what guests left who were not here for so long.

    Args:
        folder: that holds the folders of all guests.
        in_use: names of guests of whom something stays in any case: a page is open, or a training works.
        hours: since they were here last; as the environment says by default.

    Returns:
        The names of those whose things were deleted.
    """
    hours = number_setting("RECAM_VISITOR_HOURS", VISITOR_HOURS) if hours is None else hours
    gone = []
    for path in guest_folders(folder):
        if path.name in in_use or time.time() - _last_use(path) < hours * 3600:
            continue
        away = path.with_name(f".dropped-{path.name}")
        with suppress(OSError):
            shutil.rmtree(away, ignore_errors=True)  # of one that was cut off
            path.rename(away)  # at once, so that one who comes back meanwhile begins anew
            shutil.rmtree(away, ignore_errors=True)
            _sizes.pop(path, None)
            gone.append(path.name)
    return gone


def _last_use(folder: Path) -> float:
    """When a guest was here last; now, where that cannot be told."""
    for file in (folder / USED_FILE, folder):
        with suppress(OSError):
            return file.stat().st_mtime
    return time.time()
