"""A user's own pictures: ``folder:ROOT[@SPLIT]``. ``docs/data.md`` shows the layout."""

import csv
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from recam_core.atomic_write import replacing_folder
from recam_core.data.class_file import (
    MASKS_LOOKED_AT,
    check_class_names,
    find_class_list,
    masks_have_background,
    role_of_name,
)
from recam_core.data.coco_layout import coco_files
from recam_core.data.image_io import PhotoError
from recam_core.data.label_table import LabelTable, read_label_table
from recam_core.data.mask_io import read_mask, write_mask
from recam_core.data.mask_turns import MaskTurns
from recam_core.data.photo_dataset import MaskFileDataset
from recam_core.data.photo_folder import (
    KnownIds,
    id_fault,
    is_text,
    list_files,
    list_masks,
    list_splits,
    pairs_of,
    repeated_ids,
)
from recam_core.data.sample import BACKGROUND, VOID, BrokenItem, ClassList, Dataset, Fault
from recam_core.errors import UserError
from recam_core.file_reader import file_lines
from recam_core.progress import ProgressFn, silent

#: The split of all pictures, when no list of that name is there.
ALL = "all"
#: Folders beside the pictures that are no classes.
NOT_CLASSES = ("images", "masks", "splits")
#: What only other layouts have; taken for classes, their folders would be wrong without a word.
_OTHER_LAYOUTS = {"JPEGImages": "voc", "annotations": "coco"}


def open_folder(root: str, split: str | None = None) -> "FolderDataset":
    """Open ``ROOT`` with images/, optional masks/, labels.csv, classes.txt and splits/SPLIT.txt.

    In the place of images/ the pictures may lie in ROOT itself, or in a folder for each class.

    Raises:
        UserError: no pictures, no way to know the classes, or the split is missing.
    """
    folder = Path(root)
    photos = _find_photos(folder)
    available = list_splits(folder / "splits")
    if split not in (None, ALL) and split not in available:
        listed = ", ".join([*available, ALL] if ALL not in available else available)
        raise UserError(f"There is no split '{split}' in {folder / 'splits'}. There are: {listed}.")
    return FolderDataset(root, folder, split, photos)


def _find_photos(folder: Path) -> Path | None:
    """The folder that the pictures lie in; None where each class has one of its own."""
    if (folder / "images").is_dir():
        return folder / "images"
    for name, kind in _OTHER_LAYOUTS.items():
        if (folder / name).is_dir():
            raise UserError(f"{folder} has a folder {name}, so it looks like {kind}:{folder}; open it as that.")
    if not any((folder / name).exists() for name in ("classes.txt", "labels.csv")) and coco_files(folder):
        raise UserError(f"{folder} has an annotation file of COCO's form; open it as coco:{folder}.")
    has_photos, has_classes = bool(list_files(folder)), bool(_class_folders(folder))
    if has_photos and has_classes:
        raise UserError(
            f"{folder} has pictures beside folders of pictures ({', '.join(_class_folders(folder)[:4])}); put all "
            "pictures into folders, one a class, or all into one."
        )
    if not has_photos and not has_classes:
        raise UserError(
            f"{folder} has no folder images and no pictures. A data set of your own has images/, and masks/ or "
            "labels.csv, with classes.txt and splits/ as needed, or a folder of pictures for each class (see "
            "docs/data.md)."
        )
    return folder if has_photos else None


def _class_folders(folder: Path) -> list[str]:
    """Names of the folders with pictures in them, sorted."""
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
    found = [name for name in names if name not in NOT_CLASSES and list_files(folder / name)]
    for name in found:
        if not is_text(name):
            raise UserError(f"{folder}: the name of the folder {name!a} is not UTF-8, as class names are; rename it.")
    return found


class FolderDataset(MaskFileDataset):
    """A folder of pictures, or a folder of them for each class.

    With a folder for each class, the id of ``cat/01.jpg`` is ``cat-01``, and its label ``cat``. Labels come from
    labels.csv where a picture has a row in it, else from its class's folder, else from its mask. A picture with none
    of these can be looked at (its labels are all False); for training it is a fault.
    """

    def __init__(self, root: str, folder: Path, split: str | None, photos: Path | None):
        self._photos = folder if photos is None else photos
        self._masks = folder / "masks"
        self._class_of: dict[str, str] = {}
        self._of_no_class: dict[str, int] = {}
        self._files = list_files(self._photos) if photos is not None else self._list_classes(folder)
        mask_files, unread = list_masks(self._masks)
        split_file = None if split is None else folder / "splits" / f"{split}.txt"
        if split_file is not None and split == ALL and not split_file.is_file():
            split_file = None
        known = KnownIds(self._files, self._photos, of_classes=photos is None)
        if split_file is None:
            ids, absent = list(self._files), 0
        else:
            ids, absent = known.in_split(file_lines(split_file))
        if not ids:
            raise UserError(f"{split_file or self._photos}: there is no picture in it.")

        table_file = folder / "labels.csv"
        self._table = _by_known_id(read_label_table(table_file), self._files, known) if table_file.exists() else None
        self.listed = find_class_list(folder)
        super().__init__(
            f"folder:{root}" + (f"@{split}" if split is not None else ""), self._find_classes(folder, mask_files), ids
        )
        self.home = folder
        self.turns = MaskTurns(folder, partial(pairs_of, self._photos, self._files, self._masks, mask_files))
        self._class_index = {name: index for index, name in enumerate(self.classes.names)}
        self._folded = {name.casefold(): index for name, index in self._class_index.items()}
        self._mask_files = {identifier: mask_files[identifier][0] for identifier in ids if identifier in mask_files}
        self.has_masks = bool(self._mask_files)
        listed = () if self.listed is None else self.listed.notes
        self.notes = (*listed, *self._leftovers(mask_files, absent, unread))
        for index, identifier in enumerate(ids):
            if fault := id_fault(identifier, self._files, self._photos, split_file):
                self.known_faults[index] = fault
        if split_file is not None:
            self.known_faults.update(repeated_ids(ids, split_file))

    def photo_path(self, index: int) -> str:
        return str(self._photos / self._files[self.ids[index]][0])

    def label_files(self) -> Iterator[tuple[Path, Collection[str]]] | None:
        # A folder's name needs no reading.
        return None if self._class_of and self._table is None else self._files_of_labels()

    def _files_of_labels(self) -> Iterator[tuple[Path, Collection[str]]]:
        if self._table is not None:
            yield self._table.path.parent, (self._table.path.name,)
        if self._mask_files and (self._table is None or not self._table.rows.keys() >= set(self.ids)):
            yield self._masks, self._mask_files.values()

    def stored_labels(self, index: int) -> np.ndarray | None:
        identifier = self.ids[index]
        if self._table is not None and identifier in self._table.faults:
            raise BrokenItem(self._table.faults[identifier])
        if self._table is not None and identifier in self._table.rows:
            names, where = self._table.rows[identifier], self._table.path
        elif identifier in self._class_of:
            names, where = frozenset([self._class_of[identifier]]), self._photos / self._class_of[identifier]
        else:
            return None
        labels = np.zeros(len(self.classes), dtype=bool)
        for name in sorted(names):
            place = self._class_index.get(name, self._folded.get(name.casefold()))
            if place is None:
                raise BrokenItem(
                    Fault(
                        str(where),
                        f"class out of range: '{identifier}' has the label '{name}', which is no class of this set.",
                        "class out of range",
                    )
                )
            labels[place] = True
        return labels

    def _find_classes(self, folder: Path, mask_files: dict[str, list[str]]) -> ClassList:
        masks = [names[0] for names in mask_files.values()]
        if self.listed is not None:
            if masks and self.listed.not_for_masks:
                raise UserError(self.listed.not_for_masks)
            if self.listed.has_background is not None:
                return ClassList(self.listed.names, self.listed.has_background)
            self.undeclared = self._masks, masks, MASKS_LOOKED_AT
            return ClassList(self.listed.names, masks_have_background(self._masks, masks))
        if self._table is not None:
            check_class_names(self._table.names, str(self._table.path))
            self.undeclared = self._masks, masks, MASKS_LOOKED_AT
            return ClassList(self._table.names, masks_have_background(self._masks, masks))
        if self._class_of:
            names = tuple(sorted(set(self._class_of.values())))
            check_class_names(names, str(folder))
            self.undeclared = self._masks, masks, MASKS_LOOKED_AT
            return ClassList(names, masks_have_background(self._masks, masks))
        if masks:
            self.undeclared = self._masks, masks, len(masks)
            return _classes_of_masks([self._masks / name for name in masks])
        raise UserError(
            f"{folder} has neither classes.txt nor labels.csv nor masks, so its classes are unknown. Write classes.txt "
            "with one class name a line."
        )

    def _list_classes(self, folder: Path) -> dict[str, list[str]]:
        """Id -> paths below the folder; which class each is of is kept."""
        found: dict[str, list[str]] = {}
        for name in _class_folders(folder):
            if role_of_name(name) != "class":
                self._of_no_class[name] = sum(map(len, list_files(folder / name).values()))
                continue
            for stem, files in list_files(folder / name).items():
                found.setdefault(f"{name}-{stem}", []).extend(f"{name}/{file}" for file in files)
                self._class_of[f"{name}-{stem}"] = name
        return {identifier: found[identifier] for identifier in sorted(found)}

    def _leftovers(self, mask_files: dict[str, list[str]], absent: int, unread: str) -> tuple[str, ...]:
        notes = [
            f"'{name}' is no class, so the {count} pictures in that folder show none, and are left out."
            for name, count in self._of_no_class.items()
        ]
        if absent:
            notes.append(
                f"{absent} rows of the split end with -1: a class is not in those pictures, which are left out."
            )
        if self._table is not None:
            count = len((self._table.rows.keys() | self._table.faults.keys()) - self._files.keys())
            if count:
                notes.append(f"{count} rows of labels.csv name a picture that is not in images/.")
        if unread:
            notes.append(unread)
        count = len(mask_files.keys() - self._files.keys())
        if count:
            notes.append(f"{count} masks have no picture of the same name in images/.")
        return tuple(notes)


def _by_known_id(table: LabelTable, files: dict[str, list[str]], known: KnownIds) -> LabelTable:
    if table.rows.keys() <= files.keys() and table.faults.keys() <= files.keys():
        return table
    rows: dict[str, frozenset[str]] = {}
    faults = {known.find(name) or name: fault for name, fault in table.faults.items()}
    for name, labels in table.rows.items():
        identifier = known.find(name) or name
        if identifier in rows:
            faults[identifier] = Fault(
                str(table.path), f"duplicate id: '{identifier}' has more than one row of labels.", "duplicate id"
            )
        rows[identifier] = labels
    return LabelTable(table.path, table.names, rows, faults)


def _classes_of_masks(masks: list[Path]) -> ClassList:
    """Classes 'class 1', 'class 2', ... up to the greatest value in any mask.

    Every mask has to be read for this: a class that only the last one shows would otherwise be out of range.
    """
    seen = np.zeros(256, dtype=bool)
    for path in masks:
        try:
            seen |= np.bincount(read_mask(path).ravel(), minlength=256) > 0
        except PhotoError:
            continue
    background, is_void = bool(seen[BACKGROUND]), bool(seen[VOID])
    seen[[BACKGROUND, VOID]] = False
    if not seen.any():
        void = "255 means void, which no score counts: write 1 for a class; else " if is_void else ""
        raise UserError(f"{masks[0].parent}: no mask holds a class (a value from 1 to 254). {void}write classes.txt.")
    return ClassList(tuple(f"class {value}" for value in range(1, int(np.flatnonzero(seen)[-1]) + 1)), background)


# Writing one ----------------------------------------------------------------------------------------------------------


def export_folder(dataset: Dataset, to: str | Path, count: int | None = None, progress: ProgressFn = silent) -> int:
    """Write images/ID.png, masks/ID.png, classes.txt, labels.csv and splits/SPLIT.txt; whole or not at all.

    Pictures are stored without loss, so that the copy scores exactly as the original.

    Args:
        dataset: what to write.
        to: a folder that does not exist yet, or is empty.
        count: how many pictures from the start; all by default.
        progress: called after each picture.

    Returns:
        how many pictures were written.

    Raises:
        UserError: the folder is in use or cannot be written to.
        BrokenItem: a picture cannot be used.
    """
    to = Path(to)
    if to.exists() and not (to.is_dir() and not any(to.iterdir())):
        raise UserError(f"{to} already holds something; name a new or an empty folder.")
    if count is not None and count < 1:
        raise UserError("At least one picture has to be written; give a count of 1 or more.")
    total = len(dataset) if count is None else min(count, len(dataset))
    with replacing_folder(to) as folder:
        (folder / "images").mkdir()
        if dataset.has_masks:
            (folder / "masks").mkdir()
        names = list(dataset.classes.names)
        lines = ["background", *names] if dataset.classes.has_background else names
        (folder / "classes.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        written = []
        with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(["id", *names])
            for index in range(total):
                sample = dataset.load(index)
                name = sample.id
                if "/" in name or "\\" in name or name.startswith("."):
                    raise UserError(f"The picture '{name}' cannot be written: its id is no plain file name.")
                Image.fromarray(sample.image).save(folder / "images" / f"{name}.png", compress_level=3)
                if sample.mask is not None:
                    write_mask(folder / "masks" / f"{name}.png", sample.mask)
                table.writerow([name, *(int(present) for present in sample.labels)])
                written.append(name)
                progress(index + 1, total, "writing pictures")
        split = _split_name(dataset.spec)
        if split is not None:
            (folder / "splits").mkdir()
            (folder / "splits" / f"{split}.txt").write_text("".join(f"{name}\n" for name in written), encoding="utf-8")
    return total


def _split_name(spec: str) -> str | None:
    _, at, split = spec.rpartition("@")
    return split if at and split and "/" not in split else None
