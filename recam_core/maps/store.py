"""Activation maps of a whole data set on disk: compact, written whole or not at all, read one picture at a time.

A store is a folder of three files:
    store.json  which network and rule made the maps, from which data, and how (:class:`StoreInfo`)
    index.npz   per picture: id, size and classes; per class, how often it had no activation
    maps.bin    the uint8 grids of all pictures, one after another, each picture's packed by itself (:func:`_pack`);
                where each begins follows from the index
Stores of version 1 hold the grids as they are, four times as long; they are read as well.
"""

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from recam_core.atomic_write import replacing_folder, write_json
from recam_core.data.sample import MAX_CLASSES, ClassList
from recam_core.errors import UserError
from recam_core.file_reader import DAMAGED_ARRAYS
from recam_core.maps.activation_maps import GRID_STRIDE, ActivationMaps, SilentCount
from recam_core.records import RecordError, read_record

FORMAT = "recam-maps"
FORMAT_VERSION = 2
#: Sides of pictures beyond this are taken for a damaged index.
LARGEST_SIDE = 100_000
#: Up to so many pictures are read through for what a store does not say; it takes a millisecond each.
_FEW = 2_000


@dataclass(frozen=True)
class StoreInfo:
    """How the maps of a store were made.

    Attributes:
        run: name of the run that made them.
        weights_sha256: of its weights, so that maps of a later training are not taken for these.
        rule: extraction rule (equation 7).
        data: specification of the data set.
        classes: names of all K classes.
        has_background: whether the data set has a background class.
        scales: factors by which pictures were resized.
        mirror: whether mirror images were added.
        labels: which classes got maps: those of the ground truth labels ("truth") or the network's own ("predicted").
        threshold: the run's own background threshold, if one was chosen for it.
    """

    run: str
    weights_sha256: str
    rule: str
    data: str
    classes: tuple[str, ...]
    has_background: bool
    scales: tuple[float, ...]
    mirror: bool
    labels: str
    threshold: float | None = None

    @property
    def class_list(self) -> ClassList:
        return ClassList(self.classes, self.has_background)


def is_store(path: str | Path) -> bool:
    """Whether the folder says that it is a store; it may still turn out damaged when opened."""
    return (Path(path) / "store.json").is_file()


class StoreWriter:
    """Takes maps one picture at a time; made by :func:`writing_store`."""

    def __init__(self, folder: Path, info: StoreInfo, stream: BinaryIO):
        self._folder = folder
        self._info = info
        self._stream = stream
        self._seen: set[str] = set()
        self._ids: list[str] = []
        self._sizes: list[tuple[int, int]] = []
        self._classes: list[np.ndarray] = []
        self._lengths: list[int] = []
        self._cells = 0
        #: How often classes had no activation, so far.
        self.silent = SilentCount(len(info.classes))

    def add(self, maps: ActivationMaps) -> None:
        """Append one picture.

        Raises:
            UserError: the id was added before, or a class is not one of the store's.
        """
        if maps.id in self._seen:
            raise UserError(f"The picture {maps.id!r} comes twice; ids must be unique. `data check` lists such faults.")
        if len(maps.classes) and not 0 <= maps.classes[0] <= maps.classes[-1] < len(self._info.classes):
            raise UserError(
                f"The maps of {maps.id!r} have a class that is not among {len(self._info.classes)} classes."
            )
        packed = _pack(maps.activations)
        self._stream.write(packed)
        self._lengths.append(len(packed))
        self._cells += maps.activations.size
        self.silent.add(maps)
        self._seen.add(maps.id)
        self._ids.append(maps.id)
        self._sizes.append(maps.size)
        self._classes.append(maps.classes.astype(np.uint8))

    def _finish(self) -> None:
        counts = np.array([len(classes) for classes in self._classes], dtype=np.int64)
        np.savez(
            self._folder / "index.npz",
            ids=np.array(self._ids, dtype=np.str_),
            sizes=np.array(self._sizes, dtype=np.int32).reshape(-1, 2),
            class_counts=counts,
            classes=np.concatenate([np.zeros(0, dtype=np.uint8), *self._classes]),
            lengths=np.array(self._lengths, dtype=np.int64),
            cells=np.int64(self._cells),
            made=self.silent.made,
            silent=self.silent.silent,
        )
        head = {"format": FORMAT, "format_version": FORMAT_VERSION, "pictures": len(self._ids)}
        write_json(self._folder / "store.json", head | asdict(self._info))


@contextmanager
def writing_store(path: str | Path, info: StoreInfo) -> Iterator[StoreWriter]:
    """Write a store: ``with writing_store(path, info) as writer: writer.add(maps)``.

    The folder appears under its name only when the block ends well; an older store of that name is then replaced.

    Raises:
        UserError: ``path`` is something else than a store, or it cannot be written to.
    """
    path = Path(path)
    occupied = path.exists() and not (path.is_dir() and (is_store(path) or not any(path.iterdir())))
    if occupied:
        raise UserError(f"{path} exists and is not a store of activation maps; choose another --out, or remove it.")
    with replacing_folder(path) as folder:
        with (folder / "maps.bin").open("wb") as stream:
            writer = StoreWriter(folder, info, stream)
            yield writer
        writer._finish()


class MapStore(Mapping[str, ActivationMaps]):
    """A store opened for reading: a mapping from picture id to maps, in the order in which they were written.

    Only the index is held in memory. Grids are read from the file when asked for, by plain reads and not by a memory
    map: a file that is truncated while it is open gives an error instead of killing the process. Reading is safe
    from several threads.

    Attributes:
        path: the folder.
        info: how the maps were made.
        ids: one id a picture.
    """

    path: Path
    info: StoreInfo
    ids: tuple[str, ...]

    def __init__(self, path: str | Path):
        """Open the store at ``path``.

        Raises:
            UserError: there is no store, it is of another format, or it is damaged.
        """
        self.path = Path(path)
        self.info, pictures, version = _read_info(self.path)
        self.ids, self._sizes, self._classes, self._class_starts, packed = _read_index(
            self.path, pictures, self.info, version
        )
        self._positions = {id: position for position, id in enumerate(self.ids)}
        if len(self._positions) < len(self.ids):
            raise _damaged(self.path, "an id comes twice in index.npz")
        self._grids = -(-self._sizes // GRID_STRIDE)
        counts = np.diff(self._class_starts)
        plain = counts * self._grids.prod(axis=1)
        self._is_packed = packed is not None
        lengths, cells = packed or (plain, plain.sum())
        if plain.sum() != cells:
            raise _damaged(self.path, "index.npz holds sizes that are not those of the maps")
        try:
            held = (self.path / "maps.bin").stat().st_size
        except OSError as error:
            raise _damaged(self.path, "maps.bin is missing") from error
        # One by one first: the sum of impossible lengths may overflow to the right one.
        if self._is_packed and len(lengths) and not 0 <= lengths.min() <= lengths.max() <= held:
            raise _damaged(self.path, f"index.npz holds maps that are longer than the {held:,} bytes of maps.bin")
        self._offsets = np.concatenate([[0], np.cumsum(lengths)])
        if held != self._offsets[-1]:
            raise _damaged(self.path, f"maps.bin has {held:,} bytes instead of {self._offsets[-1]:,}")

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)

    def __contains__(self, id: object) -> bool:
        return id in self._positions

    def __getitem__(self, key: str | int) -> ActivationMaps:
        """The maps of one picture, by id or by position. KeyError or IndexError if there is no such picture."""
        position = self._positions[key] if isinstance(key, str) else range(len(self.ids))[key]
        classes = self._classes[self._class_starts[position] : self._class_starts[position + 1]].astype(np.int64)
        height, width = (int(side) for side in self._grids[position])
        shape = (len(classes), height, width)
        begin, end = (int(offset) for offset in self._offsets[position : position + 2])
        try:
            with (self.path / "maps.bin").open("rb") as stream:
                stream.seek(begin)
                content = stream.read(end - begin)
        except OSError as error:
            raise UserError(f"Cannot read {self.path / 'maps.bin'}: {error.strerror or error}.") from error
        if len(content) != end - begin:
            raise _damaged(self.path, "maps.bin became shorter while it was in use")
        size = (int(self._sizes[position, 0]), int(self._sizes[position, 1]))
        if self._is_packed:
            grids = _unpack(content, shape)
            if grids is None:
                raise _damaged(self.path, f"the maps of {self.ids[position]!r} cannot be unpacked")
        else:
            grids = np.frombuffer(content, np.uint8).reshape(shape)
        return ActivationMaps(self.ids[position], size, classes, grids)

    @cached_property
    def silent(self) -> SilentCount:
        """How often classes have no activation: as noted when the maps were written, or else by reading them all.

        A large store from before it was noted is not read for it, and gives no counts.
        """
        found = SilentCount(len(self.info.classes))
        try:
            with np.load(self.path / "index.npz", allow_pickle=False) as index:
                noted = (index["made"], index["silent"]) if {"made", "silent"} <= set(index.files) else None
        except DAMAGED_ARRAYS:
            noted = None
        shape = found.made.shape
        if noted is not None and all(each.dtype == np.int64 and each.shape == shape for each in noted):
            found.made, found.silent = noted
        elif len(self) <= _FEW:
            for maps in self.values():
                found.add(maps)
        return found


def _pack(grids: np.ndarray) -> bytes:
    """n x h x w uint8 as the difference of each cell to its neighbours above and to the left, deflated.

    Maps are smooth, so the differences are small: they take a quarter of the room. Nothing is lost.
    """
    grids = np.ascontiguousarray(grids)
    for axis in (1, 2):
        grids = np.diff(grids, axis=axis, prepend=np.uint8(0))  # modulo 256, as uint8 counts
    return zlib.compress(grids.tobytes(), 6)


def _unpack(content: bytes, shape: tuple[int, int, int]) -> np.ndarray | None:
    """What :func:`_pack` was given; None if that is not what the bytes hold. Takes no more memory than the grids."""
    expected = int(np.prod(shape))
    reader = zlib.decompressobj()
    try:
        plain = reader.decompress(content, expected + 1)
    except zlib.error:
        return None
    if len(plain) != expected or not reader.eof:
        return None
    grids = np.frombuffer(plain, np.uint8).reshape(shape)
    for axis in (2, 1):
        grids = np.cumsum(grids, axis=axis, dtype=np.uint8)
    return grids


def _damaged(path: Path, reason: str) -> UserError:
    return UserError(f"The store {path} is damaged ({reason}); make it again with `cams`.")


def _read_info(path: Path) -> tuple[StoreInfo, int, int]:
    """The contents of store.json, checked field by field, the number of pictures and the version of the format."""
    try:
        content: Any = read_record(path / "store.json")
    except RecordError as error:
        if error.is_missing:
            raise UserError(f"{path} is not a store of activation maps: it has no store.json.") from None
        raise _damaged(path, f"store.json cannot be read: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f"{path} is not a store of activation maps: its store.json is of another kind.")
    version = content.get("format_version")
    if version not in (1, FORMAT_VERSION) or isinstance(version, bool):
        raise UserError(
            f"The store {path} has format version {version}; this program reads versions 1 to {FORMAT_VERSION}. Make "
            "it again with `cams`."
        )
    values: dict[str, Any] = {field.name: content.get(field.name) for field in fields(StoreInfo)}
    for name in ("run", "weights_sha256", "rule", "data", "labels"):
        if not isinstance(values[name], str):
            raise _damaged(path, f"store.json has no valid {name!r}")
    for name in ("has_background", "mirror"):
        if not isinstance(values[name], bool):
            raise _damaged(path, f"store.json has no valid {name!r}")
    for name, kinds in (("classes", str), ("scales", (int, float))):
        if not isinstance(values[name], list) or not all(isinstance(item, kinds) for item in values[name]):
            raise _damaged(path, f"store.json has no valid {name!r}")
        values[name] = tuple(values[name])
    threshold = values["threshold"]
    is_number = isinstance(threshold, (int, float)) and not isinstance(threshold, bool)
    if threshold is not None and not (is_number and 0 <= threshold <= 1):
        raise _damaged(path, "store.json has no valid 'threshold'")
    if not 0 < len(values["classes"]) <= MAX_CLASSES:
        raise _damaged(path, f"store.json lists {len(values['classes'])} classes")
    pictures = content.get("pictures")
    if not isinstance(pictures, int) or isinstance(pictures, bool) or pictures < 0:
        raise _damaged(path, "store.json has no valid number of pictures")
    return StoreInfo(**values), pictures, version


def _read_index(
    path: Path, pictures: int, info: StoreInfo, version: int
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray, np.ndarray, tuple[np.ndarray, int] | None]:
    """The index, checked.

    Returns:
        ids; N x 2 int64 sizes; classes of all pictures, uint8; N + 1 int64 starts into them; N int64 lengths of the
        packed maps and the number of all cells, or None in version 1.
    """
    try:
        with np.load(path / "index.npz", allow_pickle=False) as index:
            ids, sizes, counts, classes = (index[name] for name in ("ids", "sizes", "class_counts", "classes"))
            packed = None if version == 1 else (index["lengths"], index["cells"])
    except DAMAGED_ARRAYS as error:
        raise _damaged(path, "index.npz is missing, truncated or of another kind") from error
    kinds_fit = ids.dtype.kind == "U" and all(array.dtype.kind in "iu" for array in (sizes, counts, classes))
    shapes_fit = ids.shape == counts.shape == (pictures,) and sizes.shape == (pictures, 2) and classes.ndim == 1
    if not kinds_fit or not shapes_fit:
        raise _damaged(path, f"index.npz does not describe {pictures} pictures")
    sizes, counts = sizes.astype(np.int64), counts.astype(np.int64)
    if pictures and not (sizes.min() >= 1 and sizes.max() <= LARGEST_SIDE):
        raise _damaged(path, "index.npz holds impossible picture sizes")
    if pictures and not (counts.min() >= 0 and counts.max() <= len(info.classes)):
        raise _damaged(path, "index.npz holds impossible numbers of classes")
    starts = np.concatenate([[0], np.cumsum(counts)])
    if starts[-1] != len(classes) or (len(classes) and classes.max() >= len(info.classes)):
        raise _damaged(path, "index.npz holds classes that store.json does not list")
    owner = np.repeat(np.arange(pictures), counts)
    rising = np.diff(classes.astype(np.int64)) > 0
    if not np.all(rising | (np.diff(owner) > 0)):
        raise _damaged(path, "index.npz holds classes out of order")
    if packed is not None:
        lengths, cells = packed
        whole = all(array.dtype.kind in "iu" for array in packed)
        if not whole or lengths.shape != (pictures,) or cells.shape != () or (pictures and lengths.min() < 0):
            raise _damaged(path, "index.npz holds impossible lengths")
        packed = lengths.astype(np.int64), int(cells)
    return tuple(ids.tolist()), sizes, classes.astype(np.uint8), starts, packed
