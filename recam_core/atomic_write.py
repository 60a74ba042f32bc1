"""Files and folders that are either there whole or not there at all.

What is being written has a temporary name beside its place, which begins with a dot and says which process writes it.
A process that is killed leaves that behind; :func:`sweep` removes it.
"""

import errno
import hashlib
import json
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from recam_core.errors import UserError
from recam_core.home import CACHE, ROOT

#: Seconds without a change after which half-written things are left-overs: of a process that is gone, and of one that
#: may be there (on another machine, or by its number alone).
_SHORT, _DAY = 600.0, 86_400.0
_OURS = re.compile(r"\..+\.(?P<place>[0-9a-f]{6})-(?P<pid>\d{1,10})-[a-z0-9_]{8}\.(tmp|old)")
_OLDER = re.compile(r"\..+\.[a-z0-9_]{8}\.(tmp|old)")


@contextmanager
def replacing_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` on success, delete it on failure.

    Raises:
        UserError: the folder cannot be written to, or the disk is full.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=_prefix(path.name), suffix=".tmp", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        # mkstemp makes files that only their owner can read; give the result the permissions of any other file.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: str | Path, fresh: bool = False) -> Iterator[Path]:
    """Yield an empty temporary folder beside ``path``; rename it to ``path`` on success, delete it on failure.

    An existing folder at ``path`` is replaced only at the end, so a failure leaves the old one as it was.

    Args:
        path: the folder.
        fresh: never replace a folder with something in it: of two who make the same one at once, one is refused.

    Raises:
        UserError: the folder cannot be written to, the disk is full, or ``fresh`` and the folder is there.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        temporary = temporary_folder(path.parent, path.name)
        yield temporary
        temporary.chmod(0o755)
        if fresh:
            _take_name(temporary, path)
        elif path.exists():
            retired = temporary_folder(path.parent, path.name, ".old")
            os.replace(path, retired / "old")
            os.replace(temporary, path)
            shutil.rmtree(retired, ignore_errors=True)
        else:
            os.replace(temporary, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def cannot_write(path: str | Path, error: OSError) -> UserError:
    """What is said where a file or folder cannot be written: why, and what names another place for it."""
    hint = ""
    for name, usual in (("RECAM_CACHE", CACHE), ("RECAM_RUNS", ROOT / "runs"), ("RECAM_DATA", ROOT / "data")):
        if Path(path).absolute().is_relative_to(Path(os.environ.get(name) or usual).expanduser().absolute()):
            hint = f" {name} in the environment names another folder."
    return UserError(f"Cannot write {path}: {error.strerror or error}.{hint}")


def temporary_folder(parent: Path, name: str, suffix: str = ".tmp") -> Path:
    """Make an empty folder whose name says that this process writes it; ``.old`` is for what is being deleted.

    Raises:
        OSError: it cannot be made.
    """
    return Path(tempfile.mkdtemp(prefix=_prefix(name), suffix=suffix, dir=parent))


def sweep(folder: str | Path, own: bool = False) -> int:
    """Remove what killed processes left half-written in a folder: its writer is gone and nothing changed in it for ten
    minutes, or nothing changed in it for a day.

    Args:
        folder: it need not exist.
        own: whether only this program writes there. Then names of older versions, which do not say who writes, count
            as well.

    Returns:
        How many were removed.
    """
    removed = 0
    try:
        with os.scandir(folder) as entries:
            left = [Path(entry.path) for entry in entries if entry.name[0] == "." and _is_left(entry, own)]
    except OSError:
        return 0
    for path in left:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):  # removed meanwhile, or another user's
                path.unlink()
        removed += not path.exists()
    return removed


def _is_left(entry: os.DirEntry[str], own: bool) -> bool:
    if (match := _OURS.fullmatch(entry.name)) is not None:
        patience = _DAY if match["place"] != _place() or _is_alive(int(match["pid"])) else _SHORT
    elif own and _OLDER.fullmatch(entry.name):
        patience = _DAY
    else:
        return False
    return time.time() - _changed(entry) > patience


def _changed(entry: os.DirEntry[str]) -> float:
    """When anything in it changed last, in seconds since 1970; now where that cannot be told."""
    try:
        found = [entry.stat(follow_symlinks=False).st_mtime]
        if entry.is_dir(follow_symlinks=False):
            for folder, _, files in os.walk(entry.path):
                found += [os.lstat(os.path.join(folder, name)).st_mtime for name in (*files, ".")]
    except OSError:
        return time.time()
    return max(found)


def _prefix(name: str) -> str:
    return f".{name}.{_place()}-{os.getpid()}-"


@cache
def _place() -> str:
    """Stands for where a number of a process means this process: the machine, and in containers their own numbers."""
    space = ""
    with suppress(OSError):
        space = os.readlink("/proc/self/ns/pid")
    return hashlib.blake2b(f"{platform.node()}\0{space}".encode(), digest_size=3).hexdigest()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # another user's
    return True


def _take_name(folder: Path, path: Path) -> None:
    """Rename a folder to ``path``; the system refuses it where there is one with something in it."""
    try:
        os.rename(folder, path)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        raise UserError(f"{path} is there already and is not empty; choose another name.") from error


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` as indented JSON to ``path``, whole or not at all."""
    with replacing_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
