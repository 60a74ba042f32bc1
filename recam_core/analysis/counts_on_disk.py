"""Pixel counts that need not fit into memory: written picture by picture, read as memory-mapped columns.

A folder of raw columns (``truth.bin`` and so on, in the types of ``scores.pixel_counts.COLUMNS``), ``ids.npy`` and
``counts.json``, which is written last. 80,000 pictures have about 100 million rows, 11 bytes each.

Pages of a mapped file count as memory of the process until they are given back; after that they are read again from
the system's file cache, at next to no cost. A pass over 80,000 pictures would otherwise hold a gigabyte a method.
"""

import mmap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from recam_core.atomic_write import replacing_folder, write_json
from recam_core.data.sample import MAX_CLASSES, ClassList
from recam_core.errors import UserError
from recam_core.file_reader import DAMAGED_ARRAYS
from recam_core.records import RecordError, read_record
from recam_core.scores.pixel_counts import COLUMNS, PictureCounts, PixelCounts, name_in_files


@dataclass(frozen=True)
class ArrayFolder:
    """A kind of folder of arrays: a head that says what it is and is written last, the pictures' ids, and the arrays.

    Attributes:
        words: what it holds, for people; in the plural.
        format: what the head says that it is.
        head: name of the file of the head.
        version: of the format.
    """

    words: str
    format: str
    head: str
    version: int = 1

    def free(self, path: str | Path) -> Path:
        """``path``, if such a folder may be put there: in the place of an older one, an empty one, or nothing.

        Raises:
            UserError: it holds something else.
        """
        path = Path(path)
        if path.exists() and not (path.is_dir() and ((path / self.head).is_file() or not any(path.iterdir()))):
            raise UserError(f"{path} exists and holds no {self.words}; choose another place, or remove it.")
        return path

    def write_head(self, folder: Path, ids: Sequence[str], classes: ClassList, **more: object) -> None:
        """Write what the arrays are of."""
        np.save(folder / "ids.npy", np.array(ids, dtype=np.str_))
        of = {"classes": list(classes.names), "has_background": classes.has_background}
        write_json(folder / self.head, {"format": self.format, "format_version": self.version, **more, **of})

    def read_head(self, path: Path) -> tuple[tuple[str, ...], ClassList, dict[str, Any]]:
        """The ids, the classes, and all that the head says.

        Raises:
            UserError: missing, damaged, or something else.
        """
        try:
            head: Any = read_record(path / self.head)
            ids = np.load(path / "ids.npy", allow_pickle=False)
        except RecordError as error:
            if error.is_missing:
                raise UserError(f"{path} holds no {self.words}: it has no {self.head}.") from None
            raise self.damaged(path) from error
        except DAMAGED_ARRAYS as error:
            raise self.damaged(path) from error
        known = {"format": self.format, "format_version": self.version}
        if not isinstance(head, dict) or any(head.get(name) != value for name, value in known.items()):
            raise UserError(f"The {self.words} in {path} are of another format than this program reads; delete them.")
        names, has_background = head.get("classes"), head.get("has_background")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise self.damaged(path)
        if not 0 < len(names) <= MAX_CLASSES or not isinstance(has_background, bool):
            raise self.damaged(path)
        if ids.ndim != 1 or ids.dtype.kind != "U":
            raise self.damaged(path)
        return tuple(ids.tolist()), ClassList(tuple(names), has_background), head

    def damaged(self, path: Path) -> UserError:
        """What is said of a folder that is not as it was written."""
        return UserError(f"The {self.words} in {path} are damaged; delete them, and they are made again.")


_COUNTS = ArrayFolder("pixel counts", "recam-counts", "counts.json")


class CountsWriter:
    """Takes the counts of one picture at a time; made by :func:`writing_counts`."""

    def __init__(self, columns: Mapping[str, BinaryIO]):
        self._columns = columns
        self._ids: list[str] = []
        self._rows = 0

    def add(self, id: str, counts: PictureCounts) -> None:
        """Append a picture."""
        rows = len(counts.count)
        image = np.full(rows, len(self._ids), dtype=COLUMNS["image"])
        for name, stream in self._columns.items():
            column = image if name == "image" else getattr(counts, name)
            stream.write(np.ascontiguousarray(column, dtype=COLUMNS[name]).data)
        self._ids.append(id)
        self._rows += rows


@contextmanager
def writing_counts(path: str | Path, classes: ClassList) -> Iterator[CountsWriter]:
    """Write counts: ``with writing_counts(path, classes) as writer: writer.add(id, counts)``.

    The folder appears under its name only when the block ends well.

    Raises:
        UserError: ``path`` holds something else, or it cannot be written to.
    """
    with replacing_folder(_COUNTS.free(path)) as folder:
        with ExitStack() as stack:
            columns = {name: stack.enter_context(_file(folder, name).open("wb")) for name in COLUMNS}
            writer = CountsWriter(columns)
            yield writer
        _COUNTS.write_head(folder, writer._ids, classes, rows=writer._rows)


def open_counts(path: str | Path) -> PixelCounts:
    """Open what :func:`writing_counts` wrote; rows stay on disk until they are looked at.

    Raises:
        UserError: missing, truncated, or something else.
    """
    path = Path(path)
    ids, classes, head = _COUNTS.read_head(path)
    rows = head.get("rows")
    try:
        columns = {
            # A plain view: arithmetic on np.memmap itself is slower. An empty file cannot be mapped.
            name: np.memmap(_file(path, name), kind, "r").view(np.ndarray) if rows else np.zeros(0, kind)
            for name, kind in COLUMNS.items()
        }
    except (OSError, ValueError) as error:
        raise _COUNTS.damaged(path) from error
    image = columns["image"]
    if any(len(column) != rows for column in columns.values()) or (rows and not 0 <= image[0] <= image[-1] < len(ids)):
        raise _COUNTS.damaged(path)
    return PixelCounts(ids, classes, **columns)


def _file(folder: Path, column: str) -> Path:
    return folder / f"{name_in_files(column)}.bin"


def open_mapped(path: Path) -> np.ndarray:
    """A ``.npy`` file, read-only and mapped.

    Raises:
        OSError, ValueError, EOFError: there is no such file, or it is truncated or of another kind.
    """
    array = np.load(path, "r", allow_pickle=False)
    # A plain view: arithmetic on np.memmap itself is slower.
    return array.view(np.ndarray) if array.size else np.array(array)


def release(*arrays: np.ndarray) -> None:
    """Give back the pages of those arrays that are mapped; they stay usable, and nothing written is lost."""
    for array in arrays:
        mapping = _mapping(array)
        if mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
            mapping.madvise(mmap.MADV_DONTNEED)


def _mapping(array: object) -> mmap.mmap | None:
    while isinstance(array, np.ndarray):
        array = array.base
    return array if isinstance(array, mmap.mmap) else None
