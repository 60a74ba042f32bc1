"""Data sets below a folder, found by what their folders look like, with the specification that opens each."""

import os
import secrets
import shutil
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from recam_core.atomic_write import replacing_file
from recam_core.data.class_file import CLASS_LISTS, check_class_names
from recam_core.data.coco_layout import CocoFile, coco_files, find_pictures, names_at_begin
from recam_core.data.folder import ALL, NOT_CLASSES
from recam_core.data.image_io import SUFFIXES
from recam_core.data.photo_folder import list_splits
from recam_core.errors import UserError
from recam_core.guest import guest, own_root, refuse_writing

#: How deep below the root, and at how many folders, is looked: a root is no whole disk.
DEPTH, MOST_FOLDERS = 5, 4000
#: What the layouts are called.
LAYOUTS = {
    "voc": "VOC layout",
    "coco": "COCO layout",
    "folder": "pictures with masks or labels",
    "classes": "a folder for each class",
    "pictures": "plain pictures",
}


@dataclass(frozen=True)
class FoundSet:
    """A folder that looks like a data set.

    Attributes:
        layout: a key of :data:`LAYOUTS`.
        path: the folder.
        place: its path below the root, with ``/``.
        pictures: files that are photographs by their names.
        splits: names of its splits; "" stands for all pictures without a split.
        problem: why it cannot be opened as it is, and what to do; "" where nothing is known to be wrong.
    """

    layout: str
    path: Path
    place: str
    pictures: int
    splits: tuple[str, ...]
    problem: str = ""

    def spec(self, split: str = "") -> str:
        """The specification that opens one of its splits."""
        kind = self.layout if self.layout in ("voc", "coco") else "folder"
        return f"{kind}:{own_root(self.path)}" + (f"@{split}" if split else "")

    @property
    def usual_split(self) -> str:
        """The split to offer first: one to look at, else the first one."""
        wanted = (name for kind in ("val", "test", "train") for name in self.splits if name.startswith(kind))
        return next(wanted, self.splits[0] if self.splits else "")


@dataclass(frozen=True)
class FoundSets:
    """All that was found, sorted by place, and whether everything was looked at."""

    sets: tuple[FoundSet, ...]
    is_complete: bool


@dataclass(frozen=True)
class _Listing:
    """What a folder holds: links and hidden or unprintable names are passed over."""

    folders: dict[str, Path] = field(default_factory=dict)
    files: tuple[str, ...] = ()

    @property
    def pictures(self) -> int:
        return sum(_is_picture(name) for name in self.files)


def find_sets(root: str | Path, is_one_set: bool = False) -> FoundSets:
    """The data sets below a folder, or in the folder itself; links are not followed, hidden folders are passed over.

    Args:
        root: where to begin.
        is_one_set: whether folders of pictures side by side in the root are the classes of one set; else each of them
            is a set of its own.
    """
    root = Path(root)
    found: list[FoundSet] = []
    ahead, looked = deque([(root, "", 0)]), 0
    while ahead and looked < MOST_FOLDERS:
        folder, place, depth = ahead.popleft()
        looked += 1
        listing = _list(folder)
        one = _recognise(folder, place, listing, may_be_classes=depth > 0 or is_one_set)
        if one is not None:
            looked += len(listing.folders)
            found.append(one)
        elif depth < DEPTH:
            ahead += [(path, f"{place}/{name}".lstrip("/"), depth + 1) for name, path in listing.folders.items()]
    return FoundSets(tuple(sorted(found, key=lambda one: one.place)), not ahead)


def served_folder(root: str | Path, place: str) -> Path:
    """The folder of a place below the root.

    Raises:
        UserError: there is none, or the way there leads out of the root, by ``..``, an absolute path or a link.
    """
    root = Path(root).resolve()
    parts = PurePosixPath(place).parts
    folder = root.joinpath(*parts)
    if place.startswith("/") or ".." in parts or "\0" in place or "\\" in place:
        raise UserError(f"{place!a} does not lie below {root}; only folders below it are served.")
    if any(folder_on_the_way.is_symlink() for folder_on_the_way in _on_the_way(root, parts)):
        raise UserError(f"{place!a} is reached by a link, which is not followed; move the folder itself to {root}.")
    if not folder.is_dir():
        raise UserError(f"There is no folder {place!a} in {root}.")
    return folder


def delete_set(root: str | Path, place: str) -> None:
    """Delete a data set of a guest, whole: from the moment that this begins it is not found any more.

    Raises:
        UserError: nobody's guest asks; the folder is not below ``root``, or cannot be deleted.
    """
    if guest() is None:
        raise UserError("Data sets on your own computer are deleted by hand.")
    folder = served_folder(root, place)
    refuse_writing(folder)
    if folder == Path(root).resolve():
        raise UserError("These are all your data sets at once; delete them one by one.")
    going = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp")
    try:
        folder.rename(going)
    except OSError as error:
        raise UserError(f"The data set cannot be deleted: {error.strerror}.") from None
    shutil.rmtree(going, ignore_errors=True)


def name_classes(found: FoundSet, names: Sequence[str]) -> Path:
    """Write classes.txt for pictures whose classes nothing says.

    Raises:
        UserError: the names cannot be used, there is such a file already, or it cannot be written.
    """
    check_class_names(names, "classes.txt")
    path = found.path / "classes.txt"
    refuse_writing(path)
    if path.exists():
        raise UserError(f"{path} is there already; change it by hand.")
    with replacing_file(path) as temporary:
        temporary.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    return path


def _on_the_way(root: Path, parts: Sequence[str]) -> Iterator[Path]:
    for part in parts:
        root = root / part
        yield root


def _list(folder: Path) -> _Listing:
    folders, files = {}, []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or not entry.name.isprintable():
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders[entry.name] = Path(entry.path)
                elif not entry.is_symlink():
                    files.append(entry.name)
    except OSError:
        return _Listing()  # one that may not be read holds nothing for us
    return _Listing(dict(sorted(folders.items())), tuple(sorted(files)))


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES


def _recognise(folder: Path, place: str, listing: _Listing, may_be_classes: bool) -> FoundSet | None:
    if "JPEGImages" in listing.folders:
        return _voc(folder, place, listing)
    if files := _coco_files(folder, listing, by_folder=may_be_classes):
        return _coco(folder, place, files)
    if "images" in listing.folders and (count := _list(listing.folders["images"]).pictures):
        splits = ("", *(name for name in list_splits(folder / "splits") if name != ALL))
        return FoundSet("folder", folder, place, count, splits, _nameless(listing, folder))
    of_classes = {name: path for name, path in listing.folders.items() if name not in NOT_CLASSES}
    counts = {name: _list(path).pictures for name, path in of_classes.items()} if may_be_classes else {}
    count = sum(counts.values())
    if count and not listing.pictures:
        # A folder of folders of pictures, none of which has any folder in it.
        return FoundSet("classes", folder, place, count, ("", *list_splits(folder / "splits")))
    if listing.pictures:
        problem = _nameless(listing, folder)
        if count:
            problem = "There are pictures beside folders of pictures; put all of them into folders, or none."
        return FoundSet("pictures", folder, place, listing.pictures, ("", *list_splits(folder / "splits")), problem)
    return None


def _voc(folder: Path, place: str, listing: _Listing) -> FoundSet:
    splits = tuple(list_splits(folder / "ImageSets" / "Segmentation"))
    problem = "" if splits else "It has no ImageSets/Segmentation/SPLIT.txt: write the ids of the pictures there."
    return FoundSet("voc", folder, place, _list(listing.folders["JPEGImages"]).pictures, splits, problem)


def _coco_files(folder: Path, listing: _Listing, by_folder: bool) -> dict[str, CocoFile]:
    """Its annotation files of COCO's form, and the folders of their pictures, but for those reached by links."""
    if "annotations" not in listing.folders and ("masks" in listing.folders or "labels.csv" in listing.files):
        return {}  # a JSON file beside those is something else
    found = {}
    for split, file in coco_files(folder, by_folder).items():
        folders = tuple(path for path in file.folders if not _is_linked(path, folder))
        if not _is_linked(file.path, folder):
            found[split] = replace(file, folders=folders)
    return found


def _is_linked(path: Path, root: Path) -> bool:
    return any(place.is_symlink() for place in _on_the_way(root, path.relative_to(root).parts))


def _coco(folder: Path, place: str, files: dict[str, CocoFile]) -> FoundSet:
    photos = {split: _coco_pictures(file) for split, file in files.items()}
    there = tuple(split for split, path in photos.items() if path is not None)
    count = sum(_pictures_below(path) for path in {path for path in photos.values() if path is not None})
    first = next(iter(files.values()))
    looked = " nor in ".join(str(path.relative_to(folder)) for path in first.folders if path != folder)
    problem = "" if there else f"The pictures are missing: those of {first.split} are neither in {looked}."
    return FoundSet("coco", folder, place, count, there, problem)


def _coco_pictures(file: CocoFile) -> Path | None:
    """The folder with a split's pictures, by the first names in its file; where that begins otherwise, by looking."""
    if names := names_at_begin(file.path):
        try:
            return find_pictures(file, names).folder
        except UserError:
            return None
    return next((path for path in file.folders if path != file.root and _pictures_below(path)), None)


def _pictures_below(folder: Path) -> int:
    """Pictures in a folder and in the folders in it."""
    listing = _list(folder)
    return listing.pictures + sum(_list(path).pictures for path in listing.folders.values())


def _nameless(listing: _Listing, folder: Path) -> str:
    """What to do where nothing says what the classes are called."""
    has_masks = "masks" in listing.folders and any(
        name.lower().endswith(".png") for name in _list(listing.folders["masks"]).files
    )
    if has_masks or {*CLASS_LISTS, "labels.csv"} & set(listing.files):
        return ""
    return "Nothing says which classes these pictures show: they have no classes.txt, no labels.csv and no masks."
