"""PASCAL VOC, and any data set in the layout of its devkit: ``voc:ROOT@SPLIT``."""

import codecs
import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from recam_core.data.class_file import (
    MASKS_LOOKED_AT,
    ListedClasses,
    find_class_list,
    masks_have_background,
    role_of_name,
)
from recam_core.data.mask_turns import MaskTurns
from recam_core.data.photo_dataset import MaskFileDataset
from recam_core.data.photo_folder import (
    KnownIds,
    choose_split,
    id_fault,
    list_files,
    list_masks,
    list_splits,
    pairs_of,
    repeated_ids,
)
from recam_core.data.sample import BrokenItem, ClassList, Fault
from recam_core.errors import UserError
from recam_core.file_reader import file_bytes, file_lines

VOC_CLASSES = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)

#: The extended training split, and the folder with its masks (they come from another source than VOC's own).
AUG_SPLIT, AUG_MASKS = "train_aug", "SegmentationClassAug"


def open_voc(root: str, split: str | None = None) -> "VocDataset":
    """Open ``ROOT``: VOCdevkit, the folder above it, VOCdevkit/VOC2012, or a folder with the same layout.

    Raises:
        UserError: the layout is not there, or the split is missing.
    """
    folder = _find_layout(Path(root))
    lists = folder / "ImageSets" / "Segmentation"
    split = choose_split(split, list_splits(lists), default="train", where=str(lists))
    return VocDataset(root, folder, split)


class VocDataset(MaskFileDataset):
    """One split of a data set in VOC layout.

    Labels come from ``Annotations/ID.xml`` where there is one, else from the mask. The split ``train_aug`` takes
    its masks from ``SegmentationClassAug`` if that folder is there, and else those that ``SegmentationClass`` has.
    In any other split masks are there for all pictures or for none: a single missing one is a fault.
    """

    def __init__(self, root: str, folder: Path, split: str):
        self._photos = folder / "JPEGImages"
        self._annotations = folder / "Annotations"
        self._split_file = folder / "ImageSets" / "Segmentation" / f"{split}.txt"
        self._masks = folder / "SegmentationClass"
        is_partial = False
        if split == AUG_SPLIT:
            if (folder / AUG_MASKS).is_dir():
                self._masks = folder / AUG_MASKS
            else:
                is_partial = True

        self._files = list_files(self._photos)
        ids, absent = KnownIds(self._files, self._photos).in_split(file_lines(self._split_file))
        if not ids:
            raise UserError(f"{self._split_file}: this split lists no picture.")
        mask_files, unread = list_masks(self._masks)
        xml_files = list_files(self._annotations, (".xml",)) if self._annotations.is_dir() else {}
        # All masks of the folder are candidates, not those of the split alone: train and val must agree.
        masks = [names[0] for names in mask_files.values()]
        self.listed = find_class_list(folder)
        super().__init__(f"voc:{root}@{split}", _classes(self.listed, self._masks, masks), ids)
        self.home = folder
        self.turns = MaskTurns(folder, partial(pairs_of, self._photos, self._files, self._masks, mask_files))
        if self.listed is not None and self.listed.has_background is None:
            self.undeclared = self._masks, masks, MASKS_LOOKED_AT
        self.notes = _notes(self.listed, absent, self._split_file, folder)
        if unread:
            self.notes = (*self.notes, unread)

        self._class_index = {name: index for index, name in enumerate(self.classes.names)}
        self._mask_files = {identifier: mask_files[identifier][0] for identifier in ids if identifier in mask_files}
        self._annotations_of = {identifier: xml_files[identifier][0] for identifier in ids if identifier in xml_files}
        self.has_masks = bool(self._mask_files)
        if mask_files and not self.has_masks and not is_partial:
            self.notes = (
                *self.notes,
                f"None of the {len(mask_files)} masks in {self._masks.name} has the name of a picture of this split, "
                f"such as '{ids[0]}.png', so it has no masks.",
            )
        for index, identifier in enumerate(ids):
            fault = id_fault(identifier, self._files, self._photos, self._split_file)
            if fault is None and self.has_masks and not is_partial and identifier not in self._mask_files:
                fault = Fault(
                    str(self._masks / f"{identifier}.png"),
                    "this mask is missing, though other pictures of the split have one.",
                    "missing file",
                )
            if fault is not None:
                self.known_faults[index] = fault
        self.known_faults.update(repeated_ids(ids, self._split_file))

    def photo_path(self, index: int) -> str:
        return str(self._photos / self._files[self.ids[index]][0])

    def label_files(self) -> Iterator[tuple[Path, Collection[str]]]:
        if self._annotations_of:
            yield self._annotations, self._annotations_of.values()
        if self._mask_files:
            yield self._masks, self._mask_files.values()

    def stored_labels(self, index: int) -> np.ndarray | None:
        identifier = self.ids[index]
        if identifier not in self._annotations_of:
            return None
        return labels_from_xml(self._annotations / self._annotations_of[identifier], self._class_index)


def _find_layout(root: Path) -> Path:
    candidates = [root]
    for parent in (root, root / "VOCdevkit"):
        if parent.is_dir():
            candidates += sorted(parent.glob("VOC2[0-9][0-9][0-9]"))
    found = [folder for folder in candidates if (folder / "JPEGImages").is_dir()]
    if not found:
        hint = f" It has images/, the layout of 'folder:{root}'." if (root / "images").is_dir() else ""
        raise UserError(
            f"{root} has no folder JPEGImages, nor has a VOCdevkit/VOC20xx in it. A data set in VOC layout has "
            f"JPEGImages/, ImageSets/Segmentation/SPLIT.txt and SegmentationClass/ or Annotations/.{hint}"
        )
    if len(found) > 1 and found[0] != root:
        listed = ", ".join(str(folder) for folder in found)
        raise UserError(f"{root} holds more than one data set; name one of {listed}.")
    return found[0]


def _classes(listed: ListedClasses | None, mask_folder: Path, masks: Sequence[str]) -> ClassList:
    if listed is None:
        return ClassList(VOC_CLASSES, has_background=True)
    if masks and listed.not_for_masks:
        raise UserError(listed.not_for_masks)
    stated = listed.has_background
    return ClassList(listed.names, masks_have_background(mask_folder, masks) if stated is None else stated)


def _notes(listed: ListedClasses | None, absent: int, split_file: Path, folder: Path) -> tuple[str, ...]:
    notes = () if listed is None else listed.notes
    if listed is None and not re.fullmatch(r"VOC2\d\d\d", folder.name):
        notes = (
            "There is no list of classes (classes.txt, class_names.txt, labelmap.txt), so these are taken to be the 20 "
            "of PASCAL VOC. If they are not, write classes.txt.",
        )
    if absent:
        notes = (
            *notes,
            f"{absent} rows of {split_file.name} end with -1: a class is not in those pictures, which are left out.",
        )
    return notes


# Image-level labels from the XML files of the devkit ------------------------------------------------------------------


#: The largest files of VOC 2012 have some 20 kB.
MAX_BYTES = 2_000_000
#: What an annotation may be written in besides UTF-8 and UTF-16, by the names of Python's codecs. Python has others,
#: some of which are slow or no encodings of text.
ENCODINGS = re.compile(
    r"ascii|iso8859-\d+|cp\d+|gbk|gb2312|gb18030|big5|shift_jis|euc_jp|euc_kr|koi8-r|hz|utf-(8|16|32).*"
)
#: Tried in turn where none is declared and it is not UTF-8: tools on Chinese and Western Windows leave it out.
UNDECLARED = ("gb18030", "cp1252")
_DECLARATION = re.compile(r"\s*<\?xml\b[^>]*\?>")


def labels_from_xml(path: Path, class_index: dict[str, int]) -> np.ndarray:
    """K bools: the classes of all objects in the file, those marked ``difficult`` or ``truncated`` included.

    Difficult objects count because they are in the picture and mostly in the mask as well; leaving them out would
    teach the classifier that they are absent. Names of object parts (head, hand, foot) do not count.

    Elements may be in a namespace, and names in other letter case than the classes.

    Raises:
        BrokenItem: missing or damaged file, a name that is no class.
    """
    advice = ", too large for an annotation of VOC."
    text = _decoded(file_bytes(path, MAX_BYTES, error=_broken, advice=advice))
    # Annotations need no document type; entities that expand without end need one.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise _broken(str(path), "the annotation declares a document type, which VOC annotations never do.")
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise _broken(str(path), f"this is not a well-formed XML file ({error}).") from error
    labels = np.zeros(len(class_index), dtype=bool)
    folded = {name.casefold(): name for name in class_index}
    for element in root.findall("{*}object"):
        written = unicodedata.normalize("NFC", element.findtext("{*}name") or "").strip()
        name = written if written in class_index else folded.get(written.casefold(), "")
        if role_of_name(written) != "class":
            continue
        if name not in class_index:
            raise BrokenItem(
                Fault(
                    str(path),
                    f"class out of range: an object is called '{written}', which is no class of this set.",
                    "class out of range",
                )
            )
        labels[class_index[name]] = True
    return labels


def _broken(name: str, reason: str, is_missing: bool = False) -> BrokenItem:
    return BrokenItem(Fault(name, reason, "missing file" if is_missing else "damaged file"))


def _decoded(data: bytes) -> str:
    """The text of an XML file without its declaration, by the encoding declared there; damage stays for the parser."""
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return _DECLARATION.sub("", data.decode(encoding, "replace"), count=1)
    declared = re.match(rb"""\s*<\?xml\b[^>]*?\bencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""", data)
    names = ["utf-8"]
    if declared:
        try:
            found = codecs.lookup(declared[1].decode("ascii")).name
            names.insert(0, found if ENCODINGS.fullmatch(found) else "utf-8")
        except LookupError:
            pass
    for name in (*names, *UNDECLARED):
        try:
            return _DECLARATION.sub("", data.decode(name), count=1)
        except UnicodeDecodeError:
            continue
    return data.decode("utf-8", "replace")
