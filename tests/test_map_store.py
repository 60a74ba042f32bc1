"""The store of activation maps: same maps back, little memory, damage refused with a sentence."""

import gc
import json
import tracemalloc
import zlib

import numpy as np
import pytest

from recam_core.errors import UserError
from recam_core.maps.activation_maps import ActivationMaps, grid_size
from recam_core.maps.store import MapStore, StoreInfo, is_store, writing_store

INFO = StoreInfo(
    run="demo",
    weights_sha256="00",
    rule="fc1",
    data="voc:somewhere@val",
    classes=tuple(f"class{k}" for k in range(20)),
    has_background=True,
    scales=(1.0, 0.5),
    mirror=True,
    labels="truth",
    threshold=0.21,
)


def make_maps(rng, id, size=(33, 50), classes=None):
    if classes is None:
        classes = np.sort(rng.choice(20, rng.integers(0, 4), replace=False))
    shape = (len(classes), *grid_size(size))
    return ActivationMaps(id, size, np.array(classes, dtype=np.int64), rng.integers(0, 256, shape, dtype=np.uint8))


def write_store(path, pictures, failure=None):
    with writing_store(path, INFO) as writer:
        for maps in pictures:
            writer.add(maps)
        if failure is not None:
            raise failure


@pytest.fixture
def store_path(tmp_path):
    rng = np.random.default_rng(0)
    with writing_store(tmp_path / "store", INFO) as writer:
        for number in range(12):
            writer.add(make_maps(rng, f"p{number}", size=(30 + number, 41)))
    return tmp_path / "store"


def test_the_same_maps_come_back(tmp_path):
    rng = np.random.default_rng(1)
    written = [make_maps(rng, f"bild/{number} ä", (20 + 3 * number, 50 - number)) for number in range(9)]
    written.append(make_maps(rng, "nothing", classes=[]))
    with writing_store(tmp_path / "s", INFO) as writer:
        for maps in written:
            writer.add(maps)
    store = MapStore(tmp_path / "s")
    assert is_store(tmp_path / "s")
    assert store.info == INFO
    assert list(store) == list(store.ids) == [maps.id for maps in written]
    assert "nothing" in store
    assert "other" not in store
    for position, maps in enumerate(written):
        for read in (store[maps.id], store[position]):
            assert (read.id, read.size) == (maps.id, maps.size)
            assert np.array_equal(read.classes, maps.classes)
            assert read.classes.dtype == np.int64
            assert np.array_equal(read.activations, maps.activations)
    assert store[-1].id == "nothing"
    with pytest.raises(IndexError):
        store[len(written)]
    with pytest.raises(KeyError):
        store["other"]


def test_an_empty_store_can_be_read(tmp_path):
    with writing_store(tmp_path / "s", INFO):
        pass
    assert len(MapStore(tmp_path / "s")) == 0


def test_ten_thousand_pictures_do_not_need_their_memory(tmp_path):
    size, grid = (376, 500), grid_size((376, 500))
    plane = np.random.default_rng(0).integers(0, 256, (1, *grid), dtype=np.uint8)
    tracemalloc.start()
    with writing_store(tmp_path / "big", INFO) as writer:
        for number in range(10_000):
            writer.add(ActivationMaps(f"2008_{number:06d}", size, np.array([number % 20]), plane))
    _, peak_writing = tracemalloc.get_traced_memory()
    gc.collect()
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    store = MapStore(tmp_path / "big")
    for position in range(len(store)):
        assert store[position].activations[0, 3, 3] == plane[0, 3, 3]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    held = (tmp_path / "big" / "maps.bin").stat().st_size
    assert held > 100e6  # noise: nothing of it can be packed
    assert peak_writing < 20e6
    assert peak - before < 20e6


def test_smooth_maps_take_a_fraction_of_their_cells(tmp_path):
    rows, columns = np.mgrid[:64, :64]
    smooth = np.stack([np.exp(-((rows - r) ** 2 + (columns - c) ** 2) / 300) * 255 for r, c in ((20, 30), (50, 10))])
    maps = ActivationMaps("hill", (256, 256), np.array([1, 4]), smooth.round().astype(np.uint8))
    with writing_store(tmp_path / "store", INFO) as writer:
        writer.add(maps)
    assert (tmp_path / "store" / "maps.bin").stat().st_size < maps.activations.size / 3
    assert np.array_equal(MapStore(tmp_path / "store")["hill"].activations, maps.activations)


def test_a_store_of_the_version_before_opens(store_path):
    store = MapStore(store_path)
    expected = dict(store.items())
    with np.load(store_path / "index.npz") as index:
        arrays = {name: array for name, array in index.items() if name not in ("lengths", "cells")}
    np.savez(store_path / "index.npz", **arrays)
    (store_path / "maps.bin").write_bytes(b"".join(maps.activations.tobytes() for maps in expected.values()))
    head = json.loads((store_path / "store.json").read_text())
    (store_path / "store.json").write_text(json.dumps(head | {"format_version": 1}))
    again = MapStore(store_path)
    assert list(again) == list(expected)
    for id, maps in expected.items():
        assert np.array_equal(again[id].activations, maps.activations)


def test_packed_maps_that_are_too_long_are_refused_without_being_unpacked(tmp_path):
    """A few kilobytes that would become a gigabyte."""
    maps = ActivationMaps("x", (16, 16), np.array([1]), np.zeros((1, 4, 4), dtype=np.uint8))
    with writing_store(tmp_path / "store", INFO) as writer:
        writer.add(maps)
    packer = zlib.compressobj(9)
    bomb = b"".join([*(packer.compress(bytes(1 << 20)) for _ in range(64)), packer.flush()])
    (tmp_path / "store" / "maps.bin").write_bytes(bomb)
    with np.load(tmp_path / "store" / "index.npz") as index:
        arrays = dict(index) | {"lengths": np.array([len(bomb)])}
    np.savez(tmp_path / "store" / "index.npz", **arrays)
    store = MapStore(tmp_path / "store")
    tracemalloc.start()
    with pytest.raises(UserError, match="cannot be unpacked"):
        store["x"]
    assert tracemalloc.get_traced_memory()[1] < 4e6
    tracemalloc.stop()


def test_a_failure_leaves_the_old_store(store_path):
    before = (store_path / "maps.bin").read_bytes()
    rng = np.random.default_rng(2)
    with pytest.raises(KeyboardInterrupt):
        write_store(store_path, [make_maps(rng, "new")], failure=KeyboardInterrupt())
    assert (store_path / "maps.bin").read_bytes() == before
    assert [path.name for path in store_path.parent.iterdir()] == ["store"]
    write_store(store_path, [make_maps(rng, "new")])
    assert MapStore(store_path).ids == ("new",)


def test_a_folder_that_is_no_store_is_not_overwritten(tmp_path):
    precious = tmp_path / "thesis" / "text.txt"
    precious.parent.mkdir()
    precious.write_text("years of work")
    with pytest.raises(UserError, match="is not a store"), writing_store(precious.parent, INFO):
        pass
    with pytest.raises(UserError, match="is not a store"), writing_store(precious, INFO):
        pass
    assert precious.read_text() == "years of work"


def test_wrong_entries_are_refused(tmp_path):
    rng = np.random.default_rng(3)
    with pytest.raises(UserError, match="comes twice"):
        write_store(tmp_path / "s", [make_maps(rng, "a"), make_maps(rng, "a")])
    with pytest.raises(UserError, match="not among 20 classes"):
        write_store(tmp_path / "s", [make_maps(rng, "a", classes=[3, 20])])
    assert not (tmp_path / "s").exists()


def test_a_foreign_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no store\.json"):
        MapStore(tmp_path)
    (tmp_path / "store.json").write_text('{"format": "groceries"}')
    with pytest.raises(UserError, match="another kind"):
        MapStore(tmp_path)
    (tmp_path / "store.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match="damaged"):
        MapStore(tmp_path)


@pytest.mark.parametrize("name", ["maps.bin", "index.npz", "store.json"])
@pytest.mark.parametrize("harm", ["truncate", "remove", "empty"])
def test_a_damaged_store_is_refused(store_path, name, harm):
    target = store_path / name
    content = target.read_bytes()
    if harm == "remove":
        target.unlink()
    else:
        target.write_bytes(content[: len(content) // 2] if harm == "truncate" else b"")
    with pytest.raises(UserError, match=r"damaged|no store\.json"):
        MapStore(store_path)


def test_a_store_cut_short_while_open_is_refused(store_path):
    store = MapStore(store_path)
    (store_path / "maps.bin").write_bytes(b"")
    with pytest.raises(UserError, match="became shorter"):
        list(store.values())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format_version", 99),
        ("classes", []),
        ("classes", [f"c{k}" for k in range(300)]),
        ("classes", "cat"),
        ("classes", ["cat"]),
        ("pictures", 5),
        ("pictures", "many"),
        ("threshold", 7),
        ("mirror", "yes"),
        ("rule", None),
    ],
)
def test_wrong_fields_are_refused(store_path, field, value):
    content = json.loads((store_path / "store.json").read_text())
    content[field] = value
    (store_path / "store.json").write_text(json.dumps(content))
    with pytest.raises(UserError):
        MapStore(store_path)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("sizes", lambda array: array * -1),
        ("sizes", lambda array: array + 40),
        ("sizes", lambda array: array.astype(float)),
        ("class_counts", lambda array: array + 1),
        ("classes", lambda array: array[::-1]),
        ("classes", lambda array: array + 200),
        ("ids", lambda array: np.array(["same"] * len(array))),
        ("ids", lambda array: array.astype(object)),
        ("lengths", lambda array: array.astype(float)),
        ("lengths", lambda array: -array),
        # As signed numbers, or summed up, these may be the right ones.
        ("lengths", lambda array: array.astype(np.uint64) + np.uint64(2**63)),
        ("lengths", lambda array: np.append(array[:-2], array[-2:] + np.array([2**62, -(2**62)]))),
        ("cells", lambda array: -array),
        ("cells", lambda array: array.astype(float)),
    ],
)
def test_a_wrong_index_is_refused(store_path, field, change):
    with np.load(store_path / "index.npz") as index:
        arrays = dict(index)
    arrays[field] = change(arrays[field])
    np.savez(store_path / "index.npz", **arrays)
    with pytest.raises(UserError, match="damaged"):
        MapStore(store_path)
