"""What data sets of photographs on disk share: reading an item, and saying what is wrong with it."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from recam_core.data.class_file import ListedClasses, stray_zeros_note
from recam_core.data.image_io import Photo, PhotoError, photo_size, read_photo
from recam_core.data.mask_io import MaskError, mask_size, read_mask
from recam_core.data.mask_turns import HOW_TO_SAY, MOST_PAIRS, MaskTurns
from recam_core.data.photo_folder import file_stamp, files_stamp
from recam_core.data.sample import BACKGROUND, VOID, BrokenItem, ClassList, Fault, Sample
from recam_core.progress import ProgressFn, silent


class PhotoDataset(ABC):
    """A :class:`~recam_core.data.sample.Dataset` whose pictures are files.

    A subclass fills the attributes and says where an item's photograph, mask and labels are. Everything that can
    be wrong with an item is said here and in the readers, once, so that ``data check``, training and evaluation
    use the same words.

    Attributes:
        notes: sentences about the data set that are no faults (pictures left out, label rows without a picture).
        known_faults: index -> what opening the data set already found wrong (missing file, duplicate or unknown id).
        listed: what a class list says of the values of the masks; None without one.
        home: the folder of the data set, where files may say what its other files leave open; None without one.
        turns: how masks lie on photographs that EXIF data turn.
        undeclared: folder, names and greatest number of the masks that were looked at to find out whether there is
            a background; None where it is stated.
    """

    spec: str
    classes: ClassList
    ids: Sequence[str]
    has_masks: bool
    undeclared: tuple[Path, Sequence[str], int] | None = None
    listed: ListedClasses | None = None
    home: Path | None = None
    turns: MaskTurns

    def __init__(self, spec: str, classes: ClassList, ids: Sequence[str]):
        self.spec = spec
        self.classes = classes
        self.ids = ids
        self.has_masks = False
        self.notes: tuple[str, ...] = ()
        self.known_faults: dict[int, Fault] = {}
        self.turns = MaskTurns(None, tuple)
        self._labels: dict[int, np.ndarray] = {}
        self._mask_stamp: str | None = None
        self._masks_looked_at = 0
        self._background_notes: list[str] | None = None

    # What a subclass provides -------------------------------------------------------------------------------------

    @abstractmethod
    def photo_path(self, index: int) -> str:
        """The picture's file."""

    @abstractmethod
    def mask_source(self, index: int) -> str:
        """Where the mask comes from, for messages."""

    @abstractmethod
    def read_mask(self, index: int) -> np.ndarray | None:
        """H x W uint8 as stored, values not yet checked; None without a mask. Raises PhotoError or BrokenItem."""

    @abstractmethod
    def stored_labels(self, index: int) -> np.ndarray | None:
        """K bools from an annotation that is not the mask, or None without one. Raises BrokenItem."""

    def mask_file(self, index: int) -> Path | None:
        """The PNG file that the mask is read from; None where it comes from elsewhere, or where there is none."""
        return None

    def mask_files(self) -> tuple[Path, Collection[str]] | None:
        """The folder of the masks, and the names of those of these pictures; None where masks are no files."""
        return None

    def label_files(self) -> Iterator[tuple[Path, Collection[str]]] | None:
        """(folder, names of files in it) that the labels are read from; None where reading them all is quick."""
        return None

    # The protocol -------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.ids)

    def labels(self, index: int) -> np.ndarray:
        """K bools; all False for a picture without a label (which :meth:`listing_faults` reports)."""
        self._refuse_known(index)
        if index not in self._labels:
            labels = self.stored_labels(index)
            if labels is None:
                labels = self._labels_of_mask(self.mask(index))
            self._labels[index] = labels
        return self._labels[index].copy()

    def label_stamp(self) -> str | None:
        """A text that changes when a label may have changed; None where labels are better read than kept."""
        files = self.label_files()
        if files is None or self.known_faults:
            return None
        return "\n".join(files_stamp(folder, names) for folder, names in files) + self.mask_reading

    @property
    def mask_reading(self) -> str:
        """A text that tells apart in which other ways the same files of masks can be read; "" for the plain way."""
        listed = () if self.listed is None else (self.listed.values, self.listed.colours)
        said = [*listed, self.turns.chosen]
        return repr(said) if any(said) else ""

    def mask_stamp(self) -> str:
        """A text that changes when a mask may have changed, or is read in another way; "" where masks are no files.

        Looked for once: whoever holds a data set open is not told of changes.
        """
        if self._mask_stamp is None:
            files = self.mask_files()
            self._mask_stamp = "" if files is None else f"{files_stamp(*files)}\n{self.mask_reading}"
        return self._mask_stamp

    def picture_stamp(self, index: int) -> str:
        """A text that changes when a picture's photograph or mask may have changed: sizes and times of their files."""
        if index in self.known_faults:
            return ""
        file, drawn = self.mask_file(index), "upright"
        if file is not None and (size := mask_size(file)) is not None:
            drawn = self.turns.decide(index, self.photo_path(index), size)
        turn = "" if drawn == "upright" else drawn
        return "".join(map(file_stamp, (self.photo_path(index), self.mask_source(index)))) + self.mask_reading + turn

    def mask(self, index: int) -> np.ndarray | None:
        """H x W uint8 with every value checked, or None."""
        self._refuse_known(index)
        try:
            mask = self.read_mask(index)
        except PhotoError as error:
            raise BrokenItem(_file_fault(self.mask_source(index), error)) from error
        if mask is not None:
            self._refuse_values(index, mask)
            mask = self.turns.as_seen(index, self.photo_path(index), mask)
        return mask

    def photo(self, index: int) -> Photo:
        """The photograph alone, with its notes."""
        self._refuse_known(index)
        try:
            return read_photo(self.photo_path(index))
        except PhotoError as error:
            raise BrokenItem(_file_fault(self.photo_path(index), error)) from error

    def size(self, index: int) -> tuple[int, int]:
        """(height, width) from the file's header."""
        self._refuse_known(index)
        try:
            return photo_size(self.photo_path(index))
        except PhotoError as error:
            raise BrokenItem(_file_fault(self.photo_path(index), error)) from error

    def load(self, index: int) -> Sample:
        image = self.photo(index).image
        mask = self.mask(index)
        self._refuse_mismatch(index, image, mask)
        return Sample(
            id=self.ids[index],
            image=image,
            labels=self._labels_with(index, mask),
            mask=mask,
        )

    def faults(self, progress: ProgressFn = silent) -> Iterator[Fault]:
        yield from self.faults_of(range(len(self)), progress)

    def faults_of(self, indices: Sequence[int], progress: ProgressFn = silent) -> Iterator[Fault]:
        """The faults of some pictures, and then what their masks together lack."""
        shown, named = np.zeros(256, dtype=bool), np.zeros((len(self.classes), 2), dtype=np.int64)
        empty: list[int] = []
        for done, index in enumerate(indices, start=1):
            found, mask, labels = self._read_item(index)
            yield from found
            if mask is not None:
                values = np.bincount(mask.ravel(), minlength=256) > 0
                shown |= values
                if labels is not None:
                    if labels.any() and values[VOID] and not values[1 : len(self.classes) + 1].any():
                        empty.append(index)
                    named[labels & (named[:, 0] == 0), 1] = index
                    named[labels, 0] += 1
            progress(done, len(indices), "reading pictures")
        yield from self._not_shown(shown, named, empty)

    def _not_shown(self, shown: np.ndarray, named: np.ndarray, empty: Sequence[int]) -> Iterator[Fault]:
        """Classes that labels name and no mask holds, and masks of labelled pictures that hold void in their place.

        Args:
            shown: 256 bools, the values of the masks.
            named: K x 2, how many pictures with a mask are labelled with each class, and the index of the first.
            empty: labelled pictures whose masks hold void and not a pixel of a class.
        """
        if not shown.any():
            return
        count = len(self.classes)
        stored = list(range(count + 1))
        if self.listed is not None and self.listed.values is not None:
            of_class = {value: number for number, value in self.listed.values.items()}
            stored = [of_class.get(number, number) for number in stored]
        if not shown[1 : count + 1].any():
            only = " and ".join(str(value) for value in (BACKGROUND, VOID) if shown[value])
            meaning = f"{VOID} means void, which no score counts; " if shown[VOID] else ""
            example = f"write {stored[1]} for the class '{self.classes.names[0]}'" + (" and so on" if count > 1 else "")
            yield Fault(
                str(Path(self.mask_source(0)).parent),
                f"the masks hold only {only}, and so not one pixel of a class: {meaning}{example}.",
                "class in no mask",
            )
            return
        for index in empty:
            yield Fault(
                self.mask_source(index),
                f"its picture has a label, but the mask holds {VOID} and no class: {VOID} means void, which no score "
                "counts; write the number of the class.",
                "class in no mask",
            )
        for k in np.flatnonzero((named[:, 0] > 0) & ~shown[1 : count + 1]).tolist():
            pictures, first = named[k].tolist()
            such = f"{pictures} pictures with a mask, such as" if pictures > 1 else "the picture"
            have = "have" if pictures > 1 else "has"
            yield Fault(
                self.mask_source(first),
                f"{such} '{self.ids[first]}', {have} the label '{self.classes.names[k]}', "
                f"but no mask holds its value {stored[k + 1]}.",
                "class in no mask",
            )

    def turn_note(self, index: int) -> str:
        """A sentence on a mask that was read and lies on a photograph that EXIF data turn; "" for any other."""
        return self.turns.note(index)

    def mask_notes(self, most: int = MOST_PAIRS) -> list[str]:
        """Sentences on masks that are turned with their pictures, or may have to be.

        Reads the headers of the first ``most`` files, once.
        """
        for index in range(self._masks_looked_at, min(len(self), most)) if self.has_masks else ():
            if index not in self.turns.met and index not in self.known_faults:
                file = self.mask_file(index)
                if file is not None and (size := mask_size(file)) is not None:
                    self.turns.decide(index, self.photo_path(index), size)
        self._masks_looked_at = max(self._masks_looked_at, most)
        return self.turns.notes(self.ids)

    def background_notes(self) -> list[str]:
        """Sentences on how a background was found that is stated nowhere. Reads masks, so that opening does not ask."""
        if self._background_notes is None:
            asked = self.undeclared is not None and self.classes.has_background
            note = stray_zeros_note(*self.undeclared) if asked and self.undeclared is not None else None
            self._background_notes = [] if note is None else [note]
        return list(self._background_notes)

    # Finding faults -----------------------------------------------------------------------------------------------

    def listing_faults(self, index: int) -> list[Fault]:
        """What is wrong with an item that can be told without decoding its photograph.

        A mask is read only where the image-level label has to come from it, and the label is kept.
        """
        try:
            labels = self.labels(index)
        except BrokenItem as error:
            return [error.fault]
        return [] if labels.any() else [self._no_label(index)]

    def item_faults(self, index: int) -> list[Fault]:
        """Everything that is wrong with an item, reading all of it."""
        return self._read_item(index)[0]

    def _read_item(self, index: int) -> tuple[list[Fault], np.ndarray | None, np.ndarray | None]:
        """What is wrong with an item, its mask, and its labels, as far as they can be read."""
        if index in self.known_faults:
            return [self.known_faults[index]], None, None
        found: list[Fault] = []
        image = mask = labels = None
        try:
            image = self.photo(index).image
        except BrokenItem as error:
            found.append(error.fault)
        try:
            mask = self.mask(index)
            if image is not None:
                self._refuse_mismatch(index, image, mask)
        except BrokenItem as error:
            found.append(error.fault)
            mask = None
        if mask is not None and index in self.turns.met and self.turns.met[index][1] == "unclear":
            found.append(self._unclear(index))
        try:
            labels = self._labels_with(index, mask)
            if not labels.any():
                found.append(self._no_label(index))
        except BrokenItem as error:
            if error.fault not in found:
                found.append(error.fault)
        return found, mask, labels

    def _unclear(self, index: int) -> Fault:
        return Fault(
            self.mask_source(index),
            "unclear rotation: EXIF data turn its picture, and the mask has the same size either way; it is taken as "
            f"drawn on the upright picture. {HOW_TO_SAY}",
            "unclear rotation",
        )

    def _refuse_known(self, index: int) -> None:
        if index in self.known_faults:
            raise BrokenItem(self.known_faults[index])

    def _labels_with(self, index: int, mask: np.ndarray | None) -> np.ndarray:
        """The labels, without reading a mask a second time that has just been read."""
        if index not in self._labels and mask is not None:
            labels = self.stored_labels(index)
            self._labels[index] = self._labels_of_mask(mask) if labels is None else labels
        return self.labels(index)

    def _labels_of_mask(self, mask: np.ndarray | None) -> np.ndarray:
        count = len(self.classes)
        if mask is None:
            return np.zeros(count, dtype=bool)
        return np.bincount(mask.ravel(), minlength=256)[1 : count + 1] > 0

    def _no_label(self, index: int) -> Fault:
        return Fault(
            self.photo_path(index),
            "this picture is without a label: nothing names a class for it (no annotation, or a mask with no class in "
            "it). Label it or take it out of the split.",
            "no label",
        )

    def _refuse_values(self, index: int, mask: np.ndarray) -> None:
        counts = np.bincount(mask.ravel(), minlength=256)
        count = len(self.classes)
        counts[1 : count + 1] = 0
        counts[VOID] = 0
        if self.classes.has_background:
            counts[0] = 0
        wrong = np.flatnonzero(counts)
        if not len(wrong):
            return
        if wrong[0] == 0:
            message = (
                "the mask holds the value 0 (background), but this data set was taken to be without a background "
                "class, because its other masks hold no 0. Write 'background' as the first line of classes.txt if it "
                "has one, or mark unlabelled pixels with 255."
            )
        else:
            listed = ", ".join(str(value) for value in wrong[:8]) + (" ..." if len(wrong) > 8 else "")
            message = (
                f"class id out of range: the mask holds {listed}, but there are {count} classes (1 to {count}; "
                f"{'0 is background, ' if self.classes.has_background else ''}255 is void)."
            )
        raise BrokenItem(Fault(self.mask_source(index), message, "class out of range"))

    def _refuse_mismatch(self, index: int, image: np.ndarray, mask: np.ndarray | None) -> None:
        if mask is None or mask.shape == image.shape[:2]:
            return
        (height, width), (photo_height, photo_width) = mask.shape, image.shape[:2]
        hint = ""
        if (width, height) == (photo_height, photo_width):
            hint = " The picture may carry an EXIF rotation that was ignored when the mask was drawn."
        raise BrokenItem(
            Fault(
                self.mask_source(index),
                f"size mismatch: the mask is {width} x {height} pixels, its picture {photo_width} x {photo_height}."
                + hint,
                "size mismatch",
            )
        )


def _file_fault(where: str, error: PhotoError) -> Fault:
    """What a reader of photographs or masks said, as a fault of that file."""
    kind = error.kind if isinstance(error, MaskError) else "missing file" if error.is_missing else "damaged file"
    return Fault(where, error.reason, kind)


class MaskFileDataset(PhotoDataset):
    """What data sets share whose masks are PNG files in one folder; these set ``_masks``, the folder, and
    ``_mask_files``, the name of the mask of each picture that has one, by id."""

    _masks: Path
    _mask_files: Mapping[str, str]

    def mask_source(self, index: int) -> str:
        return str(self._masks / self._mask_files.get(self.ids[index], f"{self.ids[index]}.png"))

    def read_mask(self, index: int) -> np.ndarray | None:
        file = self.mask_file(index)
        return None if file is None else read_mask(file, meanings=self.listed)

    def mask_file(self, index: int) -> Path | None:
        return Path(self.mask_source(index)) if self.ids[index] in self._mask_files else None

    def mask_files(self) -> tuple[Path, Collection[str]] | None:
        names = [name for name in map(self._mask_files.get, self.ids) if name is not None]
        return (self._masks, names) if names else None
