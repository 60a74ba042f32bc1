"""Pixel counts that need not fit into memory: written picture by picture, read as memory-mapped columns.

A folder of raw columns (``truth.bin`` and so on, in the types of ``scores.pixel_counts.COLUMNS``), ``ids.npy`` and
``counts.json``, which is written last. 80,000 pictures have about 100 million rows, 11 bytes each.

Pages of a mapped file count as memory of the process until they are given back; after that they are read again from
the system's file cache, at next to no cost. A pass over 80,000 pictures would otherwise hold a gigabyte a method.
"""

import mmap
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from recam_core.atomic_write import replacing_folder, write_json
from recam_core.data.sample import MAX_CLASSES, ClassList
from recam_core.errors import UserError
from recam_core.records import RecordError, read_record
from recam_core.scores.pixel_counts import COLUMNS, PictureCounts, PixelCounts

FORMAT = "recam-counts"
FORMAT_VERSION = 1
_HEAD = "counts.json"


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
    path = Path(path)
    if path.exists() and not (path.is_dir() and ((path / _HEAD).is_file() or not any(path.iterdir()))):
        raise UserError(f"{path} exists and does not hold pixel counts; choose another place, or remove it.")
    with replacing_folder(path) as folder:
        with ExitStack() as stack:
            columns = {name: stack.enter_context((folder / f"{name}.bin").open("wb")) for name in COLUMNS}
            writer = CountsWriter(columns)
            yield writer
        np.save(folder / "ids.npy", np.array(writer._ids, dtype=np.str_))
        head = {"format": FORMAT, "format_version": FORMAT_VERSION, "rows": writer._rows}
        write_json(folder / _HEAD, head | {"classes": list(classes.names), "has_background": classes.has_background})


def open_counts(path: str | Path) -> PixelCounts:
    """Open what :func:`writing_counts` wrote; rows stay on disk until they are looked at.

    Raises:
        UserError: missing, truncated, or something else.
    """
    path = Path(path)
    damaged = UserError(f"The pixel counts in {path} are damaged; delete them, and they are made again.")
    try:
        head: Any = read_record(path / _HEAD)
        ids = np.load(path / "ids.npy", allow_pickle=False)
        sizes = {name: (path / f"{name}.bin").stat().st_size for name in COLUMNS}
    except FileNotFoundError:
        raise UserError(f"{path} holds no whole pixel counts.") from None
    except (RecordError, OSError, ValueError, EOFError) as error:
        if isinstance(error, RecordError) and error.is_missing:
            raise UserError(f"{path} holds no whole pixel counts.") from None
        raise damaged from error
    if not isinstance(head, dict) or head.get("format") != FORMAT or head.get("format_version") != FORMAT_VERSION:
        raise UserError(f"The pixel counts in {path} are of another format than this program reads; delete them.")
    rows, names, has_background = head.get("rows"), head.get("classes"), head.get("has_background")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise damaged
    whole = isinstance(rows, int) and all(
        sizes[name] == rows * np.dtype(kind).itemsize for name, kind in COLUMNS.items()
    )
    if not whole or not 0 < len(names) <= MAX_CLASSES or not isinstance(has_background, bool):
        raise damaged
    if ids.ndim != 1 or ids.dtype.kind != "U":
        raise damaged
    columns = {
        # A plain view: arithmetic on np.memmap itself is slower. An empty file cannot be mapped.
        name: np.memmap(path / f"{name}.bin", kind, "r").view(np.ndarray) if rows else np.zeros(0, kind)
        for name, kind in COLUMNS.items()
    }
    if rows and not 0 <= columns["image"][0] <= columns["image"][-1] < len(ids):
        raise damaged
    return PixelCounts(tuple(ids.tolist()), ClassList(tuple(names), has_background), **columns)


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
