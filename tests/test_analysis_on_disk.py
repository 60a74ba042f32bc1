"""Indexes and counts on disk: the same as in memory, and refused when damaged."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from analysis_data import counts_of, random_pictures
from recam_core.analysis import cell_arrays, cell_index
from recam_core.analysis.cell_arrays import ARRAYS
from recam_core.analysis.cell_index import CellIndex
from recam_core.analysis.counts_on_disk import open_counts, open_mapped, release, writing_counts
from recam_core.analysis.outcomes import outcomes_at
from recam_core.errors import UserError
from recam_core.progress import Cancelled
from recam_core.scores.pixel_counts import COLUMNS, count_pixels
from recam_core.scores.scores import score

#: Where Linux tells what is mapped, and how much of it is in memory.
SMAPS = Path("/proc/self/smaps")


@pytest.fixture
def counts():
    return counts_of(random_pictures(1, 15))


@pytest.mark.parametrize("has_background", [True, False])
def test_written_and_built_indexes_are_the_same(tmp_path, has_background):
    counts = counts_of(random_pictures(2, 15, has_background), has_background, ids=[f"bild ü{i}" for i in range(15)])
    built = CellIndex.build(counts)
    for index in (CellIndex.write(counts, tmp_path / "cells"), CellIndex.load(tmp_path / "cells")):
        if SMAPS.exists():
            resident(tmp_path / "cells" / "upto.npy")  # its rows stay on the disk
        assert index.ids == counts.ids
        assert index.classes == counts.classes
        for name in ARRAYS:
            assert np.array_equal(getattr(index, name), getattr(built, name))
    assert [file.name for file in tmp_path.iterdir()] == ["cells"]
    CellIndex.write(counts, tmp_path / "cells")  # an older index may be replaced


def test_names_of_files_are_those_of_every_version(tmp_path, counts):
    """Indexes and counts that were kept by an older version are opened by this one, and the other way round."""
    CellIndex.write(counts, tmp_path / "cells")
    counts.save(tmp_path / "counts.npz")
    arrays = {"truth", "winner", "image", "pixels", "start", "level", "upto", "histogram", "ids"}
    assert {file.stem for file in (tmp_path / "cells").glob("*.npy")} == arrays
    assert {"image", "truth", "winner", "level", "count"} < set(np.load(tmp_path / "counts.npz").files)


def test_pages_given_back_are_read_again(tmp_path, counts, monkeypatch):
    monkeypatch.setattr(cell_index, "ROWS_TO_RELEASE", 1)
    index = CellIndex.write(counts, tmp_path / "cells")
    for threshold in (0.2, 0.7):
        release(index.activation, index.upto, np.zeros(3))
        assert np.array_equal(outcomes_at(index, threshold).confusion(), score(counts.total(), threshold).confusion)


def resident(path):
    """Bytes of a mapped file that count as memory of this process."""
    lines = iter(SMAPS.read_text().splitlines())
    for line in lines:
        if line.endswith(str(path)):
            return next(int(row.split()[1]) * 1024 for row in lines if row.startswith("Rss:"))
    raise AssertionError("not mapped")


@pytest.mark.skipif(not SMAPS.exists(), reason="needs Linux to see what is in memory")
def test_pages_given_back_no_longer_count_as_memory(tmp_path):
    path = tmp_path / "array.npy"
    np.save(path, np.arange(1_000_000))
    array = open_mapped(path)
    total = int(array.sum())
    assert resident(path) > 7_000_000
    release(array[5:])
    assert resident(path) < 1_000_000
    assert int(array.sum()) == total


def test_a_set_without_pixels_is_written_too(tmp_path):
    empty = counts_of([])
    assert len(CellIndex.write(empty, tmp_path / "a")) == len(CellIndex.build(empty)) == 0
    assert len(CellIndex.load(tmp_path / "a")) == 0


def test_cancelling_leaves_nothing(tmp_path, counts, monkeypatch):
    monkeypatch.setattr(cell_arrays, "ROWS_AT_ONCE", 50)
    calls = []

    def progress(done, total, note):
        calls.append((done, total))
        if done > total / 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        CellIndex.write(counts, tmp_path / "cells", progress)
    assert not [*tmp_path.iterdir()]
    assert calls[0][0] == 1
    assert len({total for _, total in calls}) == 1


@pytest.mark.parametrize(
    "harm",
    ["missing", "no head", "json", "foreign", "version", "truncated", "lacking", "type", "ids", "start", "value"],
)
def test_a_damaged_index_is_refused(tmp_path, counts, harm):
    path = tmp_path / "cells"
    CellIndex.write(counts, path)
    head = json.loads((path / "cells.json").read_text())
    if harm == "missing":
        shutil.rmtree(path)
    elif harm == "no head":
        (path / "cells.json").unlink()
    elif harm == "json":
        (path / "cells.json").write_text("{")
    elif harm == "foreign":
        (path / "cells.json").write_text("[1]")
    elif harm == "version":
        (path / "cells.json").write_text(json.dumps(head | {"format_version": 99}))
    elif harm == "truncated":
        content = (path / "upto.npy").read_bytes()
        (path / "upto.npy").write_bytes(content[:-20])
    elif harm == "lacking":
        (path / "level.npy").unlink()
    elif harm == "type":
        np.save(path / "level.npy", np.load(path / "level.npy").astype(np.int64))
    elif harm == "ids":
        np.save(path / "ids.npy", np.arange(15))
    elif harm == "start":
        start = np.load(path / "start.npy")
        start[3], start[4] = start[4], start[3]
        np.save(path / "start.npy", start)
    elif harm == "value":
        np.save(path / "truth.npy", np.load(path / "truth.npy") + np.uint8(9))
    with pytest.raises(UserError):
        CellIndex.load(path)


def test_what_else_lies_there_is_not_overwritten(tmp_path, counts):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(UserError, match="holds no confusions"):
        CellIndex.write(counts, tmp_path / "mine")
    with pytest.raises(UserError, match="holds no pixel counts"):
        with writing_counts(tmp_path / "mine", counts.classes):
            pass
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("number", [0, 15])
def test_counts_written_picture_by_picture_are_the_same(tmp_path, number):
    pictures = random_pictures(3, number)
    whole = counts_of(pictures)
    with writing_counts(tmp_path / "counts", whole.classes) as writer:
        for id, picture in zip(whole.ids, pictures, strict=True):
            writer.add(id, count_pixels(*picture, whole.classes))
    read = open_counts(tmp_path / "counts")
    assert read.ids == whole.ids
    assert read.classes == whole.classes
    for name, kind in COLUMNS.items():
        assert getattr(read, name).dtype == kind
        assert np.array_equal(getattr(read, name), getattr(whole, name))


def test_counts_that_fail_on_the_way_leave_nothing(tmp_path, counts):
    with pytest.raises(Cancelled):
        with writing_counts(tmp_path / "counts", counts.classes):
            raise Cancelled
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("harm", ["missing", "json", "truncated", "lacking", "rows", "classes", "ids", "image"])
def test_damaged_counts_on_disk_are_refused(tmp_path, counts, harm):
    path = tmp_path / "counts"
    with writing_counts(path, counts.classes) as writer:
        for place, picture in enumerate(random_pictures(1, 15)):
            writer.add(f"p{place}", count_pixels(*picture, counts.classes))
    head = json.loads((path / "counts.json").read_text())
    if harm == "missing":
        shutil.rmtree(path)
    elif harm == "json":
        (path / "counts.json").write_text("nonsense")
    elif harm == "truncated":
        (path / "level.bin").write_bytes((path / "level.bin").read_bytes()[:-1])
    elif harm == "lacking":
        (path / "count.bin").unlink()
    elif harm == "rows":
        (path / "counts.json").write_text(json.dumps(head | {"rows": "many"}))
    elif harm == "classes":
        (path / "counts.json").write_text(json.dumps(head | {"classes": []}))
    elif harm == "ids":
        np.save(path / "ids.npy", np.array(["only one"]))
    elif harm == "image":
        image = np.fromfile(path / "image.bin", np.int32)
        (image - 5).tofile(path / "image.bin")
    with pytest.raises(UserError):
        open_counts(path)
