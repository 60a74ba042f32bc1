"""Which photographs a folder holds, by id, and which of them a split lists."""

import hashlib
import os
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from recam_core.data.image_io import SUFFIXES
from recam_core.data.sample import Fault
from recam_core.errors import UserError


def list_files(folder: Path, suffixes: Collection[str] = SUFFIXES) -> dict[str, list[str]]:
    """Id (file name without its ending) -> sorted file names with that id, in order of the ids; photographs by default.

    One pass over the folder instead of a question to the disk for each picture. Hidden files are skipped. Ids are
    composed (``ü`` is one letter) where file names are not, as on a Mac. No list, page or report can hold a name that
    is not UTF-8: a photograph of such a name has an id with a replacement sign in the place of what cannot be read, and
    no file, which :func:`id_fault` makes a fault; other such files are skipped.

    Raises:
        UserError: the folder cannot be read.
    """
    found: dict[str, list[str]] = {}
    for name in _names(folder):
        stem, dot, ending = name.rpartition(".")
        ending = dot + ending
        if ending in suffixes or ending.lower() in suffixes:
            if not name.isascii():  # of a large set, nearly all are
                if not is_text(name):
                    if suffixes is SUFFIXES:
                        found.setdefault(_readable(stem), [])
                    continue
                stem = unicodedata.normalize("NFC", stem)
            if stem in found:
                found[stem].append(name)
            else:
                found[stem] = [name]
    return {stem: found[stem] for stem in sorted(found)}


def list_masks(folder: Path) -> tuple[dict[str, list[str]], str]:
    """The PNG files of a folder of masks as :func:`list_files` gives them, and a sentence on pictures in it that are no
    PNG files and are not read: "" where there are none. Both by one look at the folder, which need not be there.

    Raises:
        UserError: the folder cannot be read.
    """
    if not folder.is_dir():
        return {}, ""
    found = list_files(folder)
    others = [name for names in found.values() for name in names if not name.lower().endswith(".png")]
    if not others and all(found.values()):
        return found, ""
    unread = set(others)
    masks = {stem: [name for name in names if name not in unread] for stem, names in found.items()}
    note = (
        f"{len(others)} files in {folder.name}, such as {others[0]}, are not read: masks are PNG files, since others "
        "do not keep the numbers of the classes."
        if others
        else ""
    )
    return {stem: names for stem, names in masks.items() if names}, note


def _names(folder: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if name[0] != ".")
    except OSError as error:
        raise UserError(f"Cannot read the folder {folder}: {error.strerror or error}.") from error


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


#: A row of VOC's lists of one class: the id, and whether the class is there (1), is not (-1), or is hard to see (0).
_ROW_OF_CLASS = re.compile(r"(.*\S)\s+(-1|0|1)")


class KnownIds:
    """The ids of a folder's pictures, found by what people write for them.

    Args:
        files: id -> names of its files, as :func:`list_files` gives them.
        photos: the folder of the pictures.
        of_classes: whether the pictures lie in a folder for each class, so that ``cat/01`` means ``cat-01``.
    """

    def __init__(self, files: Mapping[str, Sequence[str]], photos: Path, of_classes: bool = False):
        self._files = files
        self._photos = photos
        self._of_classes = of_classes
        self._folded: dict[str, list[str]] | None = None

    def find(self, text: str) -> str | None:
        """The id meant by a text: itself, with its ending, with the folder of the pictures, in other letter case."""
        if text in self._files:
            return text
        parts = [part for part in re.split(r"[/\\]", text) if part]
        if not parts:
            return None
        name = parts[-1]
        if self._of_classes:
            name = "-".join(parts[-2:])
        elif len(parts) > 1 and parts[-2].casefold() != self._photos.name.casefold():
            return None  # a picture of that name in another folder
        for wanted in dict.fromkeys((name, name.rpartition(".")[0] if _is_photo(name) else name)):
            if wanted in self._files:
                return wanted
            if self._folded is None:
                self._folded = {}
                for identifier in self._files:
                    self._folded.setdefault(identifier.casefold(), []).append(identifier)
            alike = self._folded.get(wanted.casefold(), ())
            if len(alike) == 1:
                return alike[0]
        return None

    def in_split(self, lines: Sequence[str]) -> tuple[list[str], int]:
        """The ids in the lines of a split, and how many of the lines were left out.

        A line is an id, which may hold blanks; a pair of paths, as in ``/JPEGImages/ID.jpg
        /SegmentationClassAug/ID.png``; or, where all of them are, a row of VOC's lists of one class: ``ID 1``, ``ID 0``
        (hard to see), or ``ID -1``, which is left out. What names no picture is returned as it is, for the fault that
        it becomes.
        """
        rows = [_ROW_OF_CLASS.fullmatch(line) for line in lines]
        if all(rows) and not any(line in self._files for line in lines):
            kept = [row[1] for row in rows if row and row[2] != "-1"]
            return [self.find(name) or name for name in kept], len(lines) - len(kept)
        return [self.find(line) or self._in_pair(line) for line in lines], 0

    def _in_pair(self, line: str) -> str:
        for blank in re.finditer(r"\s+", line):
            photo, mask = line[: blank.start()], line[blank.end() :]
            if _is_photo(photo) and _is_photo(mask):
                return self.find(photo) or re.split(r"[/\\]", photo)[-1].rpartition(".")[0]
        return line


def _is_photo(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def pairs_of(
    photos: Path, files: Mapping[str, Sequence[str]], masks: Path, mask_files: Mapping[str, Sequence[str]]
) -> Iterator[tuple[Path, Path]]:
    """Every photograph that has a mask, with it; both by id, as :func:`list_files` gives them."""
    for identifier, names in files.items():
        if names and mask_files.get(identifier):
            yield photos / names[0], masks / mask_files[identifier][0]


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


# Splits that are lists of ids in text files ---------------------------------------------------------------------------


def list_splits(folder: Path) -> list[str]:
    """Names of the splits: the .txt files of a folder, without their ending; none if there is no folder."""
    return sorted(path.stem for path in folder.glob("*.txt") if is_text(path.stem)) if folder.is_dir() else []


def choose_split(split: str | None, available: Sequence[str], default: str, where: str) -> str:
    """The split asked for, else ``default``, else the only one that there is.

    Raises:
        UserError: it does not exist; the message lists those that do.
    """
    listed = ", ".join(available) if available else "none"
    if split is None:
        if default in available:
            return default
        if len(available) == 1:
            return available[0]
        raise UserError(f"There is no split '{default}' in {where}. Name a split after an '@'; there are: {listed}.")
    if split not in available:
        raise UserError(f"There is no split '{split}' in {where}. There are: {listed}.")
    return split
