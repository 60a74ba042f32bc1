"""Where COCO, and the tools that export its form, put the annotation file and the pictures."""

import json
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from recam_core.data.image_io import SUFFIXES
from recam_core.errors import UserError
from recam_core.file_reader import first_bytes

#: A folder and the name of its file, below a folder that pictures lie in.
Place = tuple[str, ...]

#: The annotation file of Roboflow, which lies beside its pictures in a folder for each split.
_ROBOFLOW = "_annotations.coco.json"
#: How much of a file is read, and of how many files, to see whether it is an annotation file.
_PEEKED, _MOST_PEEKED = 1 << 16, 50
_TOP_LEVEL = re.compile(rb'"(?:images|annotations|categories)"\s*:\s*\[')
_FILE_NAME = re.compile(rb'"file_name"\s*:\s*("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True)
class CocoFile:
    """The annotation file of one split.

    Attributes:
        root: the data set's folder.
        split: the split's name.
        path: the file.
        folders: where its pictures may lie, the likeliest first.
    """

    root: Path
    split: str
    path: Path
    folders: tuple[Path, ...]


def coco_files(root: Path, by_folder: bool = True) -> dict[str, CocoFile]:
    """The annotation files of a data set by the names of their splits, sorted; none where there are none.

    They are annotations/instances_SPLIT.json (COCO, CVAT, and masks that were written here), else any other annotation
    file in annotations/, else SPLIT/_annotations.coco.json (Roboflow), else annotation files in the folder itself
    (Label Studio's result.json).

    Args:
        root: the folder.
        by_folder: whether the folders of Roboflow are looked for; side by side, they may be sets of their own.
    """
    found: list[CocoFile] = []
    for path in _annotation_files(root / "annotations", "instances_"):
        split = path.stem.removeprefix("instances_")
        usual = (root / split, root / "images" / split, root / "images", root / "JPEGImages", root)
        found.append(CocoFile(root, split, path, usual))
    if not found and by_folder:
        for folder in _entries(root)[0]:
            if (path := root / folder / _ROBOFLOW).is_file():
                found.append(CocoFile(root, folder, path, (root / folder, root / "images", root)))
    if not found:
        for path in _annotation_files(root, _ROBOFLOW):
            split = path.stem.removesuffix(".coco").strip("_")
            found.append(CocoFile(root, split, path, (root / "images", root, root / split)))
    return {file.split: file for file in sorted(found, key=lambda file: file.split)}


def names_at_begin(path: Path) -> list[str]:
    """File names of pictures that an annotation file has near its begin; none where something else stands there."""
    return [_text(quoted) for quoted in _FILE_NAME.findall(first_bytes(path, _PEEKED))]


def _text(quoted: bytes) -> str:
    try:
        return str(json.loads(quoted))
    except ValueError:
        return ""


def _annotation_files(folder: Path, begin: str) -> list[Path]:
    """The JSON files with this begin; where there are none, those that look like annotation files inside."""
    names = _entries(folder)[1]
    if chosen := [name for name in names if name.startswith(begin) and name.endswith(".json")]:
        return [folder / name for name in chosen]
    # A JSON file named as a picture is about that picture (labelme), not about a data set.
    stems = {os.path.splitext(name)[0] for name in names if name.lower().endswith(SUFFIXES)}
    others = [name for name in names if name.endswith(".json") and name.removesuffix(".json") not in stems]
    return [folder / name for name in others[:_MOST_PEEKED] if _TOP_LEVEL.search(first_bytes(folder / name, _PEEKED))]


def _entries(folder: Path) -> tuple[list[str], list[str]]:
    """Names of the folders and of the other entries of a folder, sorted, hidden ones left out; none without it."""
    folders: list[str] = []
    names: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith("."):
                    (folders if entry.is_dir() else names).append(entry.name)
    except OSError:
        pass
    return sorted(folders), sorted(names)


# The pictures ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PicturePlaces:
    """Where the pictures of an annotation file are.

    Attributes:
        folder: in which all of them lie.
        places: for each name the folders and the file name below ``folder``; None for a name that leads out of it.
        there: for each name whether it is there.
    """

    folder: Path
    places: list[Place | None]
    there: list[bool]


def find_pictures(file: CocoFile, names: Sequence[str]) -> PicturePlaces:
    """The folder in which most of the named pictures are, and where each is.

    Names may hold sub-folders, and begin with folders on the way to the pictures (``images/a.png``), as exports write
    them. A picture that is missing in the folder is not taken from another one: a file of the same name there may be
    a picture of another split.

    Args:
        file: the annotation file.
        names: as the annotation file has them.

    Raises:
        UserError: not one of them is there.
    """
    around = f"{file.root.absolute()}/"
    wanted = [_parts(name, around) for name in names]
    best: PicturePlaces | None = None
    for folder in file.folders:
        if not folder.is_dir():
            continue
        listing = _Listing(folder)
        ways = {"images", file.split, *folder.parts[len(file.root.parts) :]}
        found = [None if parts is None else listing.find(parts, ways) for parts in wanted]
        there = [place is not None for place in found]
        if best is None or sum(there) > sum(best.there):
            places = [parts if place is None else place for parts, place in zip(wanted, found, strict=True)]
            best = PicturePlaces(folder, places, there)
        if all(there):
            break
    if best is None or not any(best.there):
        looked = ", ".join(str(folder) for folder in file.folders)
        if names and not any(wanted):
            raise UserError(
                f"{file.path}: every file name leads out of {file.root}, such as {names[0]!a}; write them as paths "
                "below the folder that the pictures lie in."
            )
        named = f", such as {names[0]!a}" if names else ""
        raise UserError(
            f"The pictures of {file.split} are missing: none of the {len(names)} that {file.path} names{named} is in "
            f"one of {looked}."
        )
    return best


def _parts(name: str, around: str) -> Place | None:
    """A file name's folders and its own name; None where it leads elsewhere, or to something hidden.

    ``around`` is the data set's own folder, which exporters write in full.
    """
    plain = name.replace("\\", "/").removeprefix(around)
    parts = tuple(part for part in plain.split("/") if part != ".")
    if not parts or ":" in parts[0] or any(not part or part[0] == "." or "\0" in part for part in parts):
        return None
    return parts


class _Listing:
    """What a folder and the folders in it hold; each is read once."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._names: dict[Place, set[str]] = {}
        self._composed: dict[Place, dict[str, str]] = {}

    def find(self, parts: Place, ways: Iterable[str]) -> Place | None:
        """The place of a file, also without the folders at its begin that are on the way to this one."""
        for start, part in enumerate(parts):
            if (place := self._spelt(parts[start:])) is not None:
                return place
            if part not in ways:
                break
        return None

    def _spelt(self, parts: Place) -> Place | None:
        """A place as it is written on the disk, where accents may be characters of their own; None if not there."""
        if parts[-1] in self._in(parts[:-1]):
            return parts
        if "".join(parts).isascii():
            return None
        place: Place = ()
        for part in parts:
            names = self._in(place)
            if part not in names:
                if place not in self._composed:
                    self._composed[place] = {unicodedata.normalize("NFC", name): name for name in names}
                if (part := self._composed[place].get(unicodedata.normalize("NFC", part), "")) == "":
                    return None
            place += (part,)
        return place

    def _in(self, place: Place) -> set[str]:
        if place not in self._names:
            try:
                self._names[place] = set(os.listdir(self._folder.joinpath(*place)))
            except (OSError, ValueError):
                self._names[place] = set()
        return self._names[place]
