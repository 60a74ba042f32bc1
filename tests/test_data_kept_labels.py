"""Labels of a large data set are read once, kept, and read again when a file that they come from changes."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_layouts import folder, halves, voc, write_grey_mask, write_list
from recam_core.cache import cache_folder
from recam_core.data import digest as module
from recam_core.data.digest import all_labels, dataset_digest, kept_labels
from recam_core.data.sample import BrokenItem, Dataset, label_matrix
from recam_core.data.spec import open_dataset


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "FEW", 2)


def opened(kind: Callable[..., Path], root: Path) -> Dataset:
    kind(root)
    return open_dataset(f"{kind.__name__}:{root}")


def unread(*_: object) -> None:
    raise AssertionError("the labels were read again")


@pytest.mark.parametrize("kind", [folder, voc])
def test_they_are_read_once(kind: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = opened(kind, tmp_path / "data")
    expected = label_matrix(dataset)
    assert expected.any()
    assert kept_labels(dataset) is None
    assert np.array_equal(all_labels(dataset), expected)
    digest = dataset_digest(dataset)
    monkeypatch.setattr(module, "label_matrix", unread)
    assert np.array_equal(kept_labels(open_dataset(dataset.spec)), expected)
    again = all_labels(open_dataset(dataset.spec))
    assert again.dtype == bool
    assert np.array_equal(again, expected)
    assert dataset_digest(dataset) == dataset_digest(dataset, expected) == digest
    part = open_dataset(f"{dataset.spec if '@' in dataset.spec else dataset.spec + '@all'}.fit")
    assert kept_labels(part) is None  # a part has rows of its own


def test_a_changed_mask_is_read_again(tmp_path: Path) -> None:
    root = tmp_path / "data"
    before = all_labels(opened(folder, root))
    mask = root / "masks" / "b.png"
    was = mask.stat()
    write_grey_mask(mask, halves(1, 2))
    os.utime(mask, ns=(was.st_atime_ns, was.st_mtime_ns + 1))
    dataset = open_dataset(f"folder:{root}")
    assert kept_labels(dataset) is None
    after = all_labels(dataset)
    assert np.array_equal(after, label_matrix(dataset))
    assert not np.array_equal(after, before)


def test_a_changed_table_is_read_again_and_masks_do_not_count_beside_it(tmp_path: Path) -> None:
    root = tmp_path / "data"
    write_list(root / "labels.csv", ["id,labels", "a,red", "b,blue", "c,red"])
    before = all_labels(opened(folder, root))
    (root / "masks" / "b.png").touch()
    assert kept_labels(open_dataset(f"folder:{root}")) is not None
    write_list(root / "labels.csv", ["id,labels", "a,red;blue", "b,blue", "c,red"])
    assert kept_labels(open_dataset(f"folder:{root}")) is None
    assert not np.array_equal(all_labels(open_dataset(f"folder:{root}")), before)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", None])
def test_what_is_damaged_is_read_again(tmp_path: Path, content: bytes | None) -> None:
    dataset = opened(folder, tmp_path / "data")
    expected = all_labels(dataset)
    (kept,) = cache_folder().glob("labels-*")
    if content is None:
        np.savez(kept, bits=np.zeros((2, 9), np.uint8))
    else:
        kept.write_bytes(content)
    assert kept_labels(dataset) is None
    assert np.array_equal(all_labels(dataset), expected)


def test_few_labels_faulty_ones_and_those_of_other_sets_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = opened(folder, tmp_path / "data")
    (tmp_path / "data" / "masks" / "b.png").write_bytes(b"no picture")
    with pytest.raises(BrokenItem, match=r"b\.png"):
        all_labels(dataset)
    assert not list(cache_folder().glob("labels-*"))
    all_labels(open_dataset("scenes:size=64,val=3@val"))
    monkeypatch.setattr(module, "FEW", 4)
    all_labels(opened(folder, tmp_path / "other"))
    assert not list(cache_folder().glob("labels-*"))


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RECAM_CACHE", str(tmp_path / "file"))
    dataset = opened(folder, tmp_path / "data")
    assert np.array_equal(all_labels(dataset), label_matrix(dataset))
