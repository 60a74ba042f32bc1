"""Which photographs a folder holds, by id."""

import hashlib
import os
from collections.abc import Collection, Iterable
from pathlib import Path

from recam_core.data.image_io import SUFFIXES
from recam_core.data.sample import Fault
from recam_core.errors import UserError


def list_files(folder: Path, suffixes: Collection[str] = SUFFIXES) -> dict[str, list[str]]:
    """Id (file name without its ending) -> sorted file names with that id, in order of the ids; photographs by default.

    One pass over the folder instead of a question to the disk for each picture. Hidden files are skipped. No list, page
    or report can hold a name that is not UTF-8: a photograph of such a name has an id with a replacement sign in the
    place of what cannot be read, and no file, which :func:`id_fault` makes a fault; other such files are skipped.

    Raises:
        UserError: the folder cannot be read.
    """
    found: dict[str, list[str]] = {}
    try:
        names = sorted(name for name in os.listdir(folder) if name[0] != ".")
    except OSError as error:
        raise UserError(f"Cannot read the folder {folder}: {error.strerror or error}.") from error
    for name in names:
        stem, dot, ending = name.rpartition(".")
        ending = dot + ending
        if ending in suffixes or ending.lower() in suffixes:
            if not is_text(name):
                if suffixes is SUFFIXES:
                    found.setdefault(_readable(stem), [])
            elif stem in found:
                found[stem].append(name)
            else:
                found[stem] = [name]
    return {stem: found[stem] for stem in sorted(found)}


def files_stamp(folder: Path, names: Iterable[str]) -> str:
    """A text that changes when one of these files of a folder gets another content: by sizes and times of changes.

    Raises:
        UserError: the folder cannot be read.
    """
    wanted = set(names)
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name in wanted:
                    state = entry.stat()
                    found.append(f"{entry.name}\0{state.st_size}\0{state.st_mtime_ns}")
    except OSError as error:
        raise UserError(f"Cannot read the folder {folder}: {error.strerror or error}.") from error
    return hashlib.sha256("\n".join(sorted(found)).encode("utf-8", "surrogateescape")).hexdigest()


def file_stamp(path: str) -> str:
    """A text that changes when a file gets another content: by its size and time; "" where there is no such file."""
    try:
        state = os.stat(path)
    except OSError:
        return ""
    return f"{state.st_size}\0{state.st_mtime_ns}\n"


def id_fault(identifier: str, files: dict[str, list[str]], folder: Path, split_file: Path | None) -> Fault | None:
    """What is wrong with an id that is listed in a split (or found in the folder): unknown or ambiguous."""
    names = files.get(identifier)
    if names is None:
        return Fault(
            str(split_file or folder),
            f"the split names an unknown id: there is no picture '{identifier}' in {folder} (missing file).",
            "unknown id",
        )
    if not names:
        return Fault(
            str(folder / identifier),
            "the name of this file is not UTF-8 (the signs that cannot be read are replaced here), so that no list can "
            "name it; rename it.",
            "damaged file",
        )
    if len(names) > 1:
        listed = " and ".join(names)
        return Fault(
            str(folder / names[1]),
            f"duplicate id '{identifier}': {listed} have the same name but for the ending; rename or remove one.",
            "duplicate id",
        )
    return None


def is_text(name: str) -> bool:
    """Whether the name of a file is UTF-8; the bytes of others are kept as halves of surrogate pairs."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _readable(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def repeated_ids(ids: list[str], split_file: Path) -> dict[int, Fault]:
    """Index of each second and later mention of an id -> the fault."""
    first: dict[str, int] = {}
    faults: dict[int, Fault] = {}
    for index, identifier in enumerate(ids):
        if identifier in first:
            faults[index] = Fault(
                str(split_file),
                f"duplicate id: '{identifier}' is listed more than once in this split (entries "
                f"{first[identifier] + 1} and {index + 1}).",
                "duplicate id",
            )
        else:
            first[identifier] = index
    return faults
