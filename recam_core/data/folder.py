"""A user's own pictures: ``folder:ROOT[@SPLIT]``. ``docs/data.md`` shows the layout."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from recam_core.data.class_file import MASKS_LOOKED_AT, check_class_names, masks_have_background, read_class_file
from recam_core.data.image_io import PhotoError
from recam_core.data.label_table import LabelTable, read_label_table
from recam_core.data.mask_io import read_mask
from recam_core.data.photo_dataset import PhotoDataset
from recam_core.data.photo_folder import id_fault, list_files, repeated_ids
from recam_core.data.sample import BACKGROUND, VOID, BrokenItem, ClassList, Fault
from recam_core.data.split_file import list_splits
from recam_core.data.text_file import read_lines
from recam_core.errors import UserError

#: The split of all pictures, when no list of that name is there.
ALL = "all"


def open_folder(root: str, split: str | None = None) -> "FolderDataset":
    """Open ``ROOT`` with images/, optional masks/, labels.csv, classes.txt and splits/SPLIT.txt.

    Raises:
        UserError: no pictures, no way to know the classes, or the split is missing.
    """
    folder = Path(root)
    if not (folder / "images").is_dir():
        raise UserError(
            f"{folder} has no folder images. A data set of your own has images/, and masks/ or labels.csv, with "
            "classes.txt and splits/ as needed (see docs/data.md)."
        )
    available = list_splits(folder / "splits")
    if split not in (None, ALL) and split not in available:
        listed = ", ".join([*available, ALL] if ALL not in available else available)
        raise UserError(f"There is no split '{split}' in {folder / 'splits'}. There are: {listed}.")
    return FolderDataset(root, folder, split)


class FolderDataset(PhotoDataset):
    """A folder of pictures.

    Labels come from labels.csv where a picture has a row in it, else from its mask. A picture with neither can be
    looked at (its labels are all False); for training it is a fault.
    """

    def __init__(self, root: str, folder: Path, split: str | None):
        self._photos = folder / "images"
        self._masks = folder / "masks"
        self._files = list_files(self._photos)
        mask_files = list_files(self._masks, (".png",)) if self._masks.is_dir() else {}
        split_file = None if split is None else folder / "splits" / f"{split}.txt"
        if split_file is not None and split == ALL and not split_file.is_file():
            split_file = None
        if split_file is None:
            ids = list(self._files)
        else:
            ids = [_known_id(line, self._files) for line in read_lines(split_file)]
        if not ids:
            raise UserError(f"{split_file or self._photos}: there is no picture in it.")

        table_file = folder / "labels.csv"
        self._table = _by_known_id(read_label_table(table_file), self._files) if table_file.exists() else None
        super().__init__(
            f"folder:{root}" + (f"@{split}" if split is not None else ""), self._find_classes(folder, mask_files), ids
        )
        self._class_index = {name: index for index, name in enumerate(self.classes.names)}
        self._mask_files = {identifier: mask_files[identifier][0] for identifier in ids if identifier in mask_files}
        self.has_masks = bool(self._mask_files)
        self.notes = self._leftovers(mask_files)
        for index, identifier in enumerate(ids):
            if len(self._files.get(identifier, ())) != 1:
                self.known_faults[index] = id_fault(identifier, self._files, self._photos, split_file)
        if split_file is not None:
            self.known_faults.update(repeated_ids(ids, split_file))

    def photo_path(self, index: int) -> str:
        return str(self._photos / self._files[self.ids[index]][0])

    def mask_source(self, index: int) -> str:
        return str(self._masks / self._mask_files.get(self.ids[index], f"{self.ids[index]}.png"))

    def read_mask(self, index: int) -> np.ndarray | None:
        return read_mask(self.mask_source(index)) if self.ids[index] in self._mask_files else None

    def label_files(self) -> Iterator[tuple[Path, Collection[str]]]:
        if self._table is not None:
            yield self._table.path.parent, (self._table.path.name,)
        if self._mask_files and (self._table is None or not self._table.rows.keys() >= set(self.ids)):
            yield self._masks, self._mask_files.values()

    def stored_labels(self, index: int) -> np.ndarray | None:
        identifier = self.ids[index]
        if self._table is None:
            return None
        if identifier in self._table.faults:
            raise BrokenItem(self._table.faults[identifier])
        if identifier not in self._table.rows:
            return None
        labels = np.zeros(len(self.classes), dtype=bool)
        for name in sorted(self._table.rows[identifier]):
            if name not in self._class_index:
                raise BrokenItem(
                    Fault(
                        str(self._table.path),
                        f"class out of range: '{identifier}' has the label '{name}', which classes.txt does not name.",
                        "class out of range",
                    )
                )
            labels[self._class_index[name]] = True
        return labels

    def _find_classes(self, folder: Path, mask_files: dict[str, list[str]]) -> ClassList:
        masks = [names[0] for names in mask_files.values()]
        if (folder / "classes.txt").exists():
            names, explicit = read_class_file(folder / "classes.txt")
            if not explicit:
                self.undeclared = self._masks, masks, MASKS_LOOKED_AT
            return ClassList(names, explicit or masks_have_background(self._masks, masks))
        if self._table is not None:
            check_class_names(self._table.names, str(self._table.path))
            self.undeclared = self._masks, masks, MASKS_LOOKED_AT
            return ClassList(self._table.names, masks_have_background(self._masks, masks))
        if masks:
            self.undeclared = self._masks, masks, len(masks)
            return _classes_of_masks([self._masks / name for name in masks])
        raise UserError(
            f"{folder} has neither classes.txt nor labels.csv nor masks, so its classes are unknown. Write classes.txt "
            "with one class name a line."
        )

    def _leftovers(self, mask_files: dict[str, list[str]]) -> tuple[str, ...]:
        notes = []
        if self._table is not None:
            count = len((self._table.rows.keys() | self._table.faults.keys()) - self._files.keys())
            if count:
                notes.append(f"{count} rows of labels.csv name a picture that is not in images/.")
        count = len(mask_files.keys() - self._files.keys())
        if count:
            notes.append(f"{count} masks have no picture of the same name in images/.")
        return tuple(notes)


def _known_id(line: str, files: dict[str, list[str]]) -> str:
    """Users write 'cat.jpg' as well as 'cat'."""
    if line in files:
        return line
    stem = os.path.splitext(line)[0]
    return stem if line in files.get(stem, ()) else line


def _by_known_id(table: LabelTable, files: dict[str, list[str]]) -> LabelTable:
    if table.rows.keys() <= files.keys() and table.faults.keys() <= files.keys():
        return table
    rows: dict[str, frozenset[str]] = {}
    faults = {_known_id(name, files): fault for name, fault in table.faults.items()}
    for name, labels in table.rows.items():
        identifier = _known_id(name, files)
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
    background = bool(seen[BACKGROUND])
    seen[[BACKGROUND, VOID]] = False
    if not seen.any():
        raise UserError(f"{masks[0].parent}: no mask holds a class (a value from 1 to 254); write classes.txt.")
    return ClassList(tuple(f"class {value}" for value in range(1, int(np.flatnonzero(seen)[-1]) + 1)), background)
